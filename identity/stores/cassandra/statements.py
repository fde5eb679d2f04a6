"""Every statement the daemon sends to Cassandra, and how sure each answer must be.

Pure. Owns the text and the kind of each; `connection.py` turns the kind into consistency levels.
All columns are named, so that a newer schema may add some while this release still runs. A table
is in `CONDITIONAL_TABLES` or it is written plainly, never both: a plain write with a later
timestamp would hide a transaction that was reported as applied (tests/stores inspects the list).

| kind        | consistency                          | sent again after a time-out |
|-------------|--------------------------------------|-----------------------------|
| READ        | as configured (LOCAL_QUORUM)         | yes                         |
| SETTLED     | SERIAL: after every transaction      | yes                         |
| EVERYWHERE  | EACH_QUORUM                          | no: its revocation is       |
| CONDITIONAL | SERIAL, committed at LOCAL_QUORUM    | only after a SETTLED read   |
| PLAIN       | as configured; idempotent            | yes                         |
| SCAN        | as configured, page by page          | yes, page by page           |
"""

from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any, Final

from identity.accounts import tables
from identity.accounts.tables import DurableTable


class StatementKind(Enum):
    """How sure the answer must be."""

    READ = "read"
    SETTLED = "settled"
    EVERYWHERE = "everywhere"
    CONDITIONAL = "conditional"
    PLAIN = "plain"
    SCAN = "scan"


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement to prepare."""

    table: str
    kind: StatementKind
    cql: str
    """An @ stands for the keyspace and its dot: prepared statements must not depend on a USE."""

    def text(self, keyspace: str) -> str:
        """Return the statement as it is sent."""
        return self.cql.replace("@", f"{keyspace}.")


@dataclass(frozen=True, slots=True)
class ConditionalTable:
    """The statements on a table of conditional rows, whose first column is its key.

    There is no INSERT: it would leave a row marker of its own life, which blocks the key after a
    claim on a row once confirmed has expired. Cells alone make the row, all are written at once,
    and where they are gone the row is gone. Hence also `op = null` for "there is none": a row
    without an op is a remnant that no statement here left, and does not block its key.
    """

    name: str
    columns: tuple[str, ...]

    @property
    def key(self) -> str:
        """The key column."""
        return self.columns[0]

    @property
    def values(self) -> tuple[str, ...]:
        """All columns but the key."""
        return self.columns[1:]

    def _select(self, kind: StatementKind, where: str) -> Statement:
        # Names are constants of this file; values are always bound.
        return Statement(self.name, kind, f"SELECT {', '.join(self.columns)} FROM @{self.name}{where}")  # noqa: S608

    @property
    def read(self) -> Statement:
        """Parameters: key."""
        return self._select(StatementKind.READ, f" WHERE {self.key} = ?")

    @property
    def settled(self) -> Statement:
        """Parameters: key."""
        return self._select(StatementKind.SETTLED, f" WHERE {self.key} = ?")

    @property
    def everywhere(self) -> Statement:
        """Parameters: key."""
        return self._select(StatementKind.EVERYWHERE, f" WHERE {self.key} = ?")

    @property
    def write(self) -> Statement:
        """Parameters: life in seconds (0: for good), all values, key, the op that must stand there (null: no row)."""
        assigned = ", ".join(f"{column} = ?" for column in self.values)
        cql = f"UPDATE @{self.name} USING TTL ? SET {assigned} WHERE {self.key} = ? IF op = ?"  # noqa: S608
        return Statement(self.name, StatementKind.CONDITIONAL, cql)

    @property
    def delete(self) -> Statement:
        """Parameters: key, the op that must stand there."""
        cql = f"DELETE FROM @{self.name} WHERE {self.key} = ? IF op = ?"  # noqa: S608
        return Statement(self.name, StatementKind.CONDITIONAL, cql)

    @property
    def scan(self) -> Statement:
        """Parameters: none. For fsck and copy."""
        return self._select(StatementKind.SCAN, "")

    @property
    def scan_after(self) -> Statement:
        """Parameters: a key. For fsck and copy."""
        return self._select(StatementKind.SCAN, f" WHERE token({self.key}) > token(?)")

    @property
    def all(self) -> tuple[Statement, ...]:
        """Every statement on the table."""
        return self.read, self.settled, self.everywhere, self.write, self.delete, self.scan, self.scan_after


IDENTITIES: Final = ConditionalTable(tables.IDENTITIES.name, tables.IDENTITIES.names)
USERNAMES: Final = ConditionalTable(tables.USERNAMES.name, tables.USERNAMES.names)
ACCOUNTS: Final = ConditionalTable(tables.ACCOUNTS.name, tables.ACCOUNTS.names)
PROVIDERS: Final = ConditionalTable(tables.PROVIDERS.name, tables.PROVIDERS.names)
UPSTREAM_TOKENS: Final = ConditionalTable(tables.UPSTREAM_TOKENS.name, tables.UPSTREAM_TOKENS.names)
INVITATIONS: Final = ConditionalTable(tables.INVITATIONS.name, tables.INVITATIONS.names)
WAITING: Final = ConditionalTable(tables.WAITING.name, tables.WAITING.names)
CONDITIONAL_TABLES: Final = (IDENTITIES, USERNAMES, ACCOUNTS, PROVIDERS, UPSTREAM_TOKENS, INVITATIONS, WAITING)


def _select(name: str, table: DurableTable[Any], where: str = "", *, kind: StatementKind) -> Statement:
    return Statement(name, kind, f"SELECT {', '.join(table.names)} FROM @{name}{where}")  # noqa: S608 - constants


def _insert(name: str, columns: tuple[str, ...], ending: str = "") -> Statement:
    marks = ", ".join("?" * len(columns))
    cql = f"INSERT INTO @{name} ({', '.join(columns)}) VALUES ({marks}){ending}"  # noqa: S608 - constants
    return Statement(name, StatementKind.PLAIN, cql)


_PROFILES: Final = partial(_select, "profiles", tables.PROFILES)
READ_PROFILE: Final = _PROFILES(" WHERE account_id = ?", kind=StatementKind.READ)
WRITE_PROFILE: Final = _insert("profiles", tables.PROFILES.names)
SCAN_PROFILES: Final = _PROFILES(kind=StatementKind.SCAN)
SCAN_PROFILES_AFTER: Final = _PROFILES(" WHERE token(account_id) > token(?)", kind=StatementKind.SCAN)

READ_REVOCATIONS: Final = _select("revocations", tables.REVOCATIONS, " WHERE bucket = ?", kind=StatementKind.READ)
ADD_REVOCATION: Final = _insert("revocations", ("bucket", *tables.REVOCATIONS.names))
DELETE_REVOCATION: Final = Statement(
    "revocations", StatementKind.PLAIN, "DELETE FROM @revocations WHERE bucket = ? AND id = ?"
)

_TTL: Final = " USING TTL ?"
ADD_EVENT_OF_ACCOUNT: Final = _insert("audit_of_accounts", ("month", *tables.AUDIT.names), _TTL)
ADD_MONTH: Final = _insert("audit_months", ("account_id", "month"), _TTL)
ADD_EVENT_OF_DAY: Final = _insert("audit_of_days", ("day", "bucket", *tables.AUDIT.names), _TTL)
READ_MONTHS: Final = Statement(
    "audit_months", StatementKind.READ, "SELECT month FROM @audit_months WHERE account_id = ?"
)
READ_EVENTS: Final = _select(
    "audit_of_accounts", tables.AUDIT, " WHERE account_id = ? AND month = ? LIMIT ?", kind=StatementKind.READ
)

_DAYS: Final = partial(_select, "audit_of_days", tables.AUDIT, kind=StatementKind.SCAN)
SCAN_EVENTS: Final = _DAYS()
SCAN_EVENTS_OF_DAY_AFTER: Final = _DAYS(" WHERE day = ? AND bucket = ? AND (at, id) < (?, ?)")
SCAN_DAYS_AFTER: Final = _DAYS(" WHERE token(day, bucket) > token(?, ?)")

READ_NOTE: Final = Statement("notes", StatementKind.READ, "SELECT note FROM @notes WHERE name = ?")
WRITE_NOTE: Final = Statement("notes", StatementKind.EVERYWHERE, "INSERT INTO @notes (name, note) VALUES (?, ?)")
DELETE_NOTE: Final = Statement("notes", StatementKind.EVERYWHERE, "DELETE FROM @notes WHERE name = ?")

READ_VERSIONS: Final = Statement(
    "schema_migrations",
    StatementKind.READ,
    "SELECT version, serves_from, checksum FROM @schema_migrations WHERE part = 'identityd'",
)

ALL: Final = (
    *(statement for table in CONDITIONAL_TABLES for statement in table.all),
    READ_PROFILE,
    WRITE_PROFILE,
    SCAN_PROFILES,
    SCAN_PROFILES_AFTER,
    READ_REVOCATIONS,
    ADD_REVOCATION,
    DELETE_REVOCATION,
    ADD_EVENT_OF_ACCOUNT,
    ADD_MONTH,
    ADD_EVENT_OF_DAY,
    READ_MONTHS,
    READ_EVENTS,
    SCAN_EVENTS,
    SCAN_EVENTS_OF_DAY_AFTER,
    SCAN_DAYS_AFTER,
    READ_NOTE,
    WRITE_NOTE,
    DELETE_NOTE,
    READ_VERSIONS,
)
