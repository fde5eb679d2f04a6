"""The real reverse proxies, each started with the text of its example.

Owns what must differ between an example and a test: addresses, host names, and where files lie.
Every replacement must be found, so a test cannot pass beside an example that changed. What a
distribution's own main file holds around an example is in `_MAIN`, and nothing about identityd.
"""

import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support import needs
from tests.support.certificates import Certificate
from tests.support.memcached import free_port
from tests.support.sources import ROOT
from tests.support.waiting import serving

EXAMPLES: Final = ROOT / "examples"
AWAY: Final = EXAMPLES / "away.html"
"""What people see while the daemon is away."""
_STARTS_WITHIN_S: Final = 20


@dataclass(frozen=True, slots=True)
class Kind:
    """One proxy: its files, and how to start it in the foreground."""

    main: str
    """The example's main file."""
    command: tuple[str, ...]
    """`{program}`, `{folder}` and `{main}` are filled in."""
    version: tuple[str, ...]
    around: str = ""
    """The file the distribution puts around the example."""
    delivers: bool = True
    """False: it drops the cookies of a request that is let through, so its applications have `mint = no`."""
    nightly: bool = False
    """No package of the distribution: it is built, which takes minutes."""


KINDS: Final[Mapping[str, Kind]] = {
    "nginx": Kind(
        main="identityd.conf",
        command=("{program}", "-p", "{folder}", "-c", "{folder}/around", "-g", "daemon off;"),
        version=("-v",),
        around="""
            {root}user root;
            worker_processes 1;
            pid {folder}/pid;
            error_log {folder}/log warn;
            events {{ worker_connections 512; }}
            http {{
                access_log off;
                client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
                fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
                include {main};
            }}
            """,
    ),
    "caddy": Kind(
        main="Caddyfile",
        command=("{program}", "run", "--config", "{folder}/around", "--adapter", "caddyfile"),
        version=("version",),
        around="""
            {{
                admin off
                auto_https disable_redirects
                servers {{
                    protocols h1 h2
                }}
            }}
            import {main}
            """,
    ),
    "haproxy": Kind(
        main="haproxy.cfg",
        command=("{program}", "-db", "-f", "{main}"),
        version=("-v",),
    ),
    "apache": Kind(
        main="identityd.conf",
        command=("{program}", "-D", "FOREGROUND", "-f", "{folder}/around"),
        version=("-v",),
        around="""
            ServerRoot {folder}
            ServerName localhost
            DefaultRuntimeDir {folder}
            PidFile {folder}/pid
            Mutex file:{folder} default
            ErrorLog {folder}/log
            LogLevel warn
            {root}User www-data
            {root}Group www-data
            Listen 127.0.0.1:{port}
            LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
            LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
            LoadModule setenvif_module /usr/lib/apache2/modules/mod_setenvif.so
            LoadModule socache_shmcb_module /usr/lib/apache2/modules/mod_socache_shmcb.so
            LoadModule headers_module /usr/lib/apache2/modules/mod_headers.so
            LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
            LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so
            LoadModule http2_module /usr/lib/apache2/modules/mod_http2.so
            LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so
            LoadModule alias_module /usr/lib/apache2/modules/mod_alias.so
            LoadModule lua_module /usr/lib/apache2/modules/mod_lua.so
            Include {main}
            """,
    ),
    "traefik": Kind(
        main="traefik.yml",
        command=("{program}", "--configFile={main}"),
        version=("version",),
        delivers=False,
        nightly=True,
    ),
}
NAMES: Final = tuple(KINDS)
DELIVERING: Final = tuple(name for name, kind in KINDS.items() if kind.delivers)
"""Those that carry the cookies of a verdict."""


def program(name: str) -> str | None:
    """Return the proxy's program, if it is installed; the environment's NGINX (…) names another one."""
    return needs.find(name)


