"""The types an option can have: how each is read from text and what documentation calls it.

Owns reading one value alone. Must not look at other options, files or the environment.
A reader raises ValueError with a sentence that completes "[section] option: …" and says what
to write; the sentence of a secret never quotes it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final, Generic, TypeVar

from identity.config import values
from identity.types import SECOND, Host, Millis, Secret

T = TypeVar("T")
E = TypeVar("E", bound=Enum)

_WHOLE: Final = re.compile(r"[0-9]{1,9}")
_SECONDS: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,3})?")
_FRACTION: Final = re.compile(r"0(\.[0-9]{1,6})?|1(\.0{1,6})?")
_YES: Final = frozenset({"yes", "true", "on", "1"})
_NO: Final = frozenset({"no", "false", "off", "0"})
_LONGEST: Final = 4_096
_FEWEST_CHARACTERS: Final = 8
"""A secret of fewer different characters is a placeholder (`xxxxxxxx…`), whatever its length."""


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """One type of option. `name` is what the documentation calls it."""

    name: str
    read: Callable[[str], T]
    secret: bool = False
    """May also come from a file (`…_file`) and from the environment; is never shown."""


def text(what: str = "text", *, pattern: str = ".*", instead: str = "", empty: bool = False) -> Kind[str]:
    """Return the kind of one line of text that matches `pattern` as a whole."""
    compiled = re.compile(pattern)

    def read(given: str) -> str:
        if not given and empty:
            return ""
        if not given or len(given) > _LONGEST or not compiled.fullmatch(given):
            raise ValueError(instead or f"needs {what}, on one line")
        return given

    return Kind(what, read)


def whole(lowest: int, highest: int) -> Kind[int]:
    """Return the kind of a whole number within both limits."""

    def read(given: str) -> int:
        if not _WHOLE.fullmatch(given) or not lowest <= int(given) <= highest:
            raise ValueError(f"{given!r} is not a whole number from {lowest} to {highest}")
        return int(given)

    return Kind(f"whole number, {lowest} to {highest}", read)


def seconds(lowest: float, highest: int) -> Kind[Millis]:
    """Return the kind of a duration: seconds in the file, milliseconds in the code."""

    def read(given: str) -> Millis:
        if not _SECONDS.fullmatch(given) or not lowest <= float(given) <= highest:
            raise ValueError(f"{given!r} is not a number of seconds from {lowest:g} to {highest}")
        return round(float(given) * SECOND)

    return Kind(f"seconds, {lowest:g} to {highest}", read)


def _read_fraction(given: str) -> float:
    if not _FRACTION.fullmatch(given):
        raise ValueError(f"{given!r} is not a number from 0 to 1, like 0.25")
    return float(given)


def _read_flag(given: str) -> bool:
    folded = given.lower()
    if folded not in _YES | _NO:
        raise ValueError(f"{given!r} is not yes or no")
    return folded in _YES


def _read_path(given: str) -> Path:
    if not given or given.startswith("~"):
        raise ValueError("needs the path of a file, absolute or relative to the configuration file, without ~")
    return Path(given)


def _read_optional_path(given: str) -> Path | None:
    return _read_path(given) if given else None


def choice(words: type[E]) -> Kind[E]:
    """Return the kind of one of an enumeration's values."""
    allowed = [str(word.value) for word in words]

    def read(given: str) -> E:
        if given not in allowed:
            raise ValueError(f"{given!r} is not one of: {', '.join(allowed)}")
        return words(given)

    return Kind(" | ".join(allowed), read)


def many(name: str, one: Callable[[str], T]) -> Kind[tuple[T, ...]]:
    """Return the kind of a list, separated by spaces, commas or new lines; doubles are refused."""

    def read(given: str) -> tuple[T, ...]:
        found = tuple(one(word) for word in given.replace(",", " ").split())
        if len(set(found)) != len(found):
            raise ValueError("names something twice; leave one out")
        return found

    return Kind(f"list of {name}", read)


