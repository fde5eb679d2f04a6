"""The session with which `doctor` tries a proxy.

Owns opening and ending it, and the cookies it shows. The account is made up: no row of the account
store belongs to it, no way to log in leads to it, and its name is none that could be chosen.
Invariants: the session is audited before it is opened and after it was ended, counts on one host
only, and ends by itself within minutes.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias
from uuid import UUID, uuid4

from identity.audit import Event
from identity.config import Config
from identity.errors import StoreError, StoreUnavailable
from identity.keyring import SECRET_BYTES, KeyRing
from identity.opening import now, open_accounts
from identity.operating import Trial, open_trial
from identity.sessions import cookie
from identity.sessions.check import Check, Opening
from identity.sessions.cookie import TOKEN_ID_BYTES, Token
from identity.sessions.record import Ended, Session
from identity.sessions.service import Opened
from identity.types import MINUTE, SECOND, AccountId, Host, IdentityKey, Millis, TokenId, Username
from options.secret import Secret

ACCOUNT: Final = AccountId(UUID("d0c70000-0000-8000-8000-1dd000000001"))
NAME: Final = Username("identityd doctor")
"""No person can choose a name with a space."""
LIFETIME_MS: Final[Millis] = 3 * MINUTE
IDENTITY: Final = IdentityKey("doctor:0")
Pair: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True)
class ShownSession:
    """What a browser with this session could show: names and values of cookies."""

    prefix: str
    """What the names of tokens begin with."""
    old: Pair = field(repr=False)
    """A token that is due to be renewed."""
    young: Pair = field(repr=False)
    """A token that is not due yet, so that the answer carries none."""
    stale: Pair = field(repr=False)
    """A token that does not belong to the session's line: it is bounced, and ends nothing alone."""
    newer: Pair = field(repr=False)
    """A token of a key that no daemon knows: beside a stale one all a daemon can say is "try again"."""


@contextmanager
def trying(config: Config, host: str, actor: str) -> Iterator[ShownSession]:
    """Open a session of the test account on a host for as long as the block lasts.

    Args:
        config: the daemon's; sessions are in memcached.
        host: where the session counts.
        actor: who is named in the audit.

    Raises:
        StoreError: a store cannot be used; no session is left.
    """
    # The first token is old enough to be renewed at once.
    behind = config.sessions.token_age_ms + config.sessions.grace_ms + 2 * SECOND
    with ExitStack() as closing:
        store = open_accounts(config, now)
        closing.callback(store.close)
        trial = open_trial(config, closing, clock=lambda: now() - behind, lifetime_ms=behind + LIFETIME_MS)
        facts = {"host": host}
        store.audit.append(Event(uuid4(), now(), action="doctor-begun", **_row(actor, facts)))
        session, shown = _opened(trial, Host(host), at=now() - behind)
        try:
            yield shown
        finally:
            facts |= {"session": session.id.hex(), "outcome": "ended"}
            try:
                trial.sessions.end(ACCOUNT, session.id, reason=Ended.LOGOUT)
            except StoreError:
                facts["outcome"] = "left to end by itself"
            store.audit.append(Event(uuid4(), now(), action="doctor", **_row(actor, facts)))


def _row(actor: str, facts: Mapping[str, str]) -> dict[str, Any]:
    return {"account_id": ACCOUNT, "actor": actor, "address": "", "request_id": "", "facts": dict(facts)}


def _opened(trial: Trial, host: Host, *, at: Millis) -> tuple[Session, ShownSession]:
    opening = Opening(ACCOUNT, NAME, 1, IDENTITY, at, host=host, agent="identityd doctor", address="", persistent=False)
    opened = trial.sessions.open(opening, ticket=trial.sessions.ticket(ACCOUNT), jar=Check((), host))
    if not isinstance(opened, Opened):
        raise StoreUnavailable(detail="another doctor tries a proxy just now; try again")
    [first] = opened.set_cookies
    grown = trial.ring.with_key(Secret(os.urandom(SECRET_BYTES)), now=0)
    shown = ShownSession(
        trial.names.token,
        old=(first.name, first.value),
        young=_token(trial, opened.session, trial.ring, at=now(), parent=opened.session.lineage.base),
        stale=_token(trial, opened.session, trial.ring, at=at),
        newer=_token(trial, opened.session, grown, at=at),
    )
    return opened.session, shown


def _token(trial: Trial, session: Session, ring: KeyRing, *, at: Millis, parent: TokenId | None = None) -> Pair:
    own, other, grandparent = (TokenId(os.urandom(TOKEN_ID_BYTES)) for _ in range(3))
    token = Token(session.id, own, parent or other, grandparent, at, ring.locator(ACCOUNT))
    return trial.names.of(token.id), cookie.write(token, ring=ring, now=now())
