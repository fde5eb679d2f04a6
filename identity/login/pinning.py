"""Which issuer a provider's name stands for, held fast from the first login through it.

Owns rule D14. An account is found by `provider:subject`, and a subject means something only at its
issuer: a name that is pointed at another issuer, or reads another value as the subject, would give
the accounts behind it to strangers. So both are pinned when the first login succeeds, and compared
at each start and before each login whose provider was not compared yet.

| pinned      | configured the same | configured otherwise                                |
|-------------|---------------------|-----------------------------------------------------|
| nothing yet | pinned at the first login | the same: what counts is what people logged in with |
| something   | served              | the daemon refuses to start; a login is 502         |
"""

from collections.abc import Callable, Iterator, Mapping
from uuid import UUID

from identity.accounts.store import Applied, ProviderPin, Rows
from identity.errors import ProviderTrouble
from identity.types import Clock
from providers.base import SubjectScope


class ProviderPins:
    """Compares configured providers with what their names were first used for. Thread-safe.

    Args:
        rows: the pins.
        scopes: what is configured, by provider.
        clock: dates a pin.
        new_uuid: ops.
    """

    def __init__(
        self,
        rows: Rows[str, ProviderPin],
        scopes: Mapping[str, SubjectScope],
        *,
        clock: Clock,
        new_uuid: Callable[[], UUID],
    ) -> None:
        self._rows = rows
        self._scopes = scopes
        self._clock = clock
        self._new_uuid = new_uuid
        self._same: set[str] = set()

    def problems(self) -> Iterator[str]:
        """Yield a sentence for each name that is pinned to something else. One read each. Raises StoreUnavailable."""
        for name in self._scopes:
            pin = self._rows.read(name)
            if pin is not None and not self._agrees(pin):
                yield self._sentence(pin)

    def hold(self, name: str) -> None:
        """Pin a provider before an account is looked for by its subject; later calls cost nothing.

        Costs one read for each provider and process, and one conditional write in the life of a name.

        Raises:
            ProviderTrouble: the name is pinned to another issuer or subject.
            StoreUnavailable: the store is away.
        """
        if name in self._same:
            return
        pin = self._rows.read(name) or self._pinned(name)
        if not self._agrees(pin):
            raise ProviderTrouble(detail=self._sentence(pin))

    def _pinned(self, name: str) -> ProviderPin:
        """Pin the name, or return what another daemon pinned it to meanwhile."""
        scope = self._scopes[name]
        pin = ProviderPin(name, scope.issuer, scope.subject, pinned_at=self._clock(), op=self._new_uuid())
        match self._rows.insert(pin):
            case Applied.APPLIED:
                return pin
            case held:
                return held.row if isinstance(held.row, ProviderPin) else pin

    def _agrees(self, pin: ProviderPin) -> bool:
        agrees = SubjectScope(pin.issuer, pin.subject) == self._scopes[pin.key]
        if agrees:
            self._same.add(pin.key)
        return agrees

    def _sentence(self, pin: ProviderPin) -> str:
        given = self._scopes[pin.key]
        return (
            f"[provider:{pin.key}] its accounts belong to {pin.subject} of {pin.issuer}, and it is configured as "
            f"{given.subject} of {given.issuer}: people there could enter accounts of people here. Give the new "
            f"provider a name of its own; if both are the same people, stop every daemon, run `identityd.py providers "
            f"release {pin.key}`, and start again"
        )
