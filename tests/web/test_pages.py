"""Pages as bytes: complete, escaped, worded, and without anything a policy would have to allow."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from jinja2 import UndefinedError

from identity import errors
from identity.accounts.linking import Refusal
from identity.accounts.usernames import NameProblem
from identity.errors import IdentityError
from identity.sessions.record import Ended
from identity.web import routes
from identity.web.http import refusals
from identity.web.http.base import Listener
from identity.web.pages import Pages, Way
from identity.web.pages.catalogue import ENGLISH
from identity.web.pages.icons import provider_icon
from identity.web.pages.rendering import PAGES
from identity.web.pages.script import LOCAL_TIMES
from identity.web.pages.style import STYLESHEET
from providers import REGISTRY
from tests.support.clock import ManualClock
from tests.support.samples import ELSEWHERE, HOSTILE, NOTICED, Sample, hostile, samples

SAMPLES: Final = samples()
VOID: Final = {"meta", "link", "input", "hr", "br", "img", "circle", "path", "rect"}


class Document(HTMLParser):
    """What a page is made of; raises ValueError for tags that do not nest."""

    def __init__(self, page: bytes) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(page.decode())
        self.close()
        if self._open:
            raise ValueError(f"never closed: {self._open}")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep it."""
        if len({name for name, _ in attrs}) != len(attrs):
            raise ValueError(f"an attribute twice: {tag} {attrs}")
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Check that it ends what was opened last."""
        if tag not in VOID and (not self._open or self._open.pop() != tag):
            raise ValueError(f"</{tag}> out of place")

    def handle_data(self, data: str) -> None:
        """Keep it."""
        self.text.append(data)

    def all(self, *names: str) -> Iterator[dict[str, str | None]]:
        """Yield the attributes of every such tag."""
        return (attrs for tag, attrs in self.tags if tag in names)


@pytest.fixture(scope="module")
def pages() -> Pages:
    """Pages at noon."""
    return Pages(clock=ManualClock())


def parametrized(label: str) -> pytest.MarkDecorator:
    """Return a mark that runs a test with every sample."""
    return pytest.mark.parametrize(label, SAMPLES, ids=[sample.label for sample in SAMPLES])


def render(pages: Pages, sample: Sample) -> Document:
    """Render a sample and take it apart."""
    return Document(pages.render(sample.page, **sample.values))


@parametrized("sample")
def test_every_page_renders_in_every_state(pages: Pages, sample: Sample) -> None:
    """A page that only some people reach would be a 500 for exactly them."""
    document = render(pages, sample)

    assert [tag for tag, _ in document.tags].count("h1") == 1
    assert next(document.all("html"))["lang"] == "en"


def test_every_page_has_a_sample() -> None:
    """A page nobody looks at would not be tested by anything in this file."""
    assert set(PAGES) == {sample.page for sample in SAMPLES}


@parametrized("sample")
def test_no_page_holds_an_inline_style_an_event_handler_or_a_script_but_ours(pages: Pages, sample: Sample) -> None:
    """The policy would block it, or would have to allow inline code to any person who can inject some."""
    page = pages.render(sample.page, **sample.values).decode()
    document = Document(page.replace(f"<script>{LOCAL_TIMES}</script>", "").encode())

    assert not list(document.all("script", "style", "iframe", "object", "embed", "base"))
    assert (LOCAL_TIMES in page) == ("<time" in page)
    for _, attrs in document.tags:
        assert not [name for name in attrs if name == "style" or name.startswith("on") or name == "srcdoc"]


@parametrized("sample")
def test_hostile_values_stay_text(pages: Pages, sample: Sample) -> None:
    """A stranger's handle at a provider could run as markup on somebody's account page."""
    values = {name: value if name == "scope" else hostile(value) for name, value in sample.values.items()}
    clean = render(pages, sample)

    page = pages.render(sample.page, **values)

    dirty = Document(page)
    assert page.count(b"<script") == page.count(LOCAL_TIMES.encode())
    assert not list(dirty.all("b"))
    assert {tag for tag, _ in dirty.tags} <= {tag for tag, _ in clean.tags} | {"section", "p", "ul", "li", "strong"}
    assert not [name for _, attrs in dirty.tags for name in attrs if name.startswith("on")]


def test_a_hostile_username_is_shown_as_it_is(pages: Pages) -> None:
    """A name escaped twice, or cut, would not be the name the person has."""
    document = Document(pages.render("logout", csrf="c", username=HOSTILE))

    assert HOSTILE in document.text


@parametrized("sample")
def test_every_post_form_carries_the_form_token_and_stays_on_this_site(pages: Pages, sample: Sample) -> None:
    """A form without a token could be sent by another site, or every honest one would be refused."""
    page = pages.render(sample.page, **sample.values).decode()

    for form in re.findall(r"<form .*?</form>", page, re.DOTALL):
        assert 'method="post"' in form
        assert f'name="csrf" value="{sample.values["csrf"]}"' in form
        assert re.search(r'action="/[^/\\]', form)


@parametrized("sample")
def test_links_are_local_and_spelt_canonically(pages: Pages, sample: Sample) -> None:
    """A link that needs a redirect, or leads to another site, costs a round trip or tells on the visitor."""
    known = [re.compile(route.path) for route in routes.ROUTES if route.listener is Listener.PUBLIC]
    ours = re.compile(r"/login(/[a-z0-9-]+)?|/welcome|/demo/[a-z0-9-]+")
    document = render(pages, sample)
    targets = [attrs["href"] for attrs in document.all("a", "link") if attrs.get("rel") != "icon"]
    targets += [attrs["action"] for attrs in document.all("form")]

    for target in targets:
        if target in ELSEWHERE:
            continue
        # On an application's host the login service's own pages are elsewhere.
        parts = urlsplit(str(target).replace(sample.values.get("home", "/"), "/", 1))
        assert not parts.scheme
        assert not parts.netloc
        assert any(each.fullmatch(parts.path) for each in [*known, ours]), f"{target} is no route"


@parametrized("sample")
def test_ids_are_unique_and_references_lead_somewhere(pages: Pages, sample: Sample) -> None:
    """A screen reader would read the wrong help beside a field, or none."""
    document = render(pages, sample)
    ids = [attrs["id"] for _, attrs in document.tags if "id" in attrs]

    assert len(ids) == len(set(ids))
    for _, attrs in document.tags:
        for name in ("for", "aria-labelledby", "aria-describedby"):
            assert set((attrs.get(name) or "").split()) <= set(ids)


def reasons() -> list[str]:
    """Return every reason for which somebody may be sent to the login page."""
    return [*(reason.code for reason in Ended), "anonymous", "stale", "foreign", "provider-denied"]


@pytest.mark.parametrize("code", reasons())
def test_every_reason_has_a_text_of_its_own(pages: Pages, code: str) -> None:
    """Somebody would be logged out and not told why."""
    page = pages.render("login", ways=(), reason=code).decode()

    assert ENGLISH.say(f"reason.{code}.title") in page
    assert ENGLISH.say(f"reason.{code}.text") in page


def test_before_the_login_a_reuse_is_told_in_neutral_words() -> None:
    """Whoever holds a copy reads that page too, and would learn that it was noticed."""
    told = ENGLISH.say("reason.reuse.title") + ENGLISH.say("reason.reuse.text")

    assert not re.search(r"cop(y|ies)|theft|stolen|two places|attack", told)


@pytest.mark.parametrize("reason", ["nonsense", "<script>", "anonymous.title", "../x"])
def test_an_unknown_reason_shows_no_note(pages: Pages, reason: str) -> None:
    """The reason comes with the address: anybody could make the page say or break something."""
    page = pages.render("login", ways=(), reason=reason)

    assert b'class="note"' not in page


def test_the_provider_used_last_stands_first_and_is_named(pages: Pages) -> None:
    """People forget which provider they used and would make a second account."""
    ways = (Way("google", "Google", "/login/google"), Way("github", "GitHub", "/login/github"))

    document = Document(pages.render("login", ways=ways, last="github"))

    assert [attrs["href"] for attrs in document.all("a")][1:] == ["/login/github", "/login/google"]
    assert "Used last time" in document.text


def test_a_button_has_the_drawing_of_its_kind_whatever_the_section_is_called() -> None:
    """A person looks for the picture first; `staff` of kind google would have a key."""
    assert provider_icon("staff", {"staff": "google"}) == provider_icon("google")
    assert provider_icon("google", {"google": "oidc"}) == provider_icon("google")
    assert provider_icon("staff", {"staff": "oidc"}) == provider_icon("anything")


def test_every_kind_of_a_service_has_a_drawing_of_its_own_making() -> None:
    """A new kind with a key beside it looks like one that was not finished."""
    general = {"oauth1", "oauth2", "oidc"}

    assert {kind for kind in REGISTRY if provider_icon(kind) == provider_icon("")} == general


def test_a_last_provider_that_is_gone_is_not_mentioned(pages: Pages) -> None:
    """A cookie from before the operator removed a provider would lead to nothing."""
    page = pages.render("login", ways=(Way("google", "Google", "/login/google"),), last="github")

    assert b"last time" not in page


@pytest.mark.parametrize("problem", [*(each.value for each in NameProblem), "name-taken"])
def test_every_problem_with_a_name_has_a_text(problem: str) -> None:
    """The person would be told only that the name cannot be used, not what to change."""
    assert ENGLISH.has(f"welcome.problem.{problem}")


def test_the_error_stands_beside_the_field_and_is_tied_to_it(pages: Pages) -> None:
    """Somebody who cannot see the page would not hear what is wrong with the name."""
    document = Document(
        pages.render(
            "welcome", action="/welcome", csrf="c", existing="/x", provider="X", username="ada", problem="name-taken"
        )
    )
    [field] = [attrs for attrs in document.all("input") if attrs.get("type") == "text"]

    assert field["aria-invalid"] == "true"
    assert "problem" in (field["aria-describedby"] or "").split()
    assert field["value"] == "ada"


def test_each_free_name_is_one_press_away(pages: Pages) -> None:
    """Without scripts a proposal that only stands there must be typed by hand."""
    values: dict[str, Any] = {"action": "/welcome", "csrf": "c", "existing": "/x", "provider": "X", "username": "ada"}

    page = pages.render("welcome", **values, problem="name-taken", free=("ada2", "ada.l"), hidden=(("ref", "r1"),))

    document = Document(page)
    offered = [attrs["value"] for attrs in document.all("input") if attrs.get("name") == "username"]
    assert offered == ["ada", "ada2", "ada.l"]
    assert page.count(b'name="ref" value="r1"') == 3


def codes() -> dict[str, int]:
    """Return the code and status of every error class, and of verdicts that become errors."""
    found = {
        each.default_code: each.status
        for module in (errors, refusals)
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, IdentityError)
    }
    verdicts = ("newer-key", "store-down", "store-corrupt", "store-newer", "too-many-cookies", "bounce-lost")
    return found | dict.fromkeys(verdicts, 503) | {"overloaded": 503, "csrf": 403, "provider-denied": 403}


@pytest.mark.parametrize(("code", "status"), sorted(codes().items()))
def test_every_error_says_what_happened_what_is_safe_and_what_to_do(pages: Pages, code: str, status: int) -> None:
    """An error page without these leaves people to guess, and to guess that they lost something."""
    page = pages.render("error", status=status, code=code, public="The own sentence.", request_id="r-1")

    text = " ".join(Document(page).text)
    assert text.index("What happened") < text.index("What is safe") < text.index("What to do")
    assert "r-1" in text
    assert code in text


@pytest.mark.parametrize("code", [code for code, status in codes().items() if status == 503])
def test_no_trouble_with_a_store_looks_like_a_logout(pages: Pages, code: str) -> None:
    """People would log in again, or call support, although nothing happened to their session."""
    page = pages.render("error", status=503, code=code, public="", request_id="r")

    assert b"You are not logged out" in page


def test_an_unknown_code_shows_the_errors_own_sentence(pages: Pages) -> None:
    """A precise message (which parameter is missing) would be hidden by a general one."""
    page = pages.render("error", status=400, code="parameter-missing", public="“state” is missing.", request_id="r")

    assert "“state” is missing.".encode() in page


def test_the_lost_cookie_page_names_the_browser_and_the_proxy(pages: Pages) -> None:
    """The person, or the operator, could not find out which setting drops the cookie."""
    page = pages.render("error", status=503, code="bounce-lost", public="", request_id="r")

    assert b"setting that blocks all cookies" in page
    assert b"must pass on every Set-Cookie line" in page


@pytest.mark.parametrize("refusal", [Refusal.NO_ACCOUNT, Refusal.DISABLED, Refusal.MERGING, Refusal.MERGED])
def test_every_refused_login_is_worded(refusal: Refusal) -> None:
    """Somebody who may not log in would read only "this is not allowed"."""
    assert ENGLISH.has(f"error.{refusal.value}.title")


def test_a_missing_value_is_an_error(pages: Pages) -> None:
    """A page would come out with a hole in it, for example a form without its token."""
    with pytest.raises(TypeError, match="csrf"):
        pages.render("logout", username="ada")


def test_a_misspelt_value_is_an_error(pages: Pages) -> None:
    """A handler's mistyped name would be ignored and the default shown."""
    with pytest.raises(TypeError, match="reasons"):
        pages.render("login", ways=(), reasons="idle")


