"""The login service: logins that are used once, and what each step takes from where."""

from random import Random

import pytest

from identity.errors import FlowInvalid, ProviderTrouble, StoreUnavailable
from identity.login.carrying import LONGEST
from identity.login.flow import FLOW_MS, Flaw
from identity.login.results import NeedsUsername
from providers.base import ProviderProfile
from tests.support.logins import LoginSite
from tests.support.scripted import person
from tests.support.steps import CHARACTERS, asked, begun, choose, taken, visit


def test_what_the_provider_wanted_back_is_there_at_the_end(site: LoginSite) -> None:
    """Otherwise a provider with a secret of its own per login (OAuth 1.0a) could not finish."""
    started = begun(site)

    flow = taken(site, started)

    assert flow.kept == {"proof": "p"}
    assert site.logins.start_of(flow) == started.started.start


def test_a_login_can_ask_for_a_fresh_login_at_the_provider(site: LoginSite) -> None:
    """Otherwise proving oneself again would be answered by the provider's own session."""
    assert site.logins.start("github", force_login=True).start.force_login
    assert not site.logins.start("github").start.force_login


def test_a_login_is_used_once(site: LoginSite) -> None:
    """Otherwise an address from a history would be a way in."""
    started = begun(site)
    site.logins.finish(taken(site, started), person("ada"), visit(site))

    with pytest.raises(FlowInvalid) as refusal:
        taken(site, started)

    assert refusal.value.detail == Flaw.USED.value


def test_of_two_who_were_both_proven_by_one_login_one_goes_on(site: LoginSite) -> None:
    """Otherwise an answer that is brought twice at the same moment would open two sessions."""
    started = begun(site)
    first, second = taken(site, started), taken(site, started)
    site.logins.finish(first, person("ada"), visit(site))

    with pytest.raises(FlowInvalid) as refusal:
        site.logins.finish(second, person("ada"), visit(site))

    assert refusal.value.detail == Flaw.USED.value


def test_whether_a_login_was_used_may_stay_unknown(site: LoginSite) -> None:
    """Otherwise a marker that may not have been written would let an answer in twice."""
    flow = taken(site, begun(site))

    with site.store_away(), pytest.raises(StoreUnavailable):
        site.logins.finish(flow, person("ada"), visit(site))


def test_a_provider_that_takes_its_time_is_no_mistake_of_ours(site: LoginSite) -> None:
    """Otherwise a login whose last moment was spent at the provider would be a 500."""
    flow = taken(site, begun(site))
    site.clock.advance(2 * FLOW_MS)

    assert isinstance(site.logins.finish(flow, person("ada"), visit(site)), NeedsUsername)


def test_a_provider_that_wants_too_much_back_is_told(site: LoginSite) -> None:
    """Otherwise a browser would drop the cookie, and people be told that they refuse cookies."""
    with pytest.raises(ProviderTrouble):
        site.logins.keep(site.logins.start("github"), {"proof": "p" * 1_024})


@pytest.mark.parametrize("binding", [None, ""])
def test_without_the_cookie_nothing_is_used_up(site: LoginSite, binding: str | None) -> None:
    """Otherwise a program that fetches addresses would end logins."""
    started = begun(site)

    with pytest.raises(FlowInvalid) as refusal:
        site.logins.take(started.flow.state, "github", binding)

    assert refusal.value.detail == Flaw.NO_COOKIE.value
    assert taken(site, started).state == started.flow.state


def test_the_log_says_which_rule_refused_and_the_person_hears_one_sentence(site: LoginSite) -> None:
    """Otherwise an operator could not help, or an attacker would learn which guess was right."""
    details, sentences = set(), set()
    for provider, binding in (("google", "right"), ("github", "wrong")):
        started = begun(site)
        with pytest.raises(FlowInvalid) as refusal:
            site.logins.take(started.flow.state, provider, started.binding if binding == "right" else "x" * 43)
        details.add(refusal.value.detail)
        sentences.add(refusal.value.public)

    assert details == {Flaw.OTHER_PROVIDER.value, Flaw.FORGED.value}
    assert len(sentences) == 1