def version(name: str) -> str:
    """Return the version of the installed program, `1.22.1` for example."""
    told = subprocess.run(
        [str(program(name)), *KINDS[name].version], capture_output=True, text=True, check=True, timeout=20
    )
    found = re.search(r"\d+\.\d+\.\d+", told.stdout + told.stderr)
    return found[0] if found else "unknown"


@dataclass(frozen=True, slots=True)
class Places:
    """Where everything is on this machine."""

    public: int
    internal: int
    application: int
    partner: str
    """Origin of another site that may call the application."""
    certificate: Certificate
    login: str = "localhost"
    wiki: str = "wiki.localhost"


class Proxy:
    """One running proxy on a free port; a context manager."""

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self.port = port
        self._kind = KINDS[name]
        # Not pytest's folder: workers that gave up their rights must be able to read it.
        self.folder = Path(tempfile.mkdtemp(prefix=f"identityd-{name}-"))
        self.folder.chmod(0o755)
        self._process: subprocess.Popen[bytes] | None = None
        self._web: subprocess.Popen[bytes] | None = None

    def start(self, places: Places, *, faults: Mapping[str, str] | None = None) -> None:
        """Write the example with this machine's addresses, start it, and wait until it listens.

        `faults` are texts of the example that an operator got wrong, and what stands there instead.
        """
        changes = {**(faults or {}), **self._changes(places)}
        texts = {path.name: path.read_text() for path in sorted((EXAMPLES / self.name).iterdir())}
        for old, new in changes.items():
            if not any(old in text for text in texts.values()):
                raise RuntimeError(f"examples/{self.name} does not hold {old!r} any more")
            texts = {file: text.replace(old, new) for file, text in texts.items()}
        for file, text in texts.items():
            (self.folder / file).write_text(text)
        (self.folder / AWAY.name).write_bytes(AWAY.read_bytes())
        main = self.folder / self._kind.main
        if self._kind.around:
            root = "" if os.geteuid() == 0 else "# "
            around = self._kind.around.format(folder=self.folder, main=main, root=root, port=self.port)
            (self.folder / "around").write_text(around)
        command = [
            part.format(program=program(self.name), folder=self.folder, main=main) for part in self._kind.command
        ]
        environ = {**os.environ, "XDG_DATA_HOME": str(self.folder), "XDG_CONFIG_HOME": str(self.folder)}
        with (self.folder / "output").open("ab") as output:
            self._process = subprocess.Popen(
                command, cwd=self.folder, stdout=output, stderr=output, env=environ, start_new_session=True
            )
        self._wait(places)

    def _changes(self, places: Places) -> dict[str, str]:
        """Return what stands in the example and what it becomes here."""
        pem = places.certificate
        everywhere = {
            "127.0.0.1:8887": f"127.0.0.1:{places.public}",
            "127.0.0.1:8888": f"127.0.0.1:{places.internal}",
            "127.0.0.1:8000": f"127.0.0.1:{places.application}",
        }
        alone = _separate_files(pem)
        match self.name:
            case "nginx":
                own = alone | {
                    "listen 443": f"listen 127.0.0.1:{self.port}",
                    "server_name login.example.com": f"server_name {places.login}",
                    "server_name wiki.example.com": f"server_name {places.wiki}",
                    "include snippets/": f"include {self.folder}/",
                    "/etc/nginx/": f"{self.folder}/",
                    r"https://partner\.example\.com": places.partner,
                }
            case "caddy":
                own = alone | {
                    "\nlogin.example.com {": f"\nhttps://{places.login}:{self.port} {{",
                    "/etc/caddy": str(self.folder),
                    "\nwiki.example.com {": f"\nhttps://{places.wiki}:{self.port} {{",
                    "https://partner.example.com": places.partner,
                }
            case "haproxy":
                both = self._both(pem)
                own = {
                    "bind :443": f"bind 127.0.0.1:{self.port}",
                    "/etc/ssl/login.example.com.pem": both,
                    "/etc/ssl/wiki.example.com.pem": both,
                    "-m str login.example.com": f"-m str {places.login}",
                    "-m str wiki.example.com": f"-m str {places.wiki}",
                    "/etc/haproxy/": f"{self.folder}/",
                    "127.0.0.1:8889": f"127.0.0.1:{free_port()}",
                    "https://partner.example.com": places.partner,
                }
            case "traefik":
                own = alone | self._for_traefik(places)
            case _:
                own = alone | {
                    "<VirtualHost *:443>": f"<VirtualHost *:{self.port}>",
                    "ServerName login.example.com": f"ServerName {places.login}",
                    "ServerName wiki.example.com": f"ServerName {places.wiki}",
                    "/etc/apache2/": f"{self.folder}/",
                    'HOST, PORT = "127.0.0.1", 8888': f'HOST, PORT = "127.0.0.1", {places.internal}',
                    "https://partner.example.com": places.partner,
                }
        return everywhere | own

    def _for_traefik(self, places: Places) -> dict[str, str]:
        return {
            '":443"': f'"127.0.0.1:{self.port}"',
            "`login.example.com`": f"`{places.login}`",
            "`wiki.example.com`": f"`{places.wiki}`",
            "/etc/traefik/": f"{self.folder}/",
            "127.0.0.1:8889": f"127.0.0.1:{free_port()}",
            "127.0.0.1:8890": f"127.0.0.1:{free_port()}",
            "127.0.0.1:8891": f"127.0.0.1:{self._beside()}",
        }

    def _beside(self) -> int:
        """Start the web server that has the page, as the example says it, and return its port."""
        port = free_port()
        self._web = subprocess.Popen(
            [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(self.folder)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        return port

    def _both(self, pem: Certificate) -> str:
        """Write certificate and key into one file, as HAProxy wants them."""
        both = self.folder / "both.pem"
        both.write_bytes(pem.certificate.read_bytes() + pem.key.read_bytes())
        return str(both)

    def _wait(self, places: Places) -> None:
        # Traefik listens before it has read what it is to serve: first with a certificate of its own, then with 404.
        context = ssl.create_default_context(cafile=places.certificate.certificate)
        asked = f"GET /login HTTP/1.1\r\nHost: {places.login}:{self.port}\r\nConnection: close\r\n\r\n"

        def ask() -> None:
            plain = socket.create_connection(("127.0.0.1", self.port), timeout=5)
            with plain, context.wrap_socket(plain, server_hostname=places.login) as connection:
                connection.sendall(asked.encode())
                if connection.recv(12).endswith(b" 404"):
                    raise ConnectionError("it has no routes yet")

        serving(
            ask,
            alive=lambda: self._process is not None and self._process.poll() is None,
            within_s=_STARTS_WITHIN_S,
            failure=lambda: f"{self.name} did not start:\n{self.log()[-3000:]}",
        )

    def log(self) -> str:
        """Return what it printed and logged."""
        logs = (self.folder / name for name in ("output", "log"))
        return "".join(path.read_text(errors="replace") for path in logs if path.exists())

    def stop(self) -> None:
        """End it and what it started, and remove its files."""
        if self._process and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(5)
        if self._web:
            self._web.kill()
            self._web.wait(5)
        shutil.rmtree(self.folder, ignore_errors=True)


def _separate_files(pem: Certificate) -> dict[str, str]:
    """Return where the examples keep certificates and keys, and where they are here."""
    return {
        "/etc/ssl/login.example.com.pem": str(pem.certificate),
        "/etc/ssl/wiki.example.com.pem": str(pem.certificate),
        "/etc/ssl/private/login.example.com.key": str(pem.key),
        "/etc/ssl/private/wiki.example.com.key": str(pem.key),
    }


def new_proxy(name: str) -> Proxy:
    """Return a proxy with a free port, not yet started: its address is the daemon's public one."""
    return Proxy(name, free_port())
