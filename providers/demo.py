"""The built-in demonstration provider: invented people, no password, on this machine only.

Owns both sides of a small authorisation code flow: the provider, and the authority whose page
(`identity.web.people.demo`) asks who to be. A code works once, for the login and the PKCE challenge it was
made for, and for a minute. A person may be any name here, so it refuses to exist when the public
address is not a loopback one, or the daemon is not started as a demonstration.
"""

import hmac
import unicodedata
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode, urlsplit

from options.option import BadOptions
from providers import untrusted
from providers.addresses import is_loopback
from providers.base import (
    Callback,
    Http,
    LoginBegun,
    LoginStart,
    Provider,
    ProviderBroken,
    ProviderProfile,
    SubjectScope,
    callback_address,
)
from providers.kind import ProviderKind, ProviderSettings
from providers.oauth2 import challenge, code_of, location
from providers.token_endpoint import Client

CODE_LIFE_MS: Final = 60_000
_CODE_BYTES: Final = 24
_MOST_CODES: Final = 1_000
CARRIED: Final = ("redirect_uri", "state", "code_challenge", "code_challenge_method")
"""The parameters of a login that the page hands on."""
_CLIENT: Final = Client("identityd", "")


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """A person the demonstration offers to be."""

    name: str
    handle: str
    email: str


PEOPLE: Final = (
    DemoPerson("Ida Brook", "ida", "ida@demo.example"),
    DemoPerson("Tomas Vale", "tomas", "tomas@demo.example"),
    DemoPerson("Noor Hadley", "noor", "noor@demo.example"),
)


@dataclass(frozen=True, slots=True)
class DemoRequest:
    """A login that waits on the page for an answer."""

    redirect_uri: str
    state: str = field(repr=False)
    challenge: str = field(repr=False)

    def carried(self) -> dict[str, str]:
        """Return it as the fields of the page's form, which `DemoProvider.asked` reads again."""
        return dict(zip(CARRIED, (self.redirect_uri, self.state, self.challenge, "S256"), strict=True))


@dataclass(frozen=True, slots=True)
class _Issued:
    person: DemoPerson
    redirect_uri: str
    challenge: str
    at: int


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """It has none."""


class DemoProvider:
    """One demonstration provider and its authority. Lives on one event loop."""

    def __init__(self, settings: ProviderSettings[DemoOptions]) -> None:
        self.name = settings.name
        self.label = settings.label
        self._site = settings.site
        self._codes: OrderedDict[str, _Issued] = OrderedDict()

    @property
    def proves_fresh_login(self) -> bool:
        """Its page asks each time."""
        return True

    async def begin(self, start: LoginStart, http: Http) -> LoginBegun:  # noqa: ARG002 - its own authority needs no call
        """Send the browser to the page. No call."""
        page = f"{self._site.public_url}/demo/{self.name}"
        return LoginBegun(location(page, _CLIENT, start, challenge(start)))

    async def finish(self, callback: Callback, http: Http) -> ProviderProfile:  # noqa: ARG002 - the codes are here
        """Redeem the code. No call. Raises ProviderDenied or ProviderBroken."""
        issued = self._codes.pop(code_of(callback), None)
        if issued is None or self._site.clock() - issued.at >= CODE_LIFE_MS:
            raise ProviderBroken("the code is unknown, used or expired")
        proof = challenge(callback.start)["code_challenge"]
        if issued.redirect_uri != callback.start.redirect_uri or not hmac.compare_digest(issued.challenge, proof):
            raise ProviderBroken("the code was made for another login")
        person = issued.person
        return ProviderProfile(
            subject=untrusted.subject(subject_of(person.name)),
            email_verified=False,
            handle=person.handle,
            name=person.name,
            email=person.email,
            auth_at=issued.at // 1000,
            auth_proven=True,
        )

    def asked(self, params: Mapping[str, str]) -> DemoRequest | None:
        """Read what the browser brought to the page; None if it is not a login of this provider."""
        redirect_uri = callback_address(self._site.public_url, self.name)
        proof, state = params.get("code_challenge", ""), params.get("state", "")
        # Codes go to our own callback only: an open redirect would be one even on a demonstration.
        if params.get("redirect_uri") != redirect_uri or params.get("code_challenge_method") != "S256":
            return None
        return DemoRequest(redirect_uri, state, proof) if proof.isascii() and proof and state else None

    def allow(self, request: DemoRequest, name: str) -> str | None:
        """Answer with a code for the person of that name; where the browser goes, or None for no name."""
        person = person_named(name)
        if person is None:
            return None
        code = untrusted.to_base64url(self._site.random_bytes(_CODE_BYTES))
        self._codes[code] = _Issued(person, request.redirect_uri, request.challenge, self._site.clock())
        while len(self._codes) > _MOST_CODES:
            self._codes.popitem(last=False)
        return _answer(request, code=code)

    def refuse(self, request: DemoRequest) -> str:
        """Answer that the person said no; where the browser goes."""
        return _answer(request, error="access_denied")


def _answer(request: DemoRequest, **more: str) -> str:
    return f"{request.redirect_uri}?{urlencode({**more, 'state': request.state})}"


def person_named(name: str) -> DemoPerson | None:
    """Return one of the offered people, or a new person of that name; None if nothing is left of it."""
    subject = subject_of(name)
    known = {subject_of(person.name): person for person in PEOPLE}
    if not subject or subject in known:
        return known.get(subject)
    return DemoPerson(untrusted.shown(name), subject.split()[0], "")


def subject_of(name: str) -> str:
    """Return what identifies a person of that name here: folded, so that Ida and ida are one."""
    return " ".join(unicodedata.normalize("NFKC", untrusted.shown(name)).casefold().split())


def build(settings: ProviderSettings[DemoOptions]) -> Provider:
    """Make the demonstration provider. Raises BadOptions unless this is a demonstration on a loopback address."""
    if not settings.site.demo:
        raise BadOptions([("kind", "exists only in a demonstration: identityd demo")])
    if not is_loopback(urlsplit(settings.site.public_url).hostname or ""):
        raise BadOptions([("kind", "lets anybody be anybody; it is for a public address on this machine only")])
    return DemoProvider(settings)


KIND: Final = ProviderKind(
    name="demo",
    label="Demo",
    subject="the name typed, folded",
    options=DemoOptions,
    scope=lambda _: SubjectScope("demo", "name"),
    build=build,
    facts=(),
    open_to_all=lambda _: False,
)
