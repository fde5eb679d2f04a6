"""One set of values for every page in every state worth looking at, hostile ones on request.

Used by the tests of pages, by the accessibility tests and by `preview.py`, so that what is
tested is what was looked at.
"""

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Final

from identity.sessions.record import Copied, Notice
from identity.types import DAY, HOUR, MINUTE, Millis
from identity.web.pages import Device, LinkedLogin, OpenedApplication, Way
from identity.web.people.login import REASONS
from providers.demo import PEOPLE
from tests.support.clock import NOON

HOSTILE: Final = "\"><script>alert('x')</script><b onclick=x style=y>&amp;{{ 7*7 }}{0}%s"
REQUEST_ID: Final = "9f2c41d07be5a8301c6644fe"
ACCOUNT: Final = "018f6f6e-2a4b-7c1d-9e55-3f2a9c0d4b11"
CSRF: Final = "AXNhbXBsZS1mb3JtLXRva2Vu"


@dataclass(frozen=True, slots=True)
class Sample:
    """A page in one state."""

    label: str
    page: str
    values: dict[str, Any]


def samples() -> tuple[Sample, ...]:
    """Return every page in every state."""
    return (*_logging_in(), *_account(), *_ways(), *_errors())


WAYS: Final = tuple(
    Way(name, label, f"/login/{name}?return_to=%2Faccount")
    for name, label in [("google", "Google"), ("github", "GitHub"), ("company", "Example Company"), ("orcid", "ORCID")]
)


ELSEWHERE: Final = ("https://wiki.example.com/", "https://shop.example.com/")
"""Where the ways back to applications lead."""
APPLICATIONS: Final = ("Wiki", "shop.example.com", "photos-of-the-whole-family.example.com")
MANY: Final = tuple(
    Way(name, label, f"/login/{name}")
    for name, label in [
        *((way.name, way.label) for way in WAYS),
        ("uni", "Rheinische Friedrich-Wilhelms-Universität, Fachbereich Physik"),
        ("work", "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamten"),
        ("hebrew", "האוניברסיטה העברית בירושלים"),
        *((name, name.capitalize()) for name in ("gitlab", "discord", "mastodon", "twitch", "amazon", "spotify")),
    ]
)
LONGEST: Final = "a-name-of-forty-characters-that-are-many"
_FRESH: Final = {"ways": WAYS[:2], "fresh": True, "destination": "Wiki", "back": ELSEWHERE[0]}


_INVITED: Final = {"ways": WAYS, "ends_at": NOON + 7 * DAY, "grouped": False, "signs_up": True, "username": ""}
_REFUSED: Final = {
    "username": "ada",
    "application": "Wiki",
    "again": "https://login.example.com/account",
    "another": "https://login.example.com/login?another=yes",
    "request_id": REQUEST_ID,
    "code": "not-allowed",
    "home": "https://login.example.com/",
}
_DEMO: Final = {"action": "/demo/demo", "csrf": CSRF, "people": PEOPLE, "provider": "Demonstration", "hidden": ()}


