"""Networks as an operator writes them: a name, a line, or a section of an INI file.

Owns the spelling. A definition starts from a known network (`like`, otherwise good) and says what
differs. Everything that is wrong is reported at once.
"""

import re
from collections.abc import Callable, Mapping
from configparser import ConfigParser
from configparser import Error as IniError
from dataclasses import fields, replace
from typing import Any, Final

from identity.errors import ConfigError
from lab.networks import GOOD, NETWORKS, Network

KNOWN: Final[Mapping[str, Network]] = {network.name: network for network in NETWORKS}
FIELDS: Final = tuple(field.name for field in fields(Network) if field.name != "name")

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9+-]{0,15}\Z")
_LONGEST_S: Final = 3_600.0


def from_line(text: str, known: Mapping[str, Network] = KNOWN) -> Network:
    """Return the network named, or defined as `name:field=value,field=value`. Raises ConfigError."""
    name, colon, rest = text.partition(":")
    if not colon:
        if name in known:
            return known[name]
        raise ConfigError((f"--network {name}: not known; there are {', '.join(known)}, or define it as {name}:…",))
    pairs = [each.partition("=") for each in rest.split(",") if each.strip()]
    return _defined(name, {key.strip(): value.strip() for key, _, value in pairs}, known, where=f"--network {name}")


def from_file(text: str, where: str) -> dict[str, Network]:
    """Return the known networks and those of an INI text; each section is one. Raises ConfigError."""
    parser = ConfigParser(interpolation=None)
    try:
        parser.read_string(text)
    except IniError as error:
        raise ConfigError((f"{where}: {str(error).splitlines()[0]}",)) from None
    known = dict(KNOWN)
    problems: list[str] = []
    for name in parser.sections():
        try:
            known[name] = _defined(name, dict(parser[name]), known, where=f"{where} [{name}]")
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(tuple(problems))
    return known


def _defined(name: str, given: dict[str, str], known: Mapping[str, Network], *, where: str) -> Network:
    problems = []
    if not _NAME.match(name):
        problems.append(f"{where}: a name has up to 16 small letters, digits, + and -")
    like = given.pop("like", GOOD.name)
    if like not in known:
        problems.append(f"{where}: like {like}: not known; there are {', '.join(known)}")
    values: dict[str, Any] = {}
    for key, text in given.items():
        try:
            values[key] = _READ[key](text)
        except KeyError:
            problems.append(f"{where}: {key}: not known; there are like, {', '.join(FIELDS)}")
        except ValueError as error:
            problems.append(f"{where}: {key} = {text}: {error}")
    if problems:
        raise ConfigError(tuple(problems))
    return replace(known[like], name=name, **values)


def _share(text: str) -> float:
    if not 0 <= (share := _number(text)) < 1:
        raise ValueError("is not a share, from 0 to below 1")
    return share


def _seconds(text: str) -> float:
    if not 0 < (seconds := _number(text)) <= _LONGEST_S:
        raise ValueError(f"is not a time, above 0 and up to {_LONGEST_S:.0f} seconds")
    return seconds


def _clock(text: str) -> float:
    if abs(seconds := _number(text)) > _LONGEST_S:
        raise ValueError(f"is not a clock's error, up to {_LONGEST_S:.0f} seconds either way")
    return seconds


def _spread(text: str) -> float:
    if not 0 <= (seconds := _number(text)) <= _LONGEST_S:
        raise ValueError(f"is not a spread of clocks, from 0 to {_LONGEST_S:.0f} seconds")
    return seconds


def _range(text: str) -> tuple[float, float]:
    low, _, high = text.partition("-")
    if (ends := (_seconds(low), _seconds(high)))[0] > ends[1]:
        raise ValueError("is not a range like 5-60")
    return ends


def _yes_or_no(text: str) -> bool:
    if text not in ("yes", "no"):
        raise ValueError("is neither yes nor no")
    return text == "yes"


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise ValueError("is not a number") from None
    if number != number or abs(number) == float("inf"):  # noqa: PLR0124 - not a number is what differs from itself
        raise ValueError("is not a number")
    return number


_READ: Final[Mapping[str, Callable[[str], object]]] = {
    "loss_up": _share,
    "loss_down": _share,
    "tail_share": _share,
    "tail_mean": _seconds,
    "huge_share": _share,
    "huge_range": _range,
    "slow_share": _share,
    "slow_range": _range,
    "clock_sigma": _spread,
    "bad_clock": _clock,
    "in_order": _yes_or_no,
}
