"""From a page's name and values to its bytes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from identity.sessions.client_summary import THIS_COMPUTER, is_local
from identity.types import Clock, Millis
from identity.web.pages import icons, times
from identity.web.pages.branding import PLAIN, Branding
from identity.web.pages.catalogue import ENGLISH, Catalogue
from identity.web.pages.script import LOCAL_TIMES

TEMPLATES: Final = Path(__file__).with_name("templates")


@dataclass(frozen=True, slots=True)
class Page:
    """The values a page needs, and those it may have with what stands for them otherwise."""

    needs: frozenset[str]
    may: Mapping[str, object] = field(default_factory=dict)


def _page(*needs: str, **may: object) -> Page:
    return Page(frozenset(needs), MappingProxyType(may))


PAGES: Final[Mapping[str, Page]] = MappingProxyType(
    {
        "login": _page(
            "ways",
            staying=(),
            ticked=False,
            last="",
            reason="",
            destination="",
            back="",
            fresh=False,
            who="",
            unable=(),
        ),
        "welcome": _page(
            "action",
            "csrf",
            "existing",
            "provider",
            "username",
            handle="",
            problem="",
            free=(),
            hidden=(),
            waits=False,
            shortest=3,
            longest=32,
        ),
        "welcome-existing": _page("provider", "ways", "back", handle="", denied=False),
        "prove": _page("username", "ways", denied=False),
        "way-add": _page("username", "ways", denied=False),
        "way-confirm": _page("csrf", "reference", "username", "provider", "label", "known_as", "proven"),
        "way-taken": _page(provider=""),
        "way-remove": _page("csrf", "way", "username", "provider", "label", "known_as", "ends_here"),
        "account": _page(
            "csrf",
            "account",
            "username",
            "devices",
            identities=None,
            name="",
            email="",
            done="",
            back="",
            back_to="",
        ),
        "logout": _page("csrf", account="", username="", others=0, applications=(), back="", back_to=""),
        "logout-application": _page("csrf", "application", account="", login="", username="", others=()),
        "signed-out": _page(
            scope="here", provider="", applications=(), application="", again="/login", there="", leads=False
        ),
        "notices": _page("csrf", "notices", "seen", "onward"),
        "demo": _page("action", "csrf", "provider", "people", "hidden", problem=""),
        "invitation": _page("ways", "ends_at", "grouped", "signs_up", "username"),
        "refused": _page("username", "application", "again", "another", "request_id", "code"),
        "error": _page(
            "status",
            "code",
            "public",
            "request_id",
            again="",
            provider="",
            username="",
            others=(),
            login="/login",
            back="",
            back_to="",
        ),
    }
)

HOME: Final = "home"
"""Where the login service's own front page is; every page may be told, one on another host must be."""

_SAME_TEXT: Final = MappingProxyType(
    {
        "store-unavailable": "store",
        "store-down": "store",
        "overloaded": "store",
        "provider-broken": "provider",
        "store-newer": "newer-key",
        "csrf": "not-same-site",
        "config": "internal",
    }
)
"""Codes that differ for programs and say the same to a person."""

_BY_STATUS: Final = MappingProxyType(
    {403: "forbidden", 404: "not-found", 405: "method-not-allowed", 429: "rate-limited", 502: "provider", 503: "store"}
)
_LEADS_TO_LOGIN: Final = frozenset(
    {
        "flow-invalid",
        "sign-up-invalid",
        "provider",
        "provider-denied",
        "provider-slow",
        "provider-unknown",
        "being-finished",
        "sign-up-closed",
        "not-admitted",
        "not-invited",
        "awaiting-approval",
        "invitation-used",
        "invitation-expired",
        "invitation-revoked",
        "invitation-unknown",
        "account-disabled",
        "identity-suspended",
        "account-unknown",
    }
)


@dataclass(frozen=True, slots=True)
class Wording:
    """How an error is worded: where in the catalogue, and whether exactly this error is meant there."""

    key: str
    is_exact: bool
    leads_to_login: bool


