"""The account store on Cassandra, and the audit beside it.

Owns the composition of the tables over one connection. A cluster that is away when the daemon
starts does not keep it from starting: every call raises StoreUnavailable until it is there.
"""

from collections.abc import Callable
from typing import Final

from cassandra.cluster import Session

from identity.accounts.invitation import InvitationRow
from identity.accounts.store import AccountRow, IdentityRow, KeptTokens, ProviderPin, UsernameRow, WaitingList
from identity.stores.cassandra import columns
from identity.stores.cassandra.connection import CassandraConnection
from identity.stores.cassandra.migrations import Migrations
from identity.stores.cassandra.plain import (
    CassandraAudit,
    CassandraCopyNote,
    CassandraProfiles,
    CassandraRevocations,
    refuse_unfinished,
)
from identity.stores.cassandra.rows import CassandraRows
from identity.stores.cassandra.settings import Settings
from identity.stores.cassandra.statements import StatementKind
from identity.types import AccountId, Chance, Clock, IdentityKey, UsernameKey


class CassandraAccounts:
    """The tables together.

    Args:
        settings: where the cluster is.
        migrations: the tables this release needs.
        clock: turns moments of expiry into times to live.
        chance: lengthens pauses before statements are sent again.
        count: told the kind of each statement sent.
        to_copy: open it also if a copy into it is unfinished.

    Raises:
        ConfigError: the cluster answers, and its tables are older or newer than this release can use, or a copy
            into them is unfinished. If it answers only later, it stays unavailable for that reason.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        migrations: Migrations,
        clock: Clock,
        chance: Chance,
        count: Callable[[StatementKind], None] = lambda _: None,
        to_copy: bool = False,
    ) -> None:
        def check(session: Session) -> None:
            migrations.check(session, settings.keyspace)
            if not to_copy:
                refuse_unfinished(session, settings)

        self._connection = connection = CassandraConnection(settings, check=check, chance=chance, count=count)
        self.identities: Final = CassandraRows[IdentityKey, IdentityRow](columns.IDENTITIES, connection, clock=clock)
        self.usernames: Final = CassandraRows[UsernameKey, UsernameRow](columns.USERNAMES, connection, clock=clock)
        self.accounts: Final = CassandraRows[AccountId, AccountRow](columns.ACCOUNTS, connection, clock=clock)
        self.providers: Final = CassandraRows[str, ProviderPin](columns.PROVIDERS, connection, clock=clock)
        self.upstream_tokens: Final = CassandraRows[IdentityKey, KeptTokens](
            columns.UPSTREAM_TOKENS, connection, clock=clock
        )
        self.invitations: Final = CassandraRows[str, InvitationRow](columns.INVITATIONS, connection, clock=clock)
        self.waiting: Final = CassandraRows[str, WaitingList](columns.WAITING, connection, clock=clock)
        self.profiles: Final = CassandraProfiles(connection)
        self.revocations: Final = CassandraRevocations(connection)
        self.copy_note: Final = CassandraCopyNote(connection)
        self.audit: Final = CassandraAudit(connection, days=settings.audit_days)

    def probe(self) -> None:
        """Ask for the version of the tables at the consistency logins use."""
        self._connection.probe()

    def close(self) -> None:
        """Let go of the cluster; later calls raise StoreUnavailable."""
        self._connection.close()
