"""The tables of the account file, one migration after the other.

Owns the schema and its version. Append-only: a migration that was released is never changed. A
file that a newer identityd wrote is refused, because this one would not keep what it added.
"""

import sqlite3
from pathlib import Path
from typing import Final

from identity.errors import ConfigError
from identity.types import Clock

APPLICATION_ID: Final = 0x49444431
"""Written into the file's header ("IDD1"), so that a foreign database is not taken for ours."""

_FIRST: Final = (
    """
    CREATE TABLE identities (
        identity_key TEXT NOT NULL PRIMARY KEY,
        username TEXT NOT NULL,
        account_id TEXT NOT NULL,
        state TEXT NOT NULL,
        claim TEXT NOT NULL,
        claimed_at INTEGER NOT NULL,
        op TEXT NOT NULL,
        label TEXT NOT NULL,
        expires_at INTEGER
    ) WITHOUT ROWID
    """,
    "CREATE INDEX identities_expiring ON identities (expires_at) WHERE expires_at IS NOT NULL",
    """
    CREATE TABLE usernames (
        username_key TEXT NOT NULL PRIMARY KEY,
        username TEXT NOT NULL,
        account_id TEXT NOT NULL,
        state TEXT NOT NULL,
        claim TEXT NOT NULL,
        claimed_at INTEGER NOT NULL,
        op TEXT NOT NULL,
        expires_at INTEGER
    ) WITHOUT ROWID
    """,
    "CREATE INDEX usernames_expiring ON usernames (expires_at) WHERE expires_at IS NOT NULL",
    """
    CREATE TABLE accounts (
        account_id TEXT NOT NULL PRIMARY KEY,
        username TEXT NOT NULL,
        status TEXT NOT NULL,
        epoch INTEGER NOT NULL,
        version INTEGER NOT NULL,
        op TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        identities TEXT NOT NULL,
        merged_into TEXT,
        expires_at INTEGER
    ) WITHOUT ROWID
    """,
    "CREATE INDEX accounts_expiring ON accounts (expires_at) WHERE expires_at IS NOT NULL",
    """
    CREATE TABLE profiles (
        account_id TEXT NOT NULL PRIMARY KEY,
        display_name TEXT NOT NULL,
        email TEXT NOT NULL,
        email_verified INTEGER NOT NULL,
        picture TEXT NOT NULL,
        seen_at INTEGER NOT NULL
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE revocations (
        id TEXT NOT NULL PRIMARY KEY,
        account_id TEXT NOT NULL,
        session BLOB,
        epoch INTEGER NOT NULL,
        reason INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        identity_key TEXT
    )
    """,
    "CREATE INDEX revocations_by_age ON revocations (created_at)",
    """
    CREATE TABLE audit (
        id TEXT NOT NULL PRIMARY KEY,
        at INTEGER NOT NULL,
        action TEXT NOT NULL,
        account_id TEXT,
        actor TEXT NOT NULL,
        address TEXT NOT NULL,
        request_id TEXT NOT NULL,
        facts TEXT NOT NULL
    )
    """,
    "CREATE INDEX audit_of_account ON audit (account_id, at)",
    "CREATE INDEX audit_by_time ON audit (at)",
)

_COPY_NOTE: Final = ("CREATE TABLE copy_note (id INTEGER PRIMARY KEY CHECK (id = 1), note TEXT NOT NULL)",)

_PROVIDERS: Final = (
    """
    CREATE TABLE providers (
        name TEXT NOT NULL PRIMARY KEY,
        issuer TEXT NOT NULL,
        subject TEXT NOT NULL,
        pinned_at INTEGER NOT NULL,
        op TEXT NOT NULL,
        expires_at INTEGER
    ) WITHOUT ROWID
    """,
)

_SUSPENSIONS: Final = ("ALTER TABLE accounts ADD COLUMN suspensions TEXT NOT NULL DEFAULT '{}'",)

_GROUPS: Final = ("ALTER TABLE accounts ADD COLUMN groups TEXT NOT NULL DEFAULT ''",)

_UPSTREAM_TOKENS: Final = (
    """
    CREATE TABLE upstream_tokens (
        identity_key TEXT NOT NULL PRIMARY KEY,
        account_id TEXT,
        sealed BLOB NOT NULL,
        kept_at INTEGER NOT NULL,
        claim TEXT,
        rests_until INTEGER NOT NULL,
        op TEXT NOT NULL,
        expires_at INTEGER
    ) WITHOUT ROWID
    """,
    "CREATE INDEX upstream_tokens_expiring ON upstream_tokens (expires_at) WHERE expires_at IS NOT NULL",
)

_INVITATIONS: Final = (
    """
    CREATE TABLE invitations (
        invitation_key TEXT NOT NULL PRIMARY KEY,
        state TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        ends_at INTEGER NOT NULL,
        actor TEXT NOT NULL,
        reason TEXT NOT NULL,
        guest TEXT NOT NULL,
        groups TEXT NOT NULL,
        claim TEXT,
        claimed_at INTEGER NOT NULL,
        identity_key TEXT,
        account_id TEXT,
        op TEXT NOT NULL,
        expires_at INTEGER
    ) WITHOUT ROWID
    """,
    "CREATE INDEX invitations_expiring ON invitations (expires_at) WHERE expires_at IS NOT NULL",
    "ALTER TABLE identities ADD COLUMN invitation TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE identities ADD COLUMN groups TEXT NOT NULL DEFAULT ''",
)

_APPROVAL: Final = (
    """
    CREATE TABLE waiting (
        name TEXT NOT NULL PRIMARY KEY,
        people TEXT NOT NULL,
        op TEXT NOT NULL,
        expires_at INTEGER
    ) WITHOUT ROWID
    """,
    "ALTER TABLE identities ADD COLUMN waits INTEGER NOT NULL DEFAULT 0",
)

MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (
    _FIRST,
    _COPY_NOTE,
    _PROVIDERS,
    _SUSPENSIONS,
    _GROUPS,
    _UPSTREAM_TOKENS,
    _INVITATIONS,
    _APPROVAL,
)
"""What brings the file from version n to n + 1, at index n."""


def migrate(connection: sqlite3.Connection, path: Path, *, clock: Clock) -> None:
    """Bring the file to this version's tables, in one transaction.

    Raises:
        ConfigError: it is another program's database, or a newer identityd wrote it.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _version(connection, path)
        for statements in MIGRATIONS[version:]:
            version += 1
            for statement in statements:
                connection.execute(statement)
            connection.execute("INSERT INTO schema_migrations (version, applied_at) VALUES (?, ?)", (version, clock()))
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _version(connection: sqlite3.Connection, path: Path) -> int:
    owner: int = connection.execute("PRAGMA application_id").fetchone()[0]
    if owner != APPLICATION_ID:
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] or owner:
            raise ConfigError((f"[sqlite] file: {path} is a database of another program; name another file",))
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("CREATE TABLE schema_migrations (version INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL)")
    found: int = connection.execute("SELECT coalesce(max(version), 0) FROM schema_migrations").fetchone()[0]
    if found > len(MIGRATIONS):
        problem = (
            f"[sqlite] file: {path} was written by a newer identityd (its tables are version {found}, "
            f"this one knows {len(MIGRATIONS)}); start that version, or restore the backup made before the upgrade"
        )
        raise ConfigError((problem,))
    return found