def secret(shortest: int, *, theirs: bool = False) -> Kind[Secret]:
    """Return the kind of a secret of at least so many characters; `theirs` is one that somebody else makes."""
    remedy = (
        "copy the whole of what the provider shows" if theirs else "made at random; `openssl rand -hex 32` makes one"
    )

    def read(given: str) -> Secret:
        if not given:
            raise ValueError("is empty; nobody may be let in by an empty secret")
        if len(given) < shortest or len(set(given)) < min(shortest, _FEWEST_CHARACTERS):
            raise ValueError(
                f"is too short or too simple to be a secret: it needs at least {shortest} characters"
                f"{'; ' if theirs else ', '}{remedy}"
            )
        if len(given) > _LONGEST or not given.isascii() or not given.isprintable():
            raise ValueError(f"must be printable ASCII of at most {_LONGEST} characters")
        return Secret(given)

    return Kind(f"secret, at least {shortest} characters", read, secret=True)


def optional_secret(shortest: int) -> Kind[Secret | None]:
    """Return the kind of a secret that may be left out; left out, it lets nobody in."""
    required = secret(shortest)

    def read(given: str) -> Secret | None:
        return required.read(given) if given else None

    return Kind(required.name, read, secret=True)


def _read_password(given: str) -> Secret | None:
    """Read a password another system has set; how strong it is was decided there."""
    if len(given) > _LONGEST or not given.isprintable():
        raise ValueError(f"must be printable text of at most {_LONGEST} characters")
    return Secret(given) if given else None


def _read_proxy(given: str) -> Secret | None:
    """Read a proxy's address, which may hold a user name and password and is a secret for that."""
    if not given:
        return None
    scheme, slashes, rest = given.partition("://")
    account, _, server = rest.rpartition("@")
    try:
        values.read_host_port(server.removesuffix("/"))
    except ValueError:
        server = ""
    # The reasons above quote what they read, and that may be a password here.
    if scheme not in {"http", "https"} or not slashes or not server or not account.isprintable():
        raise ValueError("is not a proxy's address; write it like http://proxy.example.com:3128")
    return Secret(given)


def _read_address(given: str) -> str:
    try:
        return values.read_hostname(given)
    except ValueError:
        raise ValueError(f"{given!r} is not an address to listen on, like 127.0.0.1 or ::1") from None


def _read_public_url(given: str) -> values.Origin:
    origin = values.read_origin(given)
    if not origin.secure and not origin.loopback:
        raise ValueError(
            f"plain http is for this machine alone (localhost, 127.0.0.0/8, ::1), because session cookies would travel "
            f"unprotected; write https://{origin.hostname} and let a proxy or tls_certificate provide it"
        )
    return origin


def _read_static_path(given: str) -> str:
    if not re.fullmatch(r"/[A-Za-z0-9._~!$&'()*+;=:@/-]*", given) or "//" in given or "/." in given:
        raise ValueError(f"{given!r} is not a path such as /static/ or /favicon.ico")
    if given == "/":
        raise ValueError("'/' would be every page; no session would ever rotate, or be used")
    return given


flag: Final[Kind[bool]] = Kind("yes | no", _read_flag)
fraction: Final[Kind[float]] = Kind("number, 0 to 1", _read_fraction)
path: Final[Kind[Path]] = Kind("path", _read_path)
optional_path: Final[Kind[Path | None]] = Kind("path", _read_optional_path)
address: Final[Kind[str]] = Kind("address", _read_address)
public_url: Final[Kind[values.Origin]] = Kind("web address without a path", _read_public_url)
optional_password: Final[Kind[Secret | None]] = Kind("secret", _read_password, secret=True)
proxy: Final[Kind[Secret | None]] = Kind("proxy address", _read_proxy, secret=True)
origins: Final[Kind[tuple[values.Origin, ...]]] = many("web addresses without a path", values.read_origin)
hosts: Final[Kind[tuple[Host, ...]]] = many("host names", values.read_host)
internal_hosts: Final[Kind[tuple[str, ...]]] = many("host names", values.read_internal_host)
nodes: Final[Kind[tuple[values.Node, ...]]] = many("name=host:port", values.read_node)
contact_points: Final[Kind[tuple[values.ContactPoint, ...]]] = many("host[:port]", values.read_contact_point)
networks: Final[Kind[tuple[values.Network, ...]]] = many("networks", values.read_network)
proxy_networks: Final[Kind[tuple[values.Network, ...]]] = many("networks", values.read_proxy_network)
static_paths: Final[Kind[tuple[str, ...]]] = many("paths", _read_static_path)
