"""The durable tables of the identity map: the columns of each, and what kind of value is in them.

Pure. The only place that lists columns: statements and packing (`identity.stores.spelling` says
how each store spells a kind) and the copy derive from it; what a provider says is listed by
`Profile` alone. A column that a migration adds is nullable, or its field has a default, which
rows written before it are read with. What a store needs beside a record (an expiry, a bucket to
spread rows over) is the store's own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import Enum
from functools import partial
from typing import Any, Final, Generic, TypeVar

from identity.accounts.invitation import InvitationRow, InvitationState
from identity.accounts.store import (
    AccountRow,
    AccountStatus,
    IdentityRow,
    IdentityState,
    KeptTokens,
    ProfileRow,
    ProviderPin,
    Revocation,
    UsernameRow,
    UsernameState,
    WaitingList,
)
from identity.audit import Event
from providers.base import Profile


class ColumnKind(Enum):
    """What kind of value a column holds."""

    TEXT = "text"
    UUID = "uuid"
    LONG = "long"
    INT = "int"
    BOOL = "bool"
    BYTES = "bytes"
    ENUM = "enum"
    """A member of `choices`, by its value, a text."""
    LINKED = "linked"
    """The map from identity keys to LinkedIdentity."""
    SUSPENDED = "suspended"
    """The map from identity keys to Suspension."""
    FACTS = "facts"
    """A map from text to text."""
    NAMES = "names"
    """A list of names without spaces."""


RowT = TypeVar("RowT")


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column; `field` is its record's name for it where that is another one."""

    name: str
    kind: ColumnKind
    nullable: bool = False
    field: str = ""
    choices: type[Enum] | None = None


@dataclass(frozen=True, slots=True)
class DurableTable(Generic[RowT]):
    """A table; its first column is the key."""

    name: str
    record: type[RowT]
    columns: tuple[TableColumn, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names."""
        return tuple(column.name for column in self.columns)

    @property
    def fields(self) -> tuple[str, ...]:
        """The record's names for them."""
        return tuple(column.field or column.name for column in self.columns)


_text: Final = partial(TableColumn, kind=ColumnKind.TEXT)
_uuid: Final = partial(TableColumn, kind=ColumnKind.UUID)
_long: Final = partial(TableColumn, kind=ColumnKind.LONG)


def _enum(name: str, choices: type[Enum]) -> TableColumn:
    return TableColumn(name, ColumnKind.ENUM, choices=choices)


IDENTITIES: Final = DurableTable(
    "identities",
    IdentityRow,
    (
        _text("identity_key", field="key"),
        _text("username"),
        _uuid("account_id"),
        _enum("state", IdentityState),
        _uuid("claim"),
        _long("claimed_at"),
        _uuid("op"),
        _text("label"),
        _text("invitation"),
        TableColumn("groups", ColumnKind.NAMES),
        TableColumn("waits", ColumnKind.BOOL),
    ),
)
USERNAMES: Final = DurableTable(
    "usernames",
    UsernameRow,
    (
        _text("username_key", field="key"),
        _text("username"),
        _uuid("account_id"),
        _enum("state", UsernameState),
        _uuid("claim"),
        _long("claimed_at"),
        _uuid("op"),
    ),
)
ACCOUNTS: Final = DurableTable(
    "accounts",
    AccountRow,
    (
        _uuid("account_id", field="key"),
        _text("username"),
        _enum("status", AccountStatus),
        _long("epoch"),
        _long("version"),
        _uuid("op"),
        _long("created_at"),
        TableColumn("identities", ColumnKind.LINKED),
        _uuid("merged_into", nullable=True),
        TableColumn("suspensions", ColumnKind.SUSPENDED),
        TableColumn("groups", ColumnKind.NAMES),
    ),
)
PROVIDERS: Final = DurableTable(
    "providers",
    ProviderPin,
    (
        _text("name", field="key"),
        _text("issuer"),
        _text("subject"),
        _long("pinned_at"),
        _uuid("op"),
    ),
)
UPSTREAM_TOKENS: Final = DurableTable(
    "upstream_tokens",
    KeptTokens,
    (
        _text("identity_key", field="key"),
        _uuid("account_id", nullable=True),
        TableColumn("sealed", ColumnKind.BYTES),
        _long("kept_at"),
        _uuid("claim", nullable=True),
        _long("rests_until"),
        _uuid("op"),
    ),
)
INVITATIONS: Final = DurableTable(
    "invitations",
    InvitationRow,
    (
        _text("invitation_key", field="key"),
        _enum("state", InvitationState),
        _long("created_at"),
        _long("ends_at"),
        _text("actor"),
        _text("reason"),
        _text("guest"),
        TableColumn("groups", ColumnKind.NAMES),
        _uuid("claim", nullable=True),
        _long("claimed_at"),
        _text("identity_key", nullable=True, field="identity"),
        _uuid("account_id", nullable=True),
        _uuid("op"),
    ),
)
WAITING: Final = DurableTable(
    "waiting",
    WaitingList,
    (_text("name", field="key"), TableColumn("people", ColumnKind.FACTS, field="entries"), _uuid("op")),
)
_KINDS: Final[Mapping[object, ColumnKind]] = {str: ColumnKind.TEXT, bool: ColumnKind.BOOL}
_SAID: Final = tuple(
    TableColumn("display_name" if each.name == "name" else each.name, _KINDS[each.type], field=each.name)
    for each in fields(Profile)
)
PROFILES: Final = DurableTable("profiles", ProfileRow, (_uuid("account_id"), *_SAID, _long("seen_at")))
REVOCATIONS: Final = DurableTable(
    "revocations",
    Revocation,
    (
        _uuid("id"),
        _uuid("account_id"),
        TableColumn("session", ColumnKind.BYTES, nullable=True),
        _long("epoch"),
        TableColumn("reason", ColumnKind.INT),
        _long("created_at"),
        _text("identity_key", nullable=True, field="identity"),
    ),
)
AUDIT: Final = DurableTable(
    "audit",
    Event,
    (
        _uuid("id"),
        _long("at"),
        _text("action"),
        _uuid("account_id", nullable=True),
        _text("actor"),
        _text("address"),
        _text("request_id"),
        TableColumn("facts", ColumnKind.FACTS),
    ),
)

DURABLE_TABLES: Final[tuple[DurableTable[Any], ...]] = (
    IDENTITIES,
    USERNAMES,
    ACCOUNTS,
    PROVIDERS,
    UPSTREAM_TOKENS,
    INVITATIONS,
    WAITING,
    PROFILES,
    REVOCATIONS,
    AUDIT,
)
"""In the order in which a copy carries them over. Identities come first: a person who logged in on a
copy that stopped there would be refused, not asked to sign up."""
