"""Receiving the security events of one provider: from the body of a request to a verified notice.

Owns the order: what is not for us fetches no keys. The keys are fetched apart from those of logins, so
that what strangers send takes no fetch away from a login. Lives on one event loop.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from providers.base import Http, ProviderBroken
from providers.discovery import read_transmitter
from providers.remembered import Remembered
from providers.security_events import (
    AUTHENTICATION_FAILED,
    INVALID_KEY,
    WHAT,
    EventsReader,
    ExpectedSet,
    notice_of,
    read_set,
    refused,
)
from providers.security_notices import SecurityNotice
from providers.signing_keys import SigningKeys

_OK: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class EventService:
    """How a provider sends its security events."""

    media_type: str
    accepted: int
    """The HTTP status it wants to be answered with."""
    issuers: tuple[str, ...]
    """The spellings of its issuer; the first is the one its tokens have."""
    key_set: str = ""
    """Where its keys are."""
    configuration: str = ""
    """Or the document that says where they are."""
    hosts: tuple[str, ...] = ()
    """On which that document may name them, besides its own."""
    expires: bool
    """Whether its tokens expire."""
    token_of: Callable[[bytes], str]
    """Finds the token in a body; may raise ProviderBroken."""
    read_events: EventsReader
    """Reads the events of its claims; may raise ProviderBroken."""


class EventReceiver:
    """Reads one provider's security events.

    Args:
        name: the provider's.
        service: how it sends them.
        audiences: for whom they may be.
        clock: milliseconds.
    """

    def __init__(
        self, name: str, service: EventService, *, audiences: Collection[str], clock: Callable[[], int]
    ) -> None:
        self.media_type: Final = service.media_type
        self.accepted: Final = service.accepted
        self._service = service
        self._audiences = frozenset(audiences)
        self._clock = clock
        document = Remembered(f"configuration of the security events of {name}", self._key_set, clock=clock)
        self._keys = SigningKeys(f"{name} for security events", document, str, clock=clock)

    async def rehearse(self, http: Http) -> None:
        """Fetch the key set. Raises ProviderBroken."""
        await self._keys.fetch(http)

    async def read(self, body: bytes, http: Http) -> SecurityNotice:
        """Verify a notice. Raises NoticeRefused, and ProviderBroken if the keys cannot be fetched."""
        service = self._service
        try:
            text = service.token_of(body)
        except ProviderBroken as fault:
            raise refused(str(fault)) from None
        token = read_set(text)
        expected = ExpectedSet(
            issuers=service.issuers, audiences=self._audiences, now=self._clock() // 1_000, expires=service.expires
        )
        notice = notice_of(token, expected, service.read_events)
        if not await self._keys.signed(token, http):
            known = await self._keys.known(token, http)
            raise refused(f"no key of the provider signed {WHAT}", AUTHENTICATION_FAILED if known else INVALID_KEY)
        return notice

    async def _key_set(self, http: Http) -> str:
        """Return where the keys are. One GET if a document says so."""
        service = self._service
        if not service.configuration:
            return service.key_set
        answer = await http.fetch("GET", service.configuration, headers={"Accept": "application/json"})
        if answer.status != _OK:
            raise ProviderBroken(f"the configuration of the security events answered {answer.status}")
        return read_transmitter(answer.body, service.issuers, service.hosts)