def _logging_in() -> tuple[Sample, ...]:
    welcome = {"action": "/welcome?signup=k3jd9a2x", "csrf": CSRF, "provider": "GitHub", "handle": "ada-l"}
    welcome["existing"] = "/welcome/existing?s=k3jd9a2x"
    existing = {"provider": "GitHub", "handle": "ada-l", "ways": WAYS, "back": "/welcome?s=k3jd9a2x"}
    return (
        Sample("login", "login", {"ways": WAYS}),
        Sample("invitation", "invitation", _INVITED),
        Sample("invitation-groups", "invitation", {**_INVITED, "grouped": True, "username": "ada"}),
        Sample("invitation-closed", "invitation", {**_INVITED, "grouped": True, "signs_up": False}),
        Sample("login-ask", "login", {"ways": WAYS, "staying": WAYS, "last": "github"}),
        Sample("login-ticked", "login", {"ways": WAYS, "staying": WAYS, "ticked": True}),
        Sample("login-last", "login", {"ways": WAYS, "last": "github", "destination": "Wiki"}),
        Sample("login-many", "login", {"ways": MANY, "staying": MANY, "last": "uni", "destination": APPLICATIONS[2]}),
        Sample("login-fresh", "login", {**_FRESH, "who": "ada", "unable": ("ORCID",)}),
        Sample("login-fresh-account", "login", {"ways": WAYS[:1], "fresh": True, "who": "ada"}),
        Sample("login-fresh-unknown", "login", _FRESH),
        Sample("login-fresh-none", "login", {**_FRESH, "ways": (), "who": "ada", "unable": ("ORCID", "GitHub")}),
        Sample("login-demo", "login", {"ways": (Way("demo", "Demo provider", "/login/demo"),)}),
        Sample("login-none", "login", {"ways": ()}),
        *(
            Sample(f"login-because-{code}", "login", {"ways": WAYS, "last": "google", "reason": code})
            for code in sorted(REASONS)
        ),
        Sample("refused", "refused", _REFUSED),
        Sample("refused-long", "refused", {**_REFUSED, "username": LONGEST, "application": APPLICATIONS[2]}),
        Sample("welcome-existing", "welcome-existing", existing),
        Sample("welcome-existing-denied", "welcome-existing", {**existing, "handle": "", "denied": True}),
        Sample("demo", "demo", _DEMO),
        Sample("demo-empty", "demo", {**_DEMO, "problem": "empty"}),
        Sample("welcome", "welcome", {**welcome, "username": "ada-l"}),
        Sample("welcome-waits", "welcome", {**welcome, "username": "ada-l", "waits": True}),
        Sample("welcome-nameless", "welcome", {**welcome, "username": "", "handle": ""}),
        Sample("welcome-no-handle", "welcome", {**welcome, "username": "", "handle": "", "problem": "name-empty"}),
        Sample(
            "welcome-taken",
            "welcome",
            {**welcome, "username": "ada", "problem": "name-taken", "free": ("ada-l", "ada.lovelace", "ada2027")},
        ),
        Sample(
            "welcome-long", "welcome", {**welcome, "username": "a" * 33, "handle": "a" * 80, "problem": "name-too-long"}
        ),
    )


def _device(number: int, agent: str, address: str, *, age: Millis, idle: Millis, is_this: bool = False) -> Device:
    return Device(
        id=f"{number:032x}",
        agent=agent,
        address=address,
        provider="GitHub",
        created_at=NOON - age,
        active_at=NOON - idle,
        is_this=is_this,
        applications=(OpenedApplication("Shop", ELSEWHERE[1]), OpenedApplication("wiki.example.com"))
        if is_this
        else (),
    )


DEVICES: Final = (
    _device(1, "Firefox on Linux", "203.0.113.x", age=3 * HOUR, idle=0, is_this=True),
    _device(2, "Safari on iPhone", "2001:db8:12::x", age=9 * DAY, idle=25 * MINUTE),
    _device(3, "Samsung Internet on Android", "192.168.1.x", age=29 * DAY, idle=2 * DAY),
    _device(4, "curl", "loopback", age=2 * HOUR, idle=2 * HOUR),
)
_REMOVE: Final = "/account/ways/remove?way="
IDENTITIES: Final = (
    LinkedLogin(
        "github", "GitHub", "ada-l", NOON - 400 * DAY, used_at=NOON - 3 * HOUR, remove="/account/ways/remove?way=a"
    ),
    LinkedLogin("google", "Google", "ada.lovelace@example.com", NOON - 64 * DAY, remove="/account/ways/remove?way=b"),
)
LONG: Final = {
    "username": LONGEST,
    "name": "محمد بن عبد الله الخوارزمي",
    "email": f"{'ada.lovelace.' * 4}countess@a-department-with-a-long-name.example.com",
    "identities": (
        LinkedLogin("work", MANY[5].label, f"{'ada.' * 20}@example.com", NOON - DAY, ("Wiki", "shop")),
        LinkedLogin("hebrew", MANY[6].label, "עדה לאבלייס", NOON),
    ),
}
_SUSPENDED: Final = (replace(IDENTITIES[1], suspended=True, remove=""),)
_WAY: Final = {"csrf": CSRF, "username": "ada", "provider": "github", "label": "GitHub", "known_as": "ada-l"}
NOTICE: Final = Notice(
    at=NOON - 2 * HOUR,
    reason=Copied.REUSE,
    created_at=NOON - 26 * HOUR,
    agent="Firefox on Linux",
    address="203.0.113.x",
    other_agent="Chrome on Windows",
    other_address="198.51.100.x",
)