def test_a_record_is_kept_under_a_name_that_is_not_its_state(site: LoginSite) -> None:
    """Otherwise whoever lists the cache's keys would hold half of every login."""
    started = begun(site)
    site.logins.finish(taken(site, started), person("ada"), visit(site))

    assert site.kept() == 1
    assert not [key for key in site.cache._items if started.flow.state in key]


def test_a_browser_reads_no_secret_in_what_it_carries(site: LoginSite) -> None:
    """Otherwise the verifier, or a provider's token secret, would lie open on people's computers."""
    started = begun(site)

    for secret in (started.flow.state, started.flow.verifier, started.flow.nonce, "proof"):
        assert secret not in started.binding


def test_a_login_may_be_finished_in_its_last_moment(site: LoginSite) -> None:
    """Otherwise what carries it would end logins that may go on."""
    started = begun(site)
    site.clock.advance(FLOW_MS - 1)

    assert taken(site, started)


@pytest.mark.parametrize("subject", ["", "x" * 256, "\ud800"])
def test_a_subject_that_names_nobody_is_the_providers_fault(site: LoginSite, subject: str) -> None:
    """Otherwise two people could be one identity."""
    flow = taken(site, begun(site))

    with pytest.raises(ProviderTrouble):
        site.logins.finish(flow, ProviderProfile(subject, email_verified=False), visit(site))


def test_the_same_subject_of_two_tenants_is_two_people(site: LoginSite) -> None:
    """Otherwise an id that one company hands out would open another's account."""
    for tenant, name in (("one", "ada-one"), ("two", "ada-two")):
        choose(site, asked(site, ProviderProfile("ada", email_verified=False, tenant=tenant)), name)

    assert {row.key for row in site.store.identities.scan()} == {"github:one:ada", "github:two:ada"}


def test_what_a_provider_says_is_cut_and_cleaned(site: LoginSite) -> None:
    """Otherwise a hostile provider could fill the store, or break the page."""
    profile = ProviderProfile(
        "ada",
        email_verified=True,
        handle="a" * 9_000,
        name="A\u202eda\x00\ud800 L",
        email="e" * 9_000,
        picture="https://example.com/" + "p" * 9_000,
        auth_at=-5,
    )

    needs = asked(site, profile)
    assert len(needs.binding) <= LONGEST
    told = site.logins.welcome(needs.reference, needs.binding).record.person

    assert (len(told.handle), told.said.name, len(told.said.email), told.said.picture) == (200, "Ada L", 320, "")
    assert told.auth_at == 0


def test_a_return_address_is_made_safe_before_it_is_kept(site: LoginSite) -> None:
    """Otherwise the check would have to be repeated wherever a record is read."""
    started = site.logins.start("github", return_to="https://evil.example/")
    binding = site.logins.keep(started, {})

    assert site.logins.take(started.flow.state, "github", binding).return_to == "/account"


def test_a_login_begins_without_any_store(site: LoginSite) -> None:
    """Otherwise a full store would keep everybody from logging in, and strangers could fill it."""
    with site.store_away():
        begun(site)

    assert site.counted("started") == 1


@pytest.mark.parametrize(
    ("asked", "leads"),
    [
        ("/page?q=" + "a" * 2_000, "/page?q=" + "a" * 2_000),
        ("/page?q=", "/page"),
        ("/", "/account"),
        ("https://wiki.example/Main?q=", "https://wiki.example/Main"),
        ("/continue?host=wiki.example&start=x&path=/", "/continue?host=wiki.example&start=x"),
    ],
    ids=["compresses", "query", "path", "application", "on the way"],
)
def test_an_address_too_long_for_a_cookie_is_shortened(site: LoginSite, asked: str, leads: str) -> None:
    """Otherwise a long address would keep its owner from logging in."""
    chance = Random(1)
    long = asked if len(asked) > 1_000 else asked + "".join(chance.choices(CHARACTERS, k=2_000))
    started = site.logins.start("github", return_to=long)
    assert started.flow.return_to == long
    binding = site.logins.keep(started, {"secret": "".join(chance.choices(CHARACTERS, k=200))})

    flow = site.logins.take(started.flow.state, "github", binding)

    assert len(binding) <= LONGEST
    assert flow.return_to == leads
