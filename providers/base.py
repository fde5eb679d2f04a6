"""What a login provider is, for those who write one and those who call one.

A provider has two legs: `begin` says where to send the browser and what to remember, `finish`
turns the browser's answer into a `ProviderProfile`. What is remembered is opaque to the caller, so OAuth
1.0a, OAuth 2 and OpenID Connect have one shape. Providers know nothing of accounts or sessions;
they import only this module and the protocol families beside it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Any, Final, Protocol, runtime_checkable

HANDLE: Final = 200
"""Characters that are kept of a handle."""
_READ: Final = 2_000
"""Characters of a text that are looked at at all."""


class ProviderDenied(Exception):
    """The person said no at the provider, or the provider refused this person. Not a fault."""


class ProviderBroken(Exception):
    """The provider answered wrongly, late, or not at all; the message is for the log only.

    Never holds a token, code or secret.

    Args:
        message: what happened.
        said: the provider's word for it (`invalid_grant`), if it was a harmless one.
        location: where it redirected to instead; not in the message, because it may hold anything.
    """

    def __init__(self, message: str, *, said: str = "", location: str = "") -> None:
        super().__init__(message)
        self.said = said
        self.location = location


class LoginStale(ProviderBroken):
    """The provider was asked to log the person in again, and does not say that it did."""


class ProviderSlow(ProviderBroken):
    """The provider gave no answer in time, or is not asked at present because it gave none before."""


class GrantRefused(ProviderBroken):
    """The provider does not honour a refresh token any more: its person must log in there again."""


class NoticeRefused(ProviderBroken):
    """What came as a provider's notice is not genuine, not for us, or does not count any more."""


def callback_address(public_url: str, provider: str) -> str:
    """Return where browsers come back to from the provider of this name; what is registered there."""
    return f"{public_url}/login/{provider}/callback"


@dataclass(frozen=True, slots=True)
class LoginStart:
    """What a login begins with. All values are made by the caller, fresh for each login."""

    redirect_uri: str
    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    """PKCE code verifier (RFC 7636), 43 to 128 characters."""
    force_login: bool = False
    """Ask the provider for a fresh login (`prompt=login`, `max_age=0`) where it knows how."""


@dataclass(frozen=True, slots=True)
class LoginBegun:
    """Where to send the browser, and what the provider wants back at `finish`."""

    location: str
    kept: Mapping[str, str] = field(default_factory=dict, repr=False)
    posted: bool = False
    """The answer comes as a form that the browser posts from the provider's page (`response_mode=form_post`)."""


@dataclass(frozen=True, slots=True)
class Callback:
    """What the browser brought back: query or form parameters.

    Reading one that was sent twice, or is no text, raises an error of the caller's; one that is not read
    decides nothing. So a provider takes what it needs with `get`, and copies nothing.
    """

    params: Mapping[str, str] = field(repr=False)
    start: LoginStart
    kept: Mapping[str, str] = field(default_factory=dict, repr=False)
    now: int = 0
    """Unix time in seconds."""


def _text(longest: int, *, whole: bool = False) -> Any:  # noqa: ANN401 - stands where a field's default does
    """Describe a text of a profile: the characters that are kept of it, and whether the rest makes it void."""
    return field(default="", metadata={"longest": longest, "whole": whole})


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a provider says about a person: information to be shown, never a key.

    The one list of it. Cleaning, the record of a sign-up, the durable columns and the operator's
    JSON derive from these fields; a new one has a default, for rows that were written before it.
    """

    name: str = _text(200)
    email: str = _text(320)
    email_verified: bool
    """No default on purpose: each provider decides it from what it was told."""
    picture: str = _text(_READ, whole=True)


def fit(said: Profile) -> Profile:
    """Return what is said in a profile, and only that, with every text fit to be stored and shown."""
    kept = {each.name: getattr(said, each.name) for each in fields(Profile)}
    for each in fields(Profile):
        if each.metadata:
            text, longest = kept[each.name], each.metadata["longest"]
            whole = not each.metadata["whole"] or (len(text) <= longest and text.isprintable())
            kept[each.name] = plain(text, longest) if whole else ""
    return Profile(**kept)


def plain(text: str, longest: int) -> str:
    """Return what can be printed of a text, without space around it, cut to a number of characters.

    Texts come from strangers: control and format characters and lone surrogates are left out.
    """
    return "".join(mark for mark in text[:_READ] if mark.isprintable()).strip()[:longest]


@dataclass(frozen=True, slots=True)
class UpstreamGrant:
    """Tokens with which the provider lets its person's programs work there."""

    access_token: str = field(repr=False)
    refresh_token: str = field(default="", repr=False)
    """Empty: it gave none now. One that it gave before stays good (RFC 6749 §6)."""
    lifetime_s: int | None = None
    """How long the access token is good, in seconds; None: it does not say."""
    scope: str = ""
    """What was granted, in the provider's own spelling; empty: as before."""


@dataclass(frozen=True, slots=True)
class RenewedGrant:
    """What a refresh brought."""

    grant: UpstreamGrant
    said: "ProviderProfile | None" = None
    """Whose tokens they are, if the provider says so."""


