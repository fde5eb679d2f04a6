"""Putting a backup of the accounts back: their file, and the sessions that do not fit it any more.

Owns the order. A session record knows its account's epoch, and every epoch of a backup is as old as the backup:

    a session record of                    | beside the older accounts it would
    ---------------------------------------+--------------------------------------------------------------
    an account whose epoch rose since then | refuse every login, whose epoch is below its own: 503 for weeks
    an account made since then             | stay open for an account that is not there
    any other                              | do no harm

So all are forgotten: every memcached node is emptied, with every daemon kept away by the lock on the account
file, and by the restore that stands beside it from then on. A session that ended after the backup cannot come back,
because no session does. Invariant: no daemon can serve the restored accounts beside records from before.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from identity.audit import Event
from identity.config import Config, SessionStoreKind
from identity.errors import ConfigError
from identity.keyring import Purpose
from identity.opening import Ring, now, unobserved
from identity.sessions.store import Unread
from identity.stores.markers import NodeMarkers
from identity.stores.node_console import NodeConsole
from identity.stores.sealing import Sealer
from identity.stores.sqlite import SqliteAccounts
from identity.stores.sqlite_backup import (
    BackupContents,
    Told,
    begin_restore,
    copy_for_restore,
    events_missing_in,
    examine,
    finish_restore,
    left_by_a_restore,
)
from identity.stores.sqlite_connections import hold
from identity.types import Clock

FORGOTTEN: Final = frozenset(
    {
        *("sign-up", "link", "unlink", "disable", "enable", "groups", "security-event", "provider-released"),
        *("invite", "invite-revoke"),
    }
)
"""Actions that a restore undoes where they came after the backup. Ends of sessions are not: all have ended."""
_TOOK_EFFECT: Final = frozenset(
    {"", "done", "enabled", "linked", "made", "not-everywhere-yet", "revoked", "sessions-not-reached"}
)


class SessionNodes:
    """The memcached nodes of a configuration, each answering, none of another installation.

    Args:
        config: names them; none if sessions are in the daemon's memory, where they end with it.
        closing: hangs up.

    Raises:
        StoreUnavailable: a node does not answer; what it holds would come back with it.
        ConfigError: a node belongs to another installation.
    """

    def __init__(self, config: Config, closing: ExitStack) -> None:
        within = config.sessions.store is SessionStoreKind.MEMORY
        self._nodes: Sequence[NodeConsole] = [] if within else self._connected(config, closing)

    @property
    def names(self) -> tuple[str, ...]:
        """What they are called."""
        return tuple(node.name for node in self._nodes)

    def empty(self) -> None:
        """Forget every session; run again it goes on. Raises StoreUnavailable."""
        for node in self._nodes:
            node.empty()

    @staticmethod
    def _connected(config: Config, closing: ExitStack) -> list[NodeConsole]:
        given = config.memcached
        markers = NodeMarkers(
            [each.name for each in given.nodes],
            generation=given.generation,
            sealer=Sealer(Ring(config), purpose=Purpose.NODE, clock=now),
        )
        nodes = []
        for each in given.nodes:
            node = NodeConsole(each.name, each.host, each.port)
            closing.callback(node.close)
            marker = node.marker()
            if marker and markers.read(marker.value) is Unread.CORRUPT:
                problem = f"[memcached] nodes: {each.name} was marked with another key ring"
                raise ConfigError((f"{problem}; if it is this installation's, restart it empty. Nothing was changed",))
            nodes.append(node)
        return nodes


@dataclass(frozen=True, slots=True)
class Prepared:
    """A restore of which nothing has happened yet."""

    contents: BackupContents
    forgotten: tuple[Event, ...] | None
    """What the accounts that are there now know and the backup does not; None if they cannot be read."""
    nodes: tuple[str, ...]
    carry_out: Callable[[Event], Path | None]
    """Restores, with an event for the audit; returns where the accounts are that were there, None without any.
    Raises StoreUnavailable; the same restore, run again, goes on."""


@contextmanager
def prepared(
    config: Config, backup: Path, *, told: Told, clock: Clock = now, checkpoint: Callable[[str], None] = unobserved
) -> Iterator[Prepared]:
    """Look the backup through, copy it to beside the account file, and keep the daemons away meanwhile.

    Raises:
        ConfigError: the backup is not whole or not ours; a daemon runs; a memcached node is another installation's.
        StoreUnavailable: a memcached node does not answer; a file cannot be read or written.
    """
    current = config.sqlite.file
    with ExitStack() as closing:
        examine(backup)
        if there := current.exists():
            closing.enter_context(hold(current, alone=True))
        nodes = SessionNodes(config, closing)
        part = copy_for_restore(backup, current, told=told)
        closing.callback(part.unlink, missing_ok=True)

        def carry_out(event: Event) -> Path | None:
            with_event = SqliteAccounts(part, clock=clock)
            try:
                with_event.audit.append(event)
            finally:
                with_event.close()
            begin_restore(part, current)
            checkpoint("restore.begun")
            if not there and current.exists():  # a daemon was started while the operator was asked
                closing.enter_context(hold(current, alone=True))
            nodes.empty()
            checkpoint("restore.sessions-forgotten")
            return finish_restore(current, stamp=str(event.at), checkpoint=checkpoint)

        yield Prepared(examine(part), _forgotten(part, left_by_a_restore(current)), nodes.names, carry_out)


def _forgotten(backup: Path, current: Path) -> tuple[Event, ...] | None:
    events = events_missing_in(backup, current, actions=FORGOTTEN)
    return None if events is None else tuple(each for each in events if each.facts.get("outcome", "") in _TOOK_EFFECT)
