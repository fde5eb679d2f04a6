"""A Keycloak over https, and over plain http for the daemon, with an administrator; it keeps nothing."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import httpx2

from tests.support import needs
from tests.support.certificates import Authority
from tests.support.memcached import free_port
from tests.support.provider_process import ProviderProcess

_ADMIN: Final = {"username": "admin", "password": "the administrator's password"}
# A server that lives for minutes: quick to start, small.
_JVM: Final = ("-Xmx768m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_OPENED: Final = ("java.util", "java.util.concurrent", "java.security")


class Keycloak:
    """The server, running until `stop`; `public` is its address for browsers, `inside` the one for servers.

    Args:
        folder: for its log and what it writes.
        authority: signs its certificate.
        options: further options of `kc.sh start`, by name.
    """

    def __init__(self, folder: Path, authority: Authority, options: Mapping[str, str] | None = None) -> None:
        port, inside = free_port(), free_port()
        self.public = f"https://127.0.0.1:{port}"
        self.inside = f"http://127.0.0.1:{inside}"
        self.ca_file = authority.ca_file
        self.trust = authority.client_context()
        certificate = authority.issue()
        told = {
            "hostname": self.public,
            "http-enabled": "true",
            "http-host": "127.0.0.1",
            "http-port": str(inside),
            "https-port": str(port),
            "https-certificate-file": str(certificate.certificate),
            "https-certificate-key-file": str(certificate.key),
            "cache": "local",
            **(options or {}),
        }
        self._process = ProviderProcess(
            [*_java(_home(folder / f"keycloak-{port}")), *(f"--{name}={value}" for name, value in told.items())],
            log=folder / f"keycloak-{port}.log",
            ready=f"{self.public}/realms/master",
            trust=self.trust,
            environ={
                "KC_BOOTSTRAP_ADMIN_USERNAME": _ADMIN["username"],
                "KC_BOOTSTRAP_ADMIN_PASSWORD": _ADMIN["password"],
            },
        )
        self._process.start()

    def ask(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - whatever Keycloak answers
        """Make a call of the administration's API, below `/admin/realms`; return the JSON, or where it was put."""
        with httpx2.Client(base_url=self.inside, trust_env=False, timeout=60) as client:
            form = {"grant_type": "password", "client_id": "admin-cli", **_ADMIN}
            token = client.post("/realms/master/protocol/openid-connect/token", data=form).raise_for_status().json()
            headers = {"Authorization": f"Bearer {token['access_token']}"}
            answer = client.request(method, f"/admin/realms{path}", json=body, headers=headers).raise_for_status()
            return answer.json() if answer.content else answer.headers.get("location", "").rpartition("/")[2]

    def stop(self) -> None:
        """End it."""
        self._process.stop()


def _home(folder: Path) -> Path:
    """Return a folder that Keycloak takes for its own: what it writes lands there, what it reads is shared."""
    folder.mkdir()
    for name in ("lib", "conf", "providers", "themes"):
        (folder / name).symlink_to(Path(str(needs.find("keycloak"))).resolve() / name)
    return folder


def _java(home: Path) -> list[str]:
    """Return the command that its kc.sh ends with; that one looks for everything beside itself."""
    return [
        str(needs.find("java")),
        *_JVM,
        *(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in _OPENED),
        f"-Dkc.home.dir={home}",
        f"-Djboss.server.config.dir={home / 'conf'}",
        "-Djava.util.logging.manager=org.jboss.logmanager.LogManager",
        "-Dpicocli.disable.closures=true",
        "-cp",
        os.fspath(home / "lib" / "quarkus-run.jar"),
        "io.quarkus.bootstrap.runner.QuarkusEntryPoint",
        "start",
        "--optimized",
    ]
