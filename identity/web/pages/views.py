"""The values pages are given that are more than a word. Plain and frozen; text is not escaped yet."""

from dataclasses import dataclass

from identity.types import Millis


@dataclass(frozen=True, slots=True)
class Way:
    """A provider a person may log in with."""

    name: str
    label: str
    href: str


@dataclass(frozen=True, slots=True)
class OpenedApplication:
    """An application a session was used for."""

    label: str
    """What people call it."""
    href: str = ""
    """The way back to it; empty if none is known."""


@dataclass(frozen=True, slots=True)
class LinkedLogin:
    """A way to log in that belongs to the account."""

    provider: str
    """The provider's name; decides the icon."""
    label: str
    """What the provider is called."""
    known_as: str
    """The handle or address there; may be empty."""
    linked_at: Millis
    applications: tuple[str, ...] = ()
    """Those that may work at the provider for this person; empty if its tokens are not kept."""
    used_at: Millis | None = None
    """When it was logged in with last, as far as that is known."""
    remove: str = ""
    """Where it can be removed; empty for the last way."""
    suspended: bool = False
    """Its provider said that it must not be used."""


@dataclass(frozen=True, slots=True)
class Device:
    """One session of the account."""

    id: str
    """As the form sends it back."""
    agent: str
    address: str
    provider: str
    """Label of the provider it was logged in with; may be empty."""
    created_at: Millis
    active_at: Millis
    is_this: bool
    """It is the session that asks."""
    applications: tuple[OpenedApplication, ...] = ()
    """Those it was used for."""
