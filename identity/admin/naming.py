"""How an operator names an account: a username, `provider:id`, or an account id.

Pure. Owns the table below and nothing else: what a text can mean. Whether there is such an
account is for `finding.py`. Invariant: no reading leads from an e-mail address or a display name.
"""

import re
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias
from uuid import UUID

from identity.accounts.linking import identity_key, parse_key
from identity.accounts.usernames import fold
from identity.types import AccountId, IdentityKey, UsernameKey

_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_ESCAPE: Final = re.compile(r"%[0-9A-Fa-f]{2}")


class How(Enum):
    """As what a text is to be read, where the operator says so; the value is what they say."""

    USERNAME = "username"
    IDENTITY = "identity"
    ACCOUNT = "account"


@dataclass(frozen=True, slots=True)
class ByAccount:
    """An account id."""

    key: AccountId


@dataclass(frozen=True, slots=True)
class ByIdentity:
    """`provider:id`."""

    key: IdentityKey


@dataclass(frozen=True, slots=True)
class ByUsername:
    """A username, folded."""

    key: UsernameKey


Reading: TypeAlias = ByAccount | ByIdentity | ByUsername


def readings(text: str, how: How | None = None) -> tuple[Reading, ...]:
    """Return everything a text can mean; none if it can mean nothing.

    | said     | text                | read as                             |
    |----------|---------------------|-------------------------------------|
    | account  | a uuid              | account id                          |
    | identity | spelt as shown      | that identity                       |
    | username | any                 | username                            |
    | nothing  | a uuid              | account id; also a username         |
    | nothing  | has a colon         | identity, see `identities`          |
    | nothing  | anything else       | username                            |
    """
    text = text.strip()
    match how:
        case How.ACCOUNT:
            return _accounts(text)
        case How.IDENTITY:
            return tuple(map(ByIdentity, identities(text, exact=True)))
        case How.USERNAME:
            return _usernames(text)
        case None if ":" in text:
            return tuple(map(ByIdentity, identities(text)))
        case None:
            return (*_accounts(text), *_usernames(text))


def identities(text: str, *, exact: bool = False) -> tuple[IdentityKey, ...]:
    """Return the identities a text can mean, the one that is spelt so first.

    | text                                   | means                                             |
    |----------------------------------------|---------------------------------------------------|
    | `provider:id`, spelt as shown          | that                                              |
    | `provider:a:b`, spelt as shown         | tenant `a`, id `b`; or the id `a:b`, not yet encoded |
    | another spelling, with `%` and two hex digits | nothing: encoded or not, it cannot be told  |
    | another spelling                       | the id as the provider gives it, not yet encoded  |

    With `exact`, only what is spelt as shown.
    """
    found: list[IdentityKey] = []
    provider, _, subject = text.partition(":")
    with suppress(ValueError):
        parse_key(text)
        found.append(IdentityKey(text))
    if not exact and (not found or ":" in subject) and not _ESCAPE.search(subject):
        with suppress(ValueError):
            found.append(identity_key(provider, subject))
    return tuple(found)


def _accounts(text: str) -> tuple[ByAccount, ...]:
    return (ByAccount(AccountId(UUID(text))),) if _UUID.fullmatch(text) else ()


def _usernames(text: str) -> tuple[ByUsername, ...]:
    key = fold(text)
    return (ByUsername(key),) if key else ()