_HOME: Final = {"home": "https://login.example.com/"}
_LEAVING: Final = {
    "csrf": CSRF,
    "account": ACCOUNT,
    "login": f"{7:032x}",
    "application": APPLICATIONS[0],
    "username": "ada",
    **_HOME,
}
_LEFT: Final = {
    "application": APPLICATIONS[0],
    "applications": APPLICATIONS[1:],
    "again": "/.identityd/login",
    **_HOME,
}


NOTICED: Final = tuple(kind for kind in Copied if kind is not Copied.FOREIGN_HOST)
_TOLD: Final = {"csrf": CSRF, "seen": str(NOTICE.at), "onward": "/account"}


def _noticed(kind: Copied) -> Notice:
    if kind is Copied.CRASH_ROLLBACK:
        return replace(NOTICE, reason=kind, other_agent=NOTICE.agent, other_address=NOTICE.address)
    return replace(NOTICE, reason=kind, other_agent="", other_address="")


def _ways() -> tuple[Sample, ...]:
    return (
        Sample("prove", "prove", {"username": "ada", "ways": WAYS[:2]}),
        Sample("prove-none", "prove", {"username": "ada", "ways": (), "denied": True}),
        Sample("way-add", "way-add", {"username": "ada", "ways": WAYS}),
        Sample("way-add-denied", "way-add", {"username": "ada", "ways": WAYS, "denied": True}),
        Sample("way-confirm", "way-confirm", {**_WAY, "reference": "k3jd9a2x", "proven": True}),
        Sample(
            "way-confirm-browser", "way-confirm", {**_WAY, "reference": "k3jd9a2x", "known_as": "", "proven": False}
        ),
        Sample("way-taken", "way-taken", {"provider": "GitHub"}),
        Sample("way-taken-later", "way-taken", {}),
        Sample("way-remove", "way-remove", {**_WAY, "way": "a", "ends_here": False}),
        Sample("way-remove-here", "way-remove", {**_WAY, "way": "a", "ends_here": True}),
    )


def _account() -> tuple[Sample, ...]:
    account = {"csrf": CSRF, "account": ACCOUNT, "username": "ada", "devices": DEVICES, "identities": IDENTITIES}
    known = {"name": "Ada Lovelace", "email": "ada.lovelace@example.com"}
    return (
        Sample("account", "account", {**account, **known}),
        Sample("account-back", "account", {**account, **known, "back": ELSEWHERE[0], "back_to": "Wiki"}),
        Sample("account-long", "account", {**account, **LONG}),
        Sample("account-one", "account", {**account, "devices": DEVICES[:1], "identities": IDENTITIES[:1]}),
        *(
            Sample(f"account-{done}", "account", {**account, **known, "done": done})
            for done in ("linked", "already-linked", "removed")
        ),
        Sample(
            "account-suspended",
            "account",
            {**account, "identities": _SUSPENDED},
        ),
        Sample("account-ended", "account", {**account, **known, "done": "ended"}),
        Sample("account-unread", "account", {**account, "identities": None}),
        Sample("logout", "logout", {"csrf": CSRF, "account": ACCOUNT, "username": "ada"}),
        Sample(
            "logout-back",
            "logout",
            {"csrf": CSRF, "username": LONGEST, "back": ELSEWHERE[0], "back_to": "Wiki"},
        ),
        Sample("logout-away", "logout", {"csrf": CSRF}),
        Sample("logout-others", "logout", {"csrf": CSRF, "username": "ada", "others": 3}),
        Sample("logout-applications", "logout", {"csrf": CSRF, "username": "ada", "applications": APPLICATIONS}),
        Sample("logout-application", "logout-application", {**_LEAVING, "others": APPLICATIONS[1:]}),
        Sample("logout-application-only", "logout-application", _LEAVING),
        Sample("logout-application-away", "logout-application", {"csrf": CSRF, "application": APPLICATIONS[0]}),
        Sample("signed-out-application", "signed-out", {"scope": "application", **_LEFT, "applications": ()}),
        Sample("signed-out-login", "signed-out", {"scope": "login", "provider": "GitHub", **_LEFT}),
        Sample("signed-out-ended", "signed-out", {"provider": "GitHub", "applications": APPLICATIONS}),
        Sample("signed-out", "signed-out", {"provider": "GitHub"}),
        Sample("signed-out-offer", "signed-out", {"provider": "GitHub", "there": "/login/github/logout"}),
        Sample(
            "signed-out-leading", "signed-out", {"provider": "GitHub", "there": "/login/github/logout", "leads": True}
        ),
        Sample("signed-out-there", "signed-out", {"scope": "there", "provider": "GitHub"}),
        Sample("signed-out-everywhere", "signed-out", {"scope": "everywhere"}),
        Sample("signed-out-already", "signed-out", {"scope": "already"}),
        Sample("notices", "notices", {**_TOLD, "notices": (NOTICE,)}),
        *(Sample(f"notices-{kind.code}", "notices", {**_TOLD, "notices": (_noticed(kind),)}) for kind in NOTICED[1:]),
        Sample("notices-three", "notices", {**_TOLD, "notices": tuple(map(_noticed, NOTICED))}),
    )