@dataclass(frozen=True, slots=True)
class ProviderProfile(Profile):
    """Who the provider says this is. Only `subject` (with `tenant`) identifies a person."""

    subject: str
    tenant: str = ""
    """Scopes `subject` where one configured name serves several issuers; empty otherwise."""
    handle: str = ""
    """A suggestion for a username."""
    auth_at: int | None = None
    """When the provider authenticated the person, Unix seconds, if it says so."""
    auth_proven: bool = False
    """`auth_at` counts as proof: it was said by a provider that logs people in again when it is asked to."""
    session: str = ""
    """What the provider calls its own session (`sid`), where it may end it here."""
    id_token: str = field(default="", repr=False)
    """As the provider signed it, where a browser may show it to log out there (`id_token_hint`)."""
    grant: UpstreamGrant | None = field(default=None, repr=False)
    """The tokens of this login, where they are kept; None elsewhere."""
    facts: tuple[tuple[str, str], ...] = ()
    """Names and values of what the operator's rules ask about (`facts`)."""


@dataclass(frozen=True, slots=True)
class LogoutNotice:
    """A provider says that a person logged out there; verified."""

    id: str
    """Names this notice among all of the provider's."""
    subject: str
    """Whose sessions end; may be empty if `session` is not."""
    session: str
    """The one session there that ended; empty for all."""
    counts_until: int
    """Unix seconds, to which its id is remembered; after that the provider refuses it as too old."""


class LogoutThere(Enum):
    """Whether logging out here also ends the session at the provider."""

    NO = "no"
    OFFER = "offer"
    YES = "yes"


@dataclass(frozen=True, slots=True)
class SubjectScope:
    """Within what a subject is unique: two providers with equal scopes name the same people alike."""

    issuer: str
    """Who gives the subjects out: the issuer of OpenID, else the service's address. Where an app or a team
    gets subjects of its own, that too."""
    subject: str
    """Which of its values it is, for example `sub`."""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An answer, read whole within the caller's limits."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case; repeated headers joined by `, `."""
    body: bytes = field(repr=False)


class Http(Protocol):
    """The outbound client a provider is given; it enforces time-out, size, address and redirect rules."""

    async def fetch(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> HttpResponse:
        """Make one request. Raises ProviderBroken for anything but a complete answer. Never retries a POST.

        ProviderSlow, a ProviderBroken, if the answer did not come in time or was not waited for.
        """
        ...


class Provider(Protocol):
    """One configured login provider."""

    @property
    def name(self) -> str:
        """Its name in the configuration, `[a-z0-9-]{1,32}`; the first part of the identity key."""
        ...

    @property
    def label(self) -> str:
        """What a person calls it, for example "Google"."""
        ...

    async def begin(self, start: LoginStart, http: Http) -> LoginBegun:
        """Start a login. Raises ProviderBroken."""
        ...

    async def finish(self, callback: Callback, http: Http) -> ProviderProfile:
        """Finish it. Raises ProviderDenied or ProviderBroken."""
        ...


@runtime_checkable
class Rehearsed(Protocol):
    """A provider that fetches more than `begin` does before it can believe a login, for example keys."""

    async def rehearse(self, http: Http) -> None:
        """Fetch that. Raises ProviderBroken."""
        ...


@runtime_checkable
class ProvesLogins(Protocol):
    """A provider that may prove that a person was there, and not only that a browser came back from it."""

    @property
    def proves_fresh_login(self) -> bool:
        """Whether it logs a person in again when asked to, and says when it did; its kind declares it."""
        ...


@runtime_checkable
class TellsLogouts(Protocol):
    """A provider that may tell us when a person logs out there."""

    @property
    def tells_logouts(self) -> bool:
        """Whether the operator wants to hear of it."""
        ...

    async def read_logout(self, token: str, http: Http) -> LogoutNotice:
        """Verify a logout token. Raises NoticeRefused, and ProviderBroken if the keys cannot be fetched."""
        ...


@runtime_checkable
class EndsSessions(Protocol):
    """A provider whose own session a browser can end from here."""

    @property
    def logout_there(self) -> LogoutThere:
        """What the operator wants of it."""
        ...

    async def logout_location(self, return_to: str, http: Http, *, hint: str = "") -> str:
        """Return where the browser goes to log out there, and comes back from with `state`, the provider's name.

        `hint` is the ID token of the login that ends, if the browser still has it. Empty if the provider has
        no such address. Raises ProviderBroken.
        """
        ...


@runtime_checkable
class FramesLogouts(Protocol):
    """A provider whose logout page loads one of ours in a frame."""

    @property
    def logout_frame(self) -> str:
        """The issuer that may do so; empty for none."""
        ...


@runtime_checkable
class KeepsTokens(Protocol):
    """A provider whose tokens may be kept, so that applications work there for their people."""

    @property
    def keeps_tokens(self) -> bool:
        """Whether the operator wants them kept; `finish` then returns them with the profile."""
        ...

    async def refresh(self, refresh_token: str, http: Http) -> RenewedGrant:
        """Get a fresh access token: one POST, never repeated.

        Raises GrantRefused or ProviderDenied if only another login helps, and ProviderBroken, after which it is
        not known whether the refresh token was used up.
        """
        ...

    async def revoke(self, tokens: Iterable[str], http: Http) -> bool:
        """Take tokens back (RFC 7009), one POST each; False if the provider has no address for it.

        One that is not good any more counts as taken back. Raises ProviderBroken.
        """
        ...