class Pages:
    """Renders pages in one language. Thread-safe; all templates are compiled at the start.

    Args:
        clock: for "3 minutes ago".
        site: what they show of the operator.
        catalogue: the language.
        kinds: of each provider, by its configured name; decides its drawing.
    """

    __slots__ = ("_away", "_catalogue", "_clock", "_templates", "site")

    def __init__(
        self,
        *,
        clock: Clock,
        site: Branding = PLAIN,
        catalogue: Catalogue = ENGLISH,
        kinds: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._clock = clock
        self.site: Final = site
        self._catalogue = catalogue
        environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        environment.globals |= {
            "contact": site.contact,
            "count": catalogue.count,
            "device_icon": icons.device_icon,
            "direction": catalogue.say("page.direction"),
            "favicon": site.favicon,
            "has": catalogue.has,
            "icon": icons.icon,
            "inline_style": Markup(site.stylesheet.body.decode()),  # noqa: S704 - our own file
            "language": catalogue.language,
            "logo": site.logo.url if site.logo else "",
            "local_times": Markup(LOCAL_TIMES),  # noqa: S704 - our own file
            "moment": self._moment,
            "place": self._place,
            "provider_icon": partial(icons.provider_icon, kinds=kinds),
            "site": site.name,
            "strong": Markup("<strong>{}</strong>").format,
            "style": site.stylesheet.url,
            "t": catalogue.say,
            "until": _until,
            "when": self._when,
            "wording": self._wording,
        }
        self._templates: Mapping[str, Template] = {n: environment.get_template(f"{n}.html") for n in PAGES}
        self._away: Template = environment.get_template("away.html")

    def render(self, name: str, /, **values: object) -> bytes:
        """Return the page. Raises KeyError for an unknown page, TypeError for missing or unknown values."""
        page = PAGES[name]
        missing = page.needs - values.keys()
        unknown = values.keys() - page.needs - page.may.keys() - {HOME}
        if missing or unknown:
            raise TypeError(f"page {name!r}: missing {sorted(missing)}, unknown {sorted(unknown)}")
        return self._templates[name].render({HOME: "/", **page.may, **values}).encode()

    def away(self) -> bytes:
        """Return the page that others show while the daemon does not answer, with its style in it."""
        return self._away.render().encode()

    def _when(self, at: Millis) -> Markup:
        """Say how long ago; exactly where the reader points at it."""
        form = Markup('<time datetime="{}" title="{}">{}</time>')
        return form.format(times.machine(at), times.exact(at), self._ago(at))

    def _moment(self, at: Millis) -> Markup:
        """Say how long ago and exactly when, for a person who has to remember what they did then."""
        form = Markup('<time datetime="{}">{}, <span class="exact">{}</span></time>')
        return form.format(times.machine(at), self._ago(at), times.exact(at))

    def _ago(self, at: Millis) -> Markup:
        unit, number = times.ago(at, now=self._clock())
        return self._catalogue.say("time.now") if unit == "now" else self._catalogue.count(f"time.{unit}", number)

    def _place(self, summary: str) -> Markup:
        if summary == THIS_COMPUTER:
            return self._catalogue.say("place.this-computer")
        if not summary:
            return self._catalogue.say("place.unknown")
        return self._catalogue.say("place.local" if is_local(summary) else "place.network", network=summary)

    def _wording(self, code: str, status: int) -> Wording:
        own = _SAME_TEXT.get(code, code)
        is_exact = self._catalogue.has(f"error.{own}.title")
        name = own if is_exact else _by_status(status)
        return Wording(f"error.{name}", is_exact, name in _LEADS_TO_LOGIN)


def _until(at: Millis) -> Markup:
    return Markup('<time datetime="{}"><span class="exact">{}</span></time>').format(times.machine(at), times.exact(at))


def _by_status(status: int) -> str:
    return _BY_STATUS.get(status, "bad-request" if 400 <= status < 500 else "internal")  # noqa: PLR2004
