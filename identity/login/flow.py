"""A login in progress, a sign-up in progress, and the rules of each step.

Owns both records and when a step may go on. Pure: time and random values are arguments; the bytes
of a record are `packing.py`. Invariants: a record serves one browser, one provider and one purpose;
nothing that a step decides on is taken from the request when the record knows it.

A record is kept by its browser, sealed, in the value of a cookie of its own (`carrying.py`): who
shows it is the browser it was made for, and the `state` that travels through the provider is worth
nothing without it (THREATS 1). Nothing is written here before a provider has proven a person (THREATS 48).
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final
from uuid import UUID

from identity.accounts.cases import LoginPurpose
from identity.types import MINUTE, AccountId, IdentityKey, Millis, SessionId
from providers.base import Profile

FLOW_MS: Final[Millis] = 10 * MINUTE
SIGN_UP_MS: Final[Millis] = 15 * MINUTE
TOLD_MS: Final[Millis] = 60 * MINUTE
FOLLOWED_MS: Final[Millis] = 60 * MINUTE
SKEW_MS: Final[Millis] = MINUTE
"""A record made by another daemon may be dated this far ahead."""
SECRET_BYTES: Final = 32
_NAME_BYTES: Final = 24
_TAG_CHARS: Final = 8
_NOT_IN_A_NAME: Final = re.compile(r"[^A-Za-z0-9_-]")


class SignUpStep(Enum):
    """What an unfinished sign-up waits for."""

    CHOOSE_NAME = "choose-name"


class Flaw(Enum):
    """Why a step may not go on. For the log: the browser hears the same sentence for all."""

    NO_COOKIE = "the browser shows no binding cookie for it"
    FORGED = "what the browser carries was not sealed by us for this step"
    NEWER_KEY = "it was sealed with a key that this daemon has not read yet"
    USED = "it was used already"
    UNREADABLE = "the record is not one this release writes"
    OTHER_NAME = "the record was made for another state or reference"
    OTHER_PROVIDER = "the record was made for another provider"
    OTHER_HOST = "the record was made for another host"
    OTHER_APPLICATION = "the record was made for another application"
    OTHER_BROWSER = "the record was made for another browser"
    LOGIN_OVER = "the login it was made for is over, or doubtful"
    OTHER_WAY = "its answer does not come this way"
    EXPIRED = "the record is too old, or from the future"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """A browser that was sent to a provider."""

    provider: str
    purpose: LoginPurpose
    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    return_to: str
    """Already safe: the result of `safe_return`."""
    created_at: Millis
    force_login: bool = False
    account: AccountId | None = None
    """The only account that this login may lead to, or be linked to: of the person who is logged in."""
    session: SessionId | None = None
    """To link: the session that began it, and must be there when it ends."""
    persistent: bool = False
    """The session's cookies outlive the browser."""
    kept: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What the provider wants back at `finish`."""
    answer: Mapping[str, str] | None = field(default=None, repr=False)
    """None: the answer comes in the address. Empty: it will come by a cross-site POST. Else: what that brought."""
    invitation: str = field(default="", repr=False)
    """Key of the one that the person followed."""

    @property
    def expires_at(self) -> Millis:
        """When the record is void."""
        return self.created_at + FLOW_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenPerson:
    """Whom a provider has proven, and what it says of them, cut to sizes that can be kept."""

    identity: IdentityKey
    provider: str
    auth_at: Millis
    """When the provider authenticated them; if it does not say, when the login was finished."""
    handle: str
    said: Profile
    auth_proven: bool = False
    """Whether `auth_at` is proof that the person was there."""
    session: str = ""
    """What the provider calls its own session, where it may end it here."""
    facts: tuple[str, ...] = ()
    """What the provider said that the configuration asks about (`membership.facts.kept`)."""

    @property
    def proven_at(self) -> Millis | None:
        """When they proved to be there, as far as that is known."""
        return self.auth_at if self.auth_proven else None

    @property
    def label(self) -> str:
        """What they recognise this way to log in by."""
        return self.handle or self.said.email or self.said.name


@dataclass(frozen=True, slots=True, kw_only=True)
class SignUpRecord:
    """A proven identity that has no username yet. The form adds a username and nothing else."""

    reference: str = field(repr=False)
    person: ProvenPerson = field(repr=False)
    claim: UUID
    """Stays the same however often a name is lost, so that our own claim never blocks us; also names the account."""
    return_to: str
    created_at: Millis
    persistent: bool = False
    """As of the flow it comes from."""
    invitation: str = field(default="", repr=False)
    """As of the flow."""
    step: SignUpStep = SignUpStep.CHOOSE_NAME

    @property
    def expires_at(self) -> Millis:
        """When the record is void."""
        return self.created_at + SIGN_UP_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldOnce:
    """What a provider says of a person with the first answer and never again; Apple's name of a person.

    Its browser carries it from the moment it arrives until a login ends well, or for an hour, so that neither a
    failed exchange nor a store that is away loses it. Information, as every name.
    """

    provider: str
    user: str = field(repr=False)
    """As it was sent, with the first answer."""
    created_at: Millis


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowedLink:
    """An invitation whose link was opened in this browser: its key, which is a hash of the link's secret."""

    key: str = field(repr=False)
    created_at: Millis


