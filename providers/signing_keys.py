"""The key set of a provider, wherever the document that names it says it is.

Owns when it is fetched, also for a token that no key at hand signed: whatever strangers send, the key set
and its document are each fetched out of turn once within a pause (`remembered`). Lives on one event loop.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final, Generic, TypeAlias, TypeVar

from joserfc.jwk import Key

from providers.base import Http, ProviderBroken
from providers.idtoken import Unverified
from providers.jwks import read_keys
from providers.remembered import Remembered

_OK: Final = 200

DocumentT = TypeVar("DocumentT")
Trusted: TypeAlias = Callable[[Unverified, Iterable[Key]], Iterable[Key]]


def _all(_: Unverified, keys: Iterable[Key]) -> Iterable[Key]:
    return keys


class SigningKeys(Generic[DocumentT]):
    """The keys with which one provider signs.

    Args:
        name: the provider's.
        document: says where the key set is.
        address: reads that from the document.
        clock: milliseconds.
        trusted: which keys of the set may sign for a token's issuer.
    """

    def __init__(
        self,
        name: str,
        document: Remembered[DocumentT],
        address: Callable[[DocumentT], str],
        *,
        clock: Callable[[], int],
        trusted: Trusted = _all,
    ) -> None:
        self._name = name
        self._document = document
        self._address = address
        self._clock = clock
        self._trusted = trusted
        self._held: tuple[str, Remembered[tuple[Key, ...]]] | None = None

    async def fetch(self, http: Http) -> None:
        """Have the key set at hand. Raises ProviderBroken."""
        await self._at(self._address(await self._document.value(http))).value(http)

    async def signed(self, token: Unverified, http: Http) -> bool:
        """Tell whether a key of the provider signed it. Raises ProviderBroken if that cannot be found out.

        If none at hand did, the key set is fetched once more, whatever key the token names: a new key may
        bear an old name. If that does not help, where the key set is, is. Each at most once within a pause.
        """
        url, missing = self._address(await self._document.value(http)), None
        keys = self._at(url)
        if self._verifies(token, await keys.value(http)):
            return True
        try:
            newer = await keys.newer(http)
        except ProviderBroken as fault:
            newer, missing = None, fault
        if newer and self._verifies(token, newer):
            return True
        moved = await self._document.newer(http)
        if moved and self._address(moved) != url:
            return self._verifies(token, await self._at(self._address(moved)).value(http))
        if missing:
            raise missing
        return False

    async def known(self, token: Unverified, http: Http) -> bool:
        """Tell whether a key at hand may have signed it, by its name and algorithm. Raises ProviderBroken."""
        url = self._address(await self._document.value(http))
        return bool(token.fitting(self._trusted(token, await self._at(url).value(http))))

    def _verifies(self, token: Unverified, keys: Iterable[Key]) -> bool:
        return token.signed_by(self._trusted(token, keys))

    def _at(self, url: str) -> Remembered[tuple[Key, ...]]:
        """Return the key set at an address; one at another address is forgotten, so that no key outlives a move."""
        if self._held is None or self._held[0] != url:
            self._held = url, Remembered(f"key set of {self._name}", partial(_fetch, url), clock=self._clock)
        return self._held[1]


async def _fetch(url: str, http: Http) -> tuple[Key, ...]:
    answer = await http.fetch("GET", url, headers={"Accept": "application/json"})
    if answer.status != _OK:
        raise ProviderBroken(f"the key set's address answered {answer.status}")
    return read_keys(answer.body)
