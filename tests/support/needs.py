"""What the suites need that pip does not install: where each part is, and how to get what is missing.

The one place where a need is decided. A marker of pyproject.toml stands for parts; whoever starts a
part asks here where it is. `IDENTITYD_TESTS_WITHOUT=java,npm` hides parts that are there, so that a run
on a machine without them can be tried on any. Standard library only.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Final

from tests.support.cassandra import installation as cassandra
from tests.support.programs import major_version

_ROOT: Final = Path(__file__).parents[2]
_HERE: Final = Path(__file__).parent
_CACHE: Final = _ROOT / ".cache"
_LOCK: Final = _HERE / "openid" / "package-lock.json"
NPM_FOLDER: Final = _CACHE / "openid"
"""Where `make services` lets npm install the OpenID provider and axe."""
HIDDEN: Final = "IDENTITYD_TESTS_WITHOUT"
"""The environment's variable that hides parts."""
_OLDEST_NODE: Final = 20
# Debian keeps servers where only root's PATH leads.
_PATH: Final = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"


def _program(*names: str, variable: str) -> Callable[[], str | None]:
    """Return how to find a program by its names; if the environment's variable is set, it names the only one."""

    def find() -> str | None:
        wanted = (os.environ[variable],) if os.environ.get(variable) else names
        return next((path for name in wanted if (path := shutil.which(name, path=_PATH))), None)

    return find


@cache
def _node() -> str | None:
    own = (str(path) for path in _CACHE.glob("node/node_modules/node-*/bin/node"))
    candidates = (os.environ.get("NODE"), shutil.which("node"), *own)
    return next(
        (path for path in candidates if path and major_version(path, "--version", r"\Av(\d+)\.") >= _OLDEST_NODE), None
    )


def _npm_packages() -> str | None:
    """Return where npm has installed exactly what the lock file says."""
    copy = NPM_FOLDER / "package-lock.json"
    whole = all((NPM_FOLDER / "node_modules" / name).is_dir() for name in ("oidc-provider", "axe-core"))
    return str(NPM_FOLDER) if whole and _same(copy, _LOCK) else None


def _same(copy: Path, pins: Path) -> bool:
    """Tell whether what is installed is what is pinned: the copy of the pins is put there last."""
    return copy.is_file() and copy.read_bytes() == pins.read_bytes()


def _oidc_provider_mock() -> str | None:
    """Return the Python that has the provider of PyPI in its environment."""
    folder = _CACHE / "oidc-provider-mock"
    python = folder / "bin" / "python"
    current = _same(folder / "installed.txt", _ROOT / "requirements" / "oidc-provider-mock.txt")
    return str(python) if current and python.exists() else None


@cache
def _namespaces() -> str | None:
    """Return the program that makes namespaces, if this user may."""
    unshare = shutil.which("unshare", path=_PATH)
    if not unshare or not shutil.which("ip", path=_PATH):
        return None
    as_root = () if os.getuid() == 0 else ("--map-root-user",)
    command = [unshare, "--mount", "--net", *as_root, "ip", "link", "set", "lo", "up"]
    return None if subprocess.run(command, capture_output=True, check=False).returncode else unshare


def _hatchling() -> str | None:
    """Return the Python that makes the wheel."""
    folder = _CACHE / "hatchling"
    python = folder / "bin" / "python"
    current = _same(folder / "installed.txt", _ROOT / "requirements" / "hatchling.txt")
    return str(python) if current and python.exists() else None


def _wheels() -> str | None:
    """Return the Python that makes bundles, if what goes into one was fetched."""
    folder = _CACHE / "cyclonedx-bom"
    python = folder / "bin" / "python"
    current = _same(folder / "installed.txt", _ROOT / "requirements" / "cyclonedx-bom.txt")
    fetched = _same(_CACHE / "wheels" / "run.txt", _ROOT / "requirements" / "run.txt")
    return str(python) if current and fetched and python.exists() else None


def _keycloak() -> str | None:
    """Return the folder of a Keycloak that is unpacked and built."""
    folder = _CACHE / "keycloak"
    return str(folder) if _same(folder / "pom.xml", _HERE / "keycloak" / "pom.xml") else None


def _built(name: str) -> str | None:
    """Return a program that was built by Go, from exactly what is pinned."""
    folder = _CACHE / name
    return str(folder / name) if _same(folder / "go.sum", _HERE / name / "go.sum") else None


def _lua_socket() -> str | None:
    return next((str(path) for path in Path("/usr/share/lua").glob("5.*/socket.lua")), None)


@dataclass(frozen=True, slots=True)
class Part:
    """A program or files: its name for people, how to find it, what gets it, and what its process is called."""

    title: str
    find: Callable[[], str | None]
    get: str
    processes: tuple[str, ...] = ()


