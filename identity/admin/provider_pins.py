"""What an operator can do with the pins of providers: see them, and release one.

Owns the order that keeps a release from being silent: it is in the audit before it is done. Must
not run while daemons that serve the name are up (docs/providers.md); nothing here can see them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from identity.accounts.audited import AuditedStore
from identity.accounts.results import By
from identity.accounts.store import Applied, ProviderPin
from identity.admin.problem import Problem
from identity.audit import Event
from identity.types import Clock


@dataclass(frozen=True, slots=True)
class ProviderUnpinned(Problem):
    """Nothing is pinned under that name: no login went through it yet, or it was released."""

    name: str
    code: ClassVar = "provider-unpinned"


class PinService:
    """Reads and releases pins. Raises StoreUnavailable while nothing is changed.

    Args:
        store: holds them, and the audit.
        clock, new_uuid: date and id of the audited event.
    """

    def __init__(self, store: AuditedStore, *, clock: Clock, new_uuid: Callable[[], UUID]) -> None:
        self._store = store
        self._clock = clock
        self._new_uuid = new_uuid

    def pin(self, name: str) -> ProviderPin | None:
        """Return what a name is pinned to. One read."""
        return self._store.providers.read(name)

    def release(self, name: str, by: By) -> ProviderPin | ProviderUnpinned:
        """Forget what a name stands for, so that the next login pins it anew; return what it stood for.

        The event is durable before the pin is gone. A release that is repeated finds nothing to release.
        """
        pin = self._store.providers.read_settled(name)
        if pin is None:
            return ProviderUnpinned(name)
        facts = {"provider": name, "issuer": pin.issuer, "subject": pin.subject, "reason": by.why}
        self._store.audit.append(
            Event(
                id=self._new_uuid(),
                at=self._clock(),
                action="provider-released",
                account_id=None,
                actor=by.actor,
                facts=facts,
            )
        )
        released = self._store.providers.delete(pin)
        return pin if released is Applied.APPLIED else ProviderUnpinned(name)
