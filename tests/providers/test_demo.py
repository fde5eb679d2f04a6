"""The demonstration provider: the kit as far as it applies, and why it cannot become a hole."""

from collections.abc import Iterator
from typing import ClassVar, cast
from urllib.parse import parse_qsl, urlsplit

import pytest

from options.option import BadOptions
from providers import build
from providers.base import ProviderBroken
from providers.demo import CODE_LIFE_MS, PEOPLE, DemoOptions, DemoProvider
from providers.kind import ProviderSite
from tests.contracts.provider import ProviderContract
from tests.support.bench import PUBLIC_URL, Bench, Login, bench

_NO_CALL = "it makes no call: its authority is in the same process"
_NO_UPSTREAM = "there is no upstream whose word could be wrong: the page says who it is"


def query(location: str) -> dict[str, str]:
    """Return the parameters of an address."""
    return dict(parse_qsl(urlsplit(location).query, keep_blank_values=True))


def answer(on: Bench, login: Login, *, allow: bool, name: str = "Ida Brook") -> dict[str, str]:
    """Do what the page does with a choice."""
    page = urlsplit(login.begun.location).path
    provider = cast("DemoProvider", on.providers[page.removeprefix("/demo/")])
    request = provider.asked(query(login.begun.location))
    assert request is not None
    location = provider.allow(request, name) if allow else provider.refuse(request)
    assert location is not None
    return query(location)


class TestDemo(ProviderContract):
    """Both sides of it."""

    KIND = "demo"
    PROVES_FRESH_LOGIN = True
    CALLS = ()
    WARM_CALLS = ()
    SUBJECT_OF: ClassVar = {}
    INAPPLICABLE: ClassVar = {
        "test_a_login_says_who_it_is": "the subject is the name that was typed; tested below",
        "test_a_broken_answer_at_any_call_is_a_clear_failure": _NO_CALL,
        "test_a_slow_answer_at_any_call_is_given_up": _NO_CALL,
        "test_a_code_is_sent_once_whatever_happens": _NO_CALL,
        "test_a_provider_works_again_after_an_outage": _NO_CALL,
        "test_no_failure_tells_a_secret": "it has no secret and makes no call; codes are tested below",
        "test_a_token_answer_in_a_form_is_read_too": _NO_CALL,
        "test_a_token_that_is_no_bearer_token_is_not_used_as_one": _NO_CALL,
        "test_a_token_that_is_none_is_not_sent_on": _NO_CALL,
        "test_an_error_in_a_successful_answer_is_an_error": _NO_CALL,
        "test_an_error_that_says_nothing_is_none": _NO_CALL,
        "test_an_error_of_any_shape_is_a_clear_failure": _NO_CALL,
        "test_the_type_of_a_token_may_be_spelt_or_left_out": _NO_CALL,
        "test_members_of_a_token_answer_that_nobody_reads_decide_nothing": _NO_CALL,
        "test_members_nobody_knows_decide_nothing_in_any_document": _NO_CALL,
        "test_members_nobody_knows_may_even_appear_twice": _NO_CALL,
        "test_a_byte_order_mark_is_passed_over": _NO_CALL,
        "test_no_document_whatever_does_more_than_log_in_or_be_refused": _NO_CALL,
        "test_a_subject_is_taken_as_it_is_or_not_at_all": _NO_UPSTREAM,
        "test_an_address_is_verified_only_if_the_provider_says_so": _NO_UPSTREAM,
        "test_an_address_that_is_none_is_dropped_and_never_verified": _NO_UPSTREAM,
        "test_names_of_all_the_world_survive": "names are typed into its page; tested below",
        "test_a_name_cannot_carry_more_than_text": "names are typed into its page; tested below",
    }

    def options(self, on: Bench) -> dict[str, str]:
        """Return its options: none. Its page is answered as `answer` does."""
        on.visit = answer
        return {}


@pytest.fixture
def on() -> Iterator[Bench]:
    """Return a demonstration provider and all around it."""
    with bench() as made:
        made.build("demo", TestDemo().options(made))
        yield made


def typed(on: Bench, name: str) -> tuple[str, str]:
    """Log in under a name; subject and name of the profile."""
    login = on.begin()
    profile = on.finish(login, answer(on, login, allow=True, name=name))
    return profile.subject, profile.name