_THERE: Final = {"back": "/", "back_to": "Wiki", **_HOME}
ERRORS: Final[tuple[tuple[str, int, dict[str, Any]], ...]] = (
    ("flow-invalid", 400, {}),
    ("flow-invalid", 400, {"username": "ada", "again": "/login/github"}),
    ("start-invalid", 400, {"again": "/.identityd/login", "login": "/.identityd/login", **_THERE}),
    ("no-return", 403, _HOME),
    ("application-logout-queued", 503, _THERE),
    ("application-logout-not-kept", 503, _THERE),
    ("other-account", 403, {"again": "/login?max_age=0"}),
    ("login-not-fresh", 403, {"provider": "GitHub", "again": "/login/github?max_age=0", "others": WAYS[:1]}),
    ("identity-suspended", 403, {}),
    ("too-many-names", 429, {}),
    ("too-many-logins", 429, {}),
    ("rate-limited", 429, {}),
    ("too-large", 413, {}),
    ("provider-slow", 502, {"provider": "GitHub", "again": "/login/github", "others": WAYS[:1] + WAYS[2:]}),
    ("bad-request", 400, {}),
    ("parameter-missing", 400, {"public": "The parameter “state” is missing."}),
    ("not-same-site", 403, {}),
    ("forbidden", 403, {}),
    ("account-disabled", 403, {}),
    ("account-merging", 409, {}),
    ("account-merged", 403, {}),
    ("no-account", 403, {}),
    ("account-unknown", 403, {"again": "/welcome/existing"}),
    ("link-invalid", 400, {}),
    ("last-way", 409, {}),
    ("too-many-ways", 403, {}),
    ("way-unknown", 404, {}),
    ("removal-queued", 503, {}),
    ("sign-up-closed", 403, {}),
    ("not-admitted", 403, {}),
    ("not-invited", 403, {}),
    ("awaiting-approval", 403, {}),
    ("sign-up-rejected", 403, {}),
    ("too-many-waiting", 403, {}),
    ("invitation-unknown", 403, {}),
    ("invitation-expired", 403, {}),
    ("invitation-used", 403, {}),
    ("invitation-revoked", 403, {}),
    ("not-found", 404, {}),
    ("method-not-allowed", 405, {}),
    ("being-finished", 409, {}),
    ("unknown-host", 421, {}),
    ("provider", 502, {"provider": "GitHub"}),
    ("provider-denied", 403, {"provider": "GitHub"}),
    ("provider-unknown", 404, {}),
    ("sign-up-invalid", 400, {}),
    ("store-unavailable", 503, {"again": "/account"}),
    ("store-corrupt", 503, {}),
    ("newer-key", 503, {"again": "/account"}),
    ("bounce-lost", 503, {"again": "/account"}),
    ("too-many-cookies", 503, {}),
    ("logout-queued", 503, {}),
    ("logout-not-kept", 503, {}),
    ("end-queued", 503, {}),
    ("everywhere-queued", 503, {}),
    ("internal", 500, {}),
)


def _errors() -> tuple[Sample, ...]:
    common = {"public": "A sentence.", "request_id": REQUEST_ID}
    return tuple(
        Sample(
            f"error-{code}{'-in' if 'username' in more else ''}",
            "error",
            {**common, "code": code, "status": status, **more},
        )
        for code, status, more in ERRORS
    )


def hostile(value: Any) -> Any:  # noqa: ANN401 - walks whatever a page is given
    """Return the value with every text in it made hostile, whatever its shape."""
    if isinstance(value, str):
        return HOSTILE
    if isinstance(value, tuple):
        return tuple(hostile(each) for each in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: hostile(getattr(value, f.name)) for f in fields(value)})
    return value
