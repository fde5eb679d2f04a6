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
from typing import Final


class Kind(Enum):
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
    kind: Kind
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
    and where they are gone the row is gone. Hence also `op = null` for "there is none": whatever
    has no op is a remnant that nobody's statement left, and does not keep a key from anybody.
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

    def _select(self, kind: Kind, where: str) -> Statement:
        # Names are constants of this file; values are always bound.
        return Statement(self.name, kind, f"SELECT {', '.join(self.columns)} FROM @{self.name}{where}")  # noqa: S608

    @property
    def read(self) -> Statement:
        """Parameters: key."""
        return self._select(Kind.READ, f" WHERE {self.key} = ?")

    @property
    def settled(self) -> Statement:
        """Parameters: key."""
        return self._select(Kind.SETTLED, f" WHERE {self.key} = ?")

    @property
    def everywhere(self) -> Statement:
        """Parameters: key."""
        return self._select(Kind.EVERYWHERE, f" WHERE {self.key} = ?")

    @property
    def write(self) -> Statement:
        """Parameters: life in seconds (0: for good), all values, key, the op that must stand there (null: no row)."""
        assigned = ", ".join(f"{column} = ?" for column in self.values)
        cql = f"UPDATE @{self.name} USING TTL ? SET {assigned} WHERE {self.key} = ? IF op = ?"  # noqa: S608
        return Statement(self.name, Kind.CONDITIONAL, cql)

    @property
    def delete(self) -> Statement:
        """Parameters: key, the op that must stand there."""
        return Statement(self.name, Kind.CONDITIONAL, f"DELETE FROM @{self.name} WHERE {self.key} = ? IF op = ?")  # noqa: S608

    @property
    def scan(self) -> Statement:
        """Parameters: none. For fsck and copy."""
        return self._select(Kind.SCAN, "")

    @property
    def scan_after(self) -> Statement:
        """Parameters: a key. For fsck and copy."""
        return self._select(Kind.SCAN, f" WHERE token({self.key}) > token(?)")

    @property
    def all(self) -> tuple[Statement, ...]:
        """Every statement on the table."""
        return self.read, self.settled, self.everywhere, self.write, self.delete, self.scan, self.scan_after


IDENTITIES: Final = ConditionalTable(
    "identities", ("identity_key", "username", "account_id", "state", "claim", "claimed_at", "op", "label")
)
USERNAMES: Final = ConditionalTable(
    "usernames", ("username_key", "username", "account_id", "state", "claim", "claimed_at", "op")
)
ACCOUNTS: Final = ConditionalTable(
    "accounts",
    ("account_id", "username", "status", "epoch", "version", "op", "created_at", "identities", "merged_into"),
)
CONDITIONAL_TABLES: Final = (IDENTITIES, USERNAMES, ACCOUNTS)

READ_PROFILE: Final = Statement(
    "profiles",
    Kind.READ,
    "SELECT display_name, email, email_verified, picture, seen_at FROM @profiles WHERE account_id = ?",
)
WRITE_PROFILE: Final = Statement(
    "profiles",
    Kind.PLAIN,
    "INSERT INTO @profiles (account_id, display_name, email, email_verified, picture, seen_at) "
    "VALUES (?, ?, ?, ?, ?, ?)",
)

SCAN_PROFILES: Final = Statement(
    "profiles",
    Kind.SCAN,
    "SELECT account_id, display_name, email, email_verified, picture, seen_at FROM @profiles",
)
SCAN_PROFILES_AFTER: Final = Statement("profiles", Kind.SCAN, f"{SCAN_PROFILES.cql} WHERE token(account_id) > token(?)")

READ_REVOCATIONS: Final = Statement(
    "revocations",
    Kind.READ,
    "SELECT id, account_id, session, epoch, reason, created_at, identity_key FROM @revocations WHERE bucket = ?",
)
ADD_REVOCATION: Final = Statement(
    "revocations",
    Kind.PLAIN,
    "INSERT INTO @revocations (bucket, id, account_id, session, epoch, reason, created_at, identity_key) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
)
DELETE_REVOCATION: Final = Statement("revocations", Kind.PLAIN, "DELETE FROM @revocations WHERE bucket = ? AND id = ?")

_EVENT: Final = "at, id, action, actor, address, request_id, facts"
ADD_EVENT_OF_ACCOUNT: Final = Statement(
    "audit_of_accounts",
    Kind.PLAIN,
    f"INSERT INTO @audit_of_accounts (account_id, month, {_EVENT}) "  # noqa: S608 - constants
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) USING TTL ?",
)
ADD_MONTH: Final = Statement(
    "audit_months", Kind.PLAIN, "INSERT INTO @audit_months (account_id, month) VALUES (?, ?) USING TTL ?"
)
ADD_EVENT_OF_DAY: Final = Statement(
    "audit_of_days",
    Kind.PLAIN,
    f"INSERT INTO @audit_of_days (day, bucket, account_id, {_EVENT}) "  # noqa: S608 - constants
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) USING TTL ?",
)
READ_MONTHS: Final = Statement("audit_months", Kind.READ, "SELECT month FROM @audit_months WHERE account_id = ?")
READ_EVENTS: Final = Statement(
    "audit_of_accounts",
    Kind.READ,
    f"SELECT {_EVENT} FROM @audit_of_accounts WHERE account_id = ? AND month = ? LIMIT ?",  # noqa: S608 - constants
)

SCAN_EVENTS: Final = Statement(
    "audit_of_days",
    Kind.SCAN,
    f"SELECT account_id, {_EVENT} FROM @audit_of_days",  # noqa: S608 - constants
)
SCAN_EVENTS_OF_DAY_AFTER: Final = Statement(
    "audit_of_days", Kind.SCAN, f"{SCAN_EVENTS.cql} WHERE day = ? AND bucket = ? AND (at, id) < (?, ?)"
)
SCAN_DAYS_AFTER: Final = Statement(
    "audit_of_days", Kind.SCAN, f"{SCAN_EVENTS.cql} WHERE token(day, bucket) > token(?, ?)"
)

READ_NOTE: Final = Statement("notes", Kind.READ, "SELECT note FROM @notes WHERE name = ?")
WRITE_NOTE: Final = Statement("notes", Kind.EVERYWHERE, "INSERT INTO @notes (name, note) VALUES (?, ?)")
DELETE_NOTE: Final = Statement("notes", Kind.EVERYWHERE, "DELETE FROM @notes WHERE name = ?")

READ_VERSIONS: Final = Statement(
    "schema_migrations",
    Kind.READ,
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