@pytest.mark.parametrize(
    ("name", "subject", "shown"),
    [
        ("Ida Brook", "ida brook", "Ida Brook"),
        ("  ida   BROOK ", "ida brook", "Ida Brook"),
        ("Zoë 陳", "zoë 陳", "Zoë 陳"),
        ("Straße", "strasse", "Straße"),
        ("\uff21\uff24\uff21", "ada", "\uff21\uff24\uff21"),
        ("Ada \u202e\x00<b>", "ada <b>", "Ada <b>"),
        ("a:b", "a:b", "a:b"),
    ],
)
def test_the_same_name_is_the_same_person(on: Bench, name: str, subject: str, shown: str) -> None:
    """Otherwise who tries the demonstration twice finds two accounts."""
    assert typed(on, name) == (subject, shown)


@pytest.mark.parametrize("name", ["", "   ", "\u202e\x00", "\ud800"])
def test_nobody_is_not_a_person(on: Bench, name: str) -> None:
    """Otherwise an empty form logs somebody in."""
    provider = cast("DemoProvider", on.provider)
    request = provider.asked(query(on.begin().begun.location))
    assert request is not None

    assert provider.allow(request, name) is None


def test_a_name_of_any_length_is_a_subject_that_can_be_kept(on: Bench) -> None:
    """Otherwise a long name breaks the login after the page accepted it."""
    with pytest.raises(ProviderBroken, match="longer"):
        typed(on, "\U00010400" * 200)
    assert len(typed(on, "x" * 5000)[0]) == 200


@pytest.mark.parametrize("person", PEOPLE, ids=lambda person: person.handle)
def test_the_offered_people_have_unverified_addresses(on: Bench, person: object) -> None:
    """Otherwise the demonstration shows a trust that it does not have."""
    login = on.begin()

    profile = on.finish(login, answer(on, login, allow=True, name=getattr(person, "name", "")))

    assert profile.email.endswith("@demo.example")
    assert profile.email_verified is False


def test_a_code_lives_for_a_minute(on: Bench) -> None:
    """Otherwise a code found in a history the next day is a login."""
    login = on.begin()
    params = on.come_back(login)
    on.clock.advance(CODE_LIFE_MS)

    with pytest.raises(ProviderBroken):
        on.finish(login, params)


def test_codes_that_nobody_redeems_do_not_pile_up(on: Bench) -> None:
    """Otherwise a script fills the memory."""
    login = on.begin()
    first = on.come_back(login)
    for _ in range(1_000):
        on.come_back(login)

    with pytest.raises(ProviderBroken):
        on.finish(login, first)


@pytest.mark.parametrize(
    "changed",
    [
        {"redirect_uri": "https://evil.example/"},
        {"redirect_uri": f"{PUBLIC_URL}/login/other/callback"},
        {"redirect_uri": f"{PUBLIC_URL}/login/under-test/callback?x=1"},
        {"code_challenge": ""},
        {"code_challenge": "é"},
        {"code_challenge_method": "plain"},
        {"state": ""},
    ],
)
def test_the_page_answers_only_logins_of_its_own(on: Bench, changed: dict[str, str]) -> None:
    """Otherwise the page sends people, with a code, wherever an address says (an open redirect)."""
    provider = cast("DemoProvider", on.provider)

    assert provider.asked({**query(on.begin().begun.location), **changed}) is None


def test_what_the_page_carries_is_what_it_was_asked(on: Bench) -> None:
    """Otherwise the form loses a part of the login on its way through the browser."""
    provider = cast("DemoProvider", on.provider)
    request = provider.asked(query(on.begin().begun.location))
    assert request is not None

    assert provider.asked(request.carried()) == request


@pytest.mark.parametrize(
    "url",
    ["https://login.example", "http://192.168.1.7:8887", "https://localhost.evil.example", "http://[2001:db8::1]", ""],
)
def test_it_refuses_to_exist_where_others_can_reach_it(url: str) -> None:
    """Otherwise a demonstration left running lets anybody be anybody."""
    site = ProviderSite(public_url=url, clock=lambda: 0, random_bytes=bytes, demo=True)

    with pytest.raises(BadOptions, match="this machine"):
        build("demo", "demo", DemoOptions(), site=site)


@pytest.mark.parametrize("url", ["http://localhost:8887", "http://127.0.0.1:8887", "http://[::1]:8887"])
def test_it_refuses_to_exist_outside_a_demonstration(url: str) -> None:
    """Otherwise one line too many in a configuration opens every account."""
    site = ProviderSite(public_url=url, clock=lambda: 0, random_bytes=bytes)

    with pytest.raises(BadOptions, match="demonstration"):
        build("demo", "demo", DemoOptions(), site=site)