def test_an_undefined_name_in_a_template_is_an_error(pages: Pages) -> None:
    """A typing error in a template would silently show nothing."""
    environment = pages._templates["login"].environment

    with pytest.raises(UndefinedError):
        environment.from_string("{{ nothing_of_that_name }}").render()


def sampled(pages: Pages, label: str) -> bytes:
    """Return the page of one sample."""
    [sample] = [each for each in SAMPLES if each.label == label]
    return pages.render(sample.page, **sample.values)


def test_a_time_says_how_long_ago_and_where_one_points_at_it_exactly_when(pages: Pages) -> None:
    """A relative time alone cannot be compared with a log, and an exact one alone has to be worked out."""
    exactly = b'<time datetime="2027-01-15T07:35:00Z" title="2027-01-15 07:35 UTC">25 minutes ago</time>'

    assert exactly in sampled(pages, "account")


def test_a_notice_shows_the_exact_times_of_both_places_before_it_explains(pages: Pages) -> None:
    """The person has to remember where they were then, and a phone points at nothing."""
    page = sampled(pages, "notices").decode()

    assert page.index("2027-01-14 06:00 UTC") < page.index("2027-01-15 06:00 UTC")
    assert page.index("2027-01-15 06:00 UTC") < page.index(ENGLISH.say("notice.reuse.text"))


def test_the_filled_button_of_a_notice_is_the_safe_answer_in_the_words_of_the_text(pages: Pages) -> None:
    """A person in a hurry presses the filled one, and looks for what the text told them to do."""
    [filled] = re.findall(r'class="button main"[^>]*>([^<]+)<', sampled(pages, "notices").decode())

    for reason in NOTICED:
        assert filled.lower() in ENGLISH.say(f"notice.{reason.code}.do")


def test_nothing_on_the_account_page_is_its_main_action(pages: Pages) -> None:
    """A person who came to look something up would be led to log out."""
    assert b"button main" not in sampled(pages, "account")


def test_the_stylesheet_needs_nothing_from_elsewhere() -> None:
    """A font or picture from another site would tell it who logs in, and the policy would block it."""
    css = STYLESHEET.body.decode()

    assert "url(" not in css
    assert "@import" not in css
    assert len(css) < 12_000