_SERVICES: Final = "make services"
_NIGHTLY: Final = "make services-nightly"
_CHROMIUM: Final = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
_FIREFOX: Final = ("firefox-esr", "firefox")


def _packaged(title: str, *names: str, package: str = "") -> Part:
    """Return a part that is a program of a Debian package."""
    find = _program(*names, variable=title.upper())
    return Part(title, find, f"apt-get install {package or names[0]}", names)


PARTS: Final[Mapping[str, Part]] = {
    "memcached": _packaged("memcached", "memcached"),
    "java": Part("Java 17", cache(cassandra.java), _SERVICES, ("java",)),
    "cassandra": Part("Cassandra", cassandra.jars, _SERVICES),
    "chromium": _packaged("Chromium", *_CHROMIUM),
    "firefox": _packaged("Firefox", *_FIREFOX),
    "curl": _packaged("curl", "curl"),
    "openssl": _packaged("openssl", "openssl"),
    "node": Part("Node 20", _node, _SERVICES, ("node",)),
    "npm": Part("OpenID provider of the tests", _npm_packages, _SERVICES),
    "oidc-provider-mock": Part("OpenID provider of PyPI", _oidc_provider_mock, _SERVICES),
    "unshare": Part("namespaces", _namespaces, "apt-get install iproute2, and be root or allow user namespaces"),
    "wheels": Part("libraries of a bundle", _wheels, _SERVICES),
    "hatchling": Part("what makes the wheel", _hatchling, _SERVICES),
    "keycloak": Part("Keycloak", _keycloak, _NIGHTLY),
    "dex": Part("Dex", partial(_built, "dex"), _NIGHTLY, ("dex",)),
    "traefik": Part("Traefik", partial(_built, "traefik"), _NIGHTLY, ("traefik",)),
    "nginx": _packaged("nginx", "nginx", package="nginx-light"),
    "caddy": _packaged("caddy", "caddy"),
    "haproxy": _packaged("haproxy", "haproxy"),
    "apache": _packaged("apache", "apache2"),
    "systemd": _packaged("systemd", "systemd-analyze", "systemd-socket-activate", package="systemd"),
    "lua-socket": Part("lua-socket", _lua_socket, "apt-get install lua-socket"),
}
MARKERS: Final[Mapping[str, tuple[str, ...]]] = {
    "memcached": ("memcached",),
    "cassandra": ("java", "cassandra"),
    "chromium": ("chromium",),
    "firefox": ("firefox",),
    "curl": ("curl", "openssl"),
    "node": ("node",),
    "openid": ("node", "npm"),
    "axe": ("npm",),
    "oidc_provider_mock": ("oidc-provider-mock",),
    "wheels": ("wheels",),
    "hatchling": ("hatchling",),
    "namespaces": ("unshare",),
    "keycloak": ("java", "keycloak"),
    "dex": ("dex",),
    "traefik": ("traefik",),
    "nginx": ("nginx",),
    "caddy": ("caddy",),
    "haproxy": ("haproxy",),
    "apache": ("apache", "lua-socket"),
    "systemd": ("systemd",),
}
"""What a test with this marker needs, all of it."""


def hidden() -> frozenset[str]:
    """Return the parts that this run does without; raises ValueError for a name that would hide nothing."""
    names = frozenset(os.environ.get(HIDDEN, "").replace(",", " ").split())
    if unknown := sorted(names - PARTS.keys()):
        raise ValueError(f"{HIDDEN} names {', '.join(unknown)}; there are {', '.join(PARTS)}")
    return names


def find(part: str) -> str | None:
    """Return where a part is, None if it is missing."""
    return None if part in hidden() else PARTS[part].find()


def missing(marker: str) -> str:
    """Return what is missing for tests with this marker and how to get it; empty if all is there."""
    lacking = [PARTS[part] for part in MARKERS[marker] if find(part) is None]
    titles = " and ".join(part.title for part in lacking)
    ways = " && ".join(dict.fromkeys(part.get for part in lacking))
    they, them = ("is", "it") if len(lacking) == 1 else ("are", "them")
    return f"{titles} {they} not installed; get {them} with: {ways}" if lacking else ""


def markers_of(program: str) -> frozenset[str]:
    """Return the markers one of which a test must have that starts this program; empty for any other program."""
    path = Path(program)
    # Playwright brings a Node of its own along, to drive the browser; that provider is a Python with packages.
    within = {"playwright": "chromium", "oidc-provider-mock": "oidc-provider-mock"}
    part = next((within[folder] for folder in path.parts if folder in within), None) or _part_of(path.name)
    return frozenset(marker for marker, parts in MARKERS.items() if part in parts)


def _part_of(process: str) -> str | None:
    return next((name for name, part in PARTS.items() if process in part.processes), None)