def followed_flaw(followed: FollowedLink, *, now: Millis) -> Flaw | None:
    """Tell why the link must be opened again; None if it need not."""
    return None if _fresh(followed.created_at, followed.created_at + FOLLOWED_MS, now=now) else Flaw.EXPIRED


def told_flaw(told: ToldOnce, *, provider: str, now: Millis) -> Flaw | None:
    """Tell why this may not be told to a provider; None if it may."""
    if told.provider != provider:
        return Flaw.OTHER_PROVIDER
    return None if _fresh(told.created_at, told.created_at + TOLD_MS, now=now) else Flaw.EXPIRED


def callback_flaw(flow: Flow, *, state: str, provider: str, now: Millis) -> Flaw | None:
    """Tell why a provider's answer may not finish this flow; None if it may.

    The first row that applies:

        condition                                             | flaw
        ------------------------------------------------------+---------------
        `state` is not the flow's (compared in constant time) | OTHER_NAME
        the callback address is another provider's            | OTHER_PROVIDER
        older than 10 minutes, or more than 1 minute ahead    | EXPIRED
        none of these                                         | None
    """
    if not _same(flow.state, state):
        return Flaw.OTHER_NAME
    if flow.provider != provider:
        return Flaw.OTHER_PROVIDER
    return None if _fresh(flow.created_at, flow.expires_at, now=now) else Flaw.EXPIRED


def sign_up_flaw(record: SignUpRecord, *, reference: str, now: Millis) -> Flaw | None:
    """Tell why the username form may not be shown for, or finish, this sign-up; None if it may.

    The first row that applies:

        condition                                                   | flaw
        ------------------------------------------------------------+--------------
        `reference` is not the record's (compared in constant time) | OTHER_NAME
        older than 15 minutes, or more than 1 minute ahead          | EXPIRED
        none of these                                               | None

    Steps cannot be skipped: the record exists only after the identity was proven, `step` is the
    only step there is, and a record that says another one is not read at all (`packing.py`).
    """
    if not _same(record.reference, reference):
        return Flaw.OTHER_NAME
    return None if _fresh(record.created_at, record.expires_at, now=now) else Flaw.EXPIRED


def tag_of(secret: str) -> str:
    """Return the part of a state or reference that the name of its cookie ends in."""
    return _NOT_IN_A_NAME.sub("", secret)[:_TAG_CHARS]


def spent_until(expires_at: Millis, *, now: Millis) -> Millis:
    """Return until when a marker must be kept: daemons' clocks differ, and the last one must still find it.

    A provider may have taken its time, so that the record is past its end by now.
    """
    return max(expires_at, now) + SKEW_MS


def record_name(secret: str) -> str:
    """Return the name a marker is kept under: a hash, since a cache's keys show up in its statistics."""
    digest = hashlib.sha256(b"identityd one-time\0" + secret.encode()).digest()
    return base64.urlsafe_b64encode(digest[:_NAME_BYTES]).decode()


def spelt(raw: bytes) -> str:
    """Return random bytes as text for an address, a cookie or PKCE (43 characters for 32 bytes)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _same(known: str, shown: str) -> bool:
    return hmac.compare_digest(known.encode(), shown.encode())


def _fresh(created_at: Millis, expires_at: Millis, *, now: Millis) -> bool:
    return created_at - SKEW_MS <= now < expires_at
