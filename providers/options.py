"""What a configured provider may be told: the option tables' own types, and how their text is read.

Every provider file owns a tuple of `Option`s; the configuration reads those tables (which options
exist, which are secret), the documentation is compared with them, and `Settings` hands the values
to the builder. Nothing here knows any single provider. Secrets never appear in a message or repr.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, TypeAlias

from providers.addresses import Refused, check_url
from providers.base import Provider


class Form(Enum):
    """How the text of an option is written."""

    TEXT = "text"
    URL = "url"
    """Absolute, https; plain http only on a loopback host."""
    WORDS = "words"
    """Any number of words, divided by spaces or commas."""
    FLAG = "yes or no"
    CHOICE = "one of"


@dataclass(frozen=True, slots=True)
class Option:
    """One option of one kind of provider. All values are text until `Settings` reads them."""

    name: str
    help: str
    """One sentence for docs and the example configuration."""
    form: Form = Form.TEXT
    required: bool = False
    secret: bool = False
    """May come from `<name>_file` or the environment; is never printed."""
    default: str = ""
    choices: tuple[str, ...] = ()


class BadOptions(Exception):
    """A provider cannot be built as configured; every problem at once, never with a secret's value."""

    def __init__(self, problems: tuple[tuple[str, str], ...]) -> None:
        self.problems = problems
        """Pairs of option name and reason."""
        super().__init__("; ".join(f"{option}: {reason}" for option, reason in problems))


@dataclass(frozen=True, slots=True)
class Site:
    """What the daemon tells every provider of itself."""

    public_url: str
    """Scheme, host and port the browsers use, without a trailing slash."""
    clock: Callable[[], int]
    """Milliseconds since 1970."""
    random_bytes: Callable[[int], bytes]
    demo: bool = False
    """Whether this daemon runs as a demonstration; some providers exist only then."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The values of one configured provider, complete and checked: defaults filled in, forms right."""

    name: str
    label: str
    site: Site
    values: Mapping[str, str] = field(repr=False)

    def text(self, option: str) -> str:
        """Return the value as written."""
        return self.values[option]

    def url(self, option: str) -> str:
        """Return an address without a trailing slash; empty if the option is empty."""
        return self.values[option].rstrip("/")

    def words(self, option: str) -> tuple[str, ...]:
        """Return the words of a list."""
        return tuple(self.values[option].replace(",", " ").split())

    def flag(self, option: str) -> bool:
        """Return a yes or no."""
        return FLAGS[self.values[option].lower()]


Builder: TypeAlias = Callable[[Settings], Provider]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of provider the configuration may name: its table and its builder."""

    name: str
    label: str
    """What a person calls it unless the configuration says otherwise."""
    subject: str
    """What identifies a person there; shown in docs/providers.md."""
    options: tuple[Option, ...]
    build: Builder
    """Makes the provider; raises BadOptions for what no single option shows."""


FLAGS: Final[Mapping[str, bool]] = {
    **dict.fromkeys(("yes", "true", "on", "1"), True),
    **dict.fromkeys(("no", "false", "off", "0"), False),
}


def settle(options: tuple[Option, ...], values: Mapping[str, str]) -> Mapping[str, str]:
    """Fill in defaults and check every value's form. Raises BadOptions with all problems."""
    known = {option.name: option for option in options}
    problems = [(name, "there is no such option for this kind of provider") for name in values if name not in known]
    settled = {option.name: values.get(option.name, "").strip() or option.default for option in options}
    problems += [(name, reason) for name, value in settled.items() if (reason := _fault(known[name], value))]
    if problems:
        raise BadOptions(tuple(problems))
    return settled


def _fault(option: Option, value: str) -> str:
    if not value:
        return "is required" if option.required else ""
    if not value.isprintable():
        return "holds a control character"
    if option.form is Form.FLAG and value.lower() not in FLAGS:
        return "must be yes or no"
    if option.form is Form.CHOICE and value not in option.choices:
        return f"must be one of {', '.join(option.choices)}"
    return _url_fault(value) if option.form is Form.URL else ""


def _url_fault(value: str) -> str:
    try:
        check_url(value)
    except Refused as fault:
        return str(fault)
    return ""
