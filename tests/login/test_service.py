"""The login service: records that are used once and put back, and what each step takes from where."""

from dataclasses import replace
from uuid import UUID

import pytest

from identity.accounts.results import SignUp, SignUpOutcome
from identity.accounts.usernames import NameProblem
from identity.errors import FlowInvalid, NotFound, ProviderTrouble, StoreUnavailable
from identity.login.flow import FLOW_MS, SIGN_UP_MS, Flaw, Flow
from identity.login.packing import unpack_flow
from identity.login.results import AskAgain, Busy, NeedsUsername, SignedIn, Started, Visit
from identity.login.store import Kind
from identity.sessions.check import Check
from providers.base import Profile
from tests.support.logins import LoginSite
from tests.support.scripted import person


@pytest.fixture
def site() -> LoginSite:
    """Give the services and stores of a daemon that is not started."""
    return LoginSite()


def visit(site: LoginSite) -> Visit:
    """Return a request of a browser without cookies."""
    return Visit(Check(cookies=(), host=site.host), "192.0.2.7", "r-1")


def begun(site: LoginSite, provider: str = "github") -> Started:
    """Begin a login and keep it."""
    started = site.logins.start(provider)
    site.logins.keep(started, {"proof": "p"})
    return started


def taken(site: LoginSite, started: Started) -> Flow:
    """Bring the answer to a login."""
    return site.logins.take(started.flow.state, started.flow.provider, started.binding)


def asked(site: LoginSite, profile: Profile | None = None) -> NeedsUsername:
    """Log in as somebody who is new."""
    outcome = site.logins.finish(taken(site, begun(site)), profile or person("ada"), visit(site))
    assert isinstance(outcome, NeedsUsername)
    return outcome


def choose(site: LoginSite, needs: NeedsUsername, username: str) -> SignedIn | AskAgain | Busy:
    """Send the username form."""
    chosen = site.logins.choose_username(needs.reference, needs.binding, username, visit(site))
    assert isinstance(chosen, SignedIn | AskAgain | Busy)
    return chosen


def test_what_the_provider_wanted_back_is_there_at_the_end(site: LoginSite) -> None:
    """Otherwise a provider with a secret of its own per login (OAuth 1.0a) could not finish."""
    started = begun(site)

    flow = taken(site, started)

    assert flow.kept == {"proof": "p"}
    assert site.logins.start_of(flow) == started.start


def test_a_login_can_ask_for_a_fresh_login_at_the_provider(site: LoginSite) -> None:
    """Otherwise proving oneself again would be answered by the provider's own session."""
    assert site.logins.start("github", force_login=True).start.force_login
    assert not site.logins.start("github").start.force_login


def test_a_login_is_taken_once(site: LoginSite) -> None:
    """Otherwise an address from a history would be a way in."""
    started = begun(site)
    taken(site, started)

    with pytest.raises(FlowInvalid) as refusal:
        taken(site, started)

    assert refusal.value.detail == Flaw.ABSENT.value


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

    assert details == {Flaw.OTHER_PROVIDER.value, Flaw.OTHER_BROWSER.value}
    assert len(sentences) == 1


def test_a_record_is_kept_under_a_name_that_is_not_its_state(site: LoginSite) -> None:
    """Otherwise whoever lists the cache's keys would hold half of every login."""
    started = begun(site)

    assert not [key for key in site.cache._items if started.flow.state in key]


def test_a_record_holds_no_secret_of_the_browser(site: LoginSite) -> None:
    """Otherwise whoever reads the cache could finish people's logins."""
    started = begun(site)
    needs = asked(site)

    values = b"".join(item.value.data for item in site.cache._items.values())
    assert started.flow.state.encode() in values
    assert started.binding.encode() not in values
    assert needs.binding.encode() not in values


def test_a_login_lasts_as_long_in_the_store_as_by_its_rule(site: LoginSite) -> None:
    """Otherwise the store would end logins that may go on."""
    started = begun(site)
    site.clock.advance(FLOW_MS - 1)

    assert taken(site, started)


@pytest.mark.parametrize("subject", ["", "x" * 256, "\ud800"])
def test_a_subject_that_names_nobody_is_the_providers_fault(site: LoginSite, subject: str) -> None:
    """Otherwise two people could be one identity."""
    flow = taken(site, begun(site))

    with pytest.raises(ProviderTrouble):
        site.logins.finish(flow, Profile(subject, email_verified=False), visit(site))


def test_the_same_subject_of_two_tenants_is_two_people(site: LoginSite) -> None:
    """Otherwise an id that one company hands out would open another's account."""
    for tenant, name in (("one", "ada-one"), ("two", "ada-two")):
        choose(site, asked(site, Profile("ada", email_verified=False, tenant=tenant)), name)

    assert {row.key for row in site.store.identities.scan()} == {"github:one:ada", "github:two:ada"}


def test_what_a_provider_says_is_cut_and_cleaned(site: LoginSite) -> None:
    """Otherwise a hostile provider could fill the store, or break the page."""
    profile = Profile(
        "ada",
        email_verified=True,
        handle="a" * 9_000,
        name="A\u202eda\x00\ud800 L",
        email="e" * 9_000,
        picture="https://example.com/" + "p" * 9_000,
        auth_at=-5,
    )

    needs = asked(site, profile)
    told = site.logins.welcome(needs.reference, needs.binding).record.person

    assert (len(told.handle), told.name, len(told.email), len(told.picture)) == (200, "Ada L", 320, 2_000)
    assert told.auth_at == 0


@pytest.mark.parametrize(
    ("profile", "label"),
    [
        (Profile("1", email_verified=False, handle="ada", name="Ada", email="ada@example.com"), "ada"),
        (Profile("1", email_verified=False, name="Ada", email="ada@example.com"), "ada@example.com"),
        (Profile("1", email_verified=False, name="Ada"), "Ada"),
        (Profile("1", email_verified=False), ""),
    ],
    ids=["handle", "address", "name", "nothing"],
)
def test_a_way_to_log_in_is_labelled_by_what_its_owner_recognises(
    site: LoginSite, profile: Profile, label: str
) -> None:
    """Otherwise the account page would list numbers."""
    choose(site, asked(site, profile), "ada")

    [account] = site.store.accounts.scan()
    assert [linked.label for linked in account.identities.values()] == [label]


def test_the_form_is_put_back_under_the_same_claim_and_time(site: LoginSite) -> None:
    """Otherwise a lost name would block its own next try, or keep the proof open for ever."""
    needs = asked(site)
    before = site.logins.welcome(needs.reference, needs.binding).record
    site.clock.advance(60_000)

    again = choose(site, needs, "no")

    assert isinstance(again, AskAgain)
    assert again.problem is NameProblem.TOO_SHORT
    assert site.logins.welcome(needs.reference, needs.binding).record == before


def test_a_form_that_ran_out_while_it_was_judged_is_over(site: LoginSite) -> None:
    """Otherwise a record would be put back that the store refuses: an error of ours."""
    needs = asked(site)
    sign_up = site.accounts.sign_up

    def slow(request: SignUp) -> SignUpOutcome:
        site.clock.advance(SIGN_UP_MS)
        return sign_up(request)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(site.accounts, "sign_up", slow)
        with pytest.raises(FlowInvalid) as refusal:
            choose(site, needs, "no")

    assert refusal.value.code == "sign-up-invalid"


def test_an_outage_that_outlasts_the_form_is_an_outage(site: LoginSite) -> None:
    """Otherwise the person would be told that the form is at fault."""
    needs = asked(site)

    def away(_: SignUp) -> SignUpOutcome:
        site.clock.advance(SIGN_UP_MS)
        raise StoreUnavailable(detail="away")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(site.accounts, "sign_up", away)
        with pytest.raises(StoreUnavailable):
            choose(site, needs, "ada")


def test_a_mistake_of_ours_is_not_hidden_by_putting_the_form_back(site: LoginSite) -> None:
    """Otherwise a defect would look like an outage."""
    needs = asked(site)
    site.stop_at = "sign-up.identity-claimed"

    with pytest.raises(Exception, match=r"sign-up\.identity-claimed"):
        choose(site, needs, "ada")


def test_an_identity_unlinked_right_after_its_sign_up_is_asked_to_try_again(site: LoginSite) -> None:
    """Otherwise a race with an operator would open a session to an account that no longer lists it."""
    needs = asked(site)
    sign_up = site.accounts.sign_up

    def unlinked(request: SignUp) -> SignUpOutcome:
        outcome = sign_up(request)
        [account] = site.store.accounts.scan()
        site.store.accounts.replace(replace(account, identities={}, op=UUID(int=9)), expected=account)
        return outcome

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(site.accounts, "sign_up", unlinked)
        chosen = choose(site, needs, "ada")

    assert chosen == Busy()
    assert site.logins.welcome(needs.reference, needs.binding)


def test_a_name_that_was_lost_after_the_commit_is_asked_for_again(site: LoginSite) -> None:
    """Otherwise somebody whose sign-up was interrupted would own an account without a name."""
    needs = asked(site)
    site.stop_at = "sign-up.committed"
    with pytest.raises(Exception, match="committed"):
        choose(site, needs, "wanted")
    site.stop_at = ""
    site.clock.advance(SIGN_UP_MS + 1)
    choose(site, asked(site, person("bob")), "wanted")

    chosen = choose(site, asked(site, person("ada")), "other")

    assert isinstance(chosen, SignedIn)
    assert {row.username for row in site.store.accounts.scan()} == {"wanted", "other"}


def test_a_switched_off_provider_shows_and_finishes_no_form(site: LoginSite) -> None:
    """Otherwise its people could go on signing up."""
    needs = asked(site)
    del site.providers["github"]

    with pytest.raises(NotFound):
        site.logins.welcome(needs.reference, needs.binding)
    with pytest.raises(NotFound):
        choose(site, needs, "ada")


def test_a_form_without_its_cookie_uses_nothing_up(site: LoginSite) -> None:
    """Otherwise a link would be enough to end somebody's sign-up."""
    needs = asked(site)

    with pytest.raises(FlowInvalid, match="sign-up-invalid"):
        site.logins.welcome(needs.reference, None)
    with pytest.raises(FlowInvalid, match="sign-up-invalid"):
        site.logins.choose_username(needs.reference, None, "ada", visit(site))

    assert isinstance(choose(site, needs, "ada"), SignedIn)


def test_a_return_address_is_made_safe_before_it_is_kept(site: LoginSite) -> None:
    """Otherwise the check would have to be repeated wherever a record is read."""
    started = site.logins.start("github", return_to="https://evil.example/")
    site.logins.keep(started, {})
    name = next(key for key in site.cache._items if key.startswith("f1:")).removeprefix("f1:")

    body = site.one_time.peek(Kind.FLOW, name)

    assert body is not None
    assert unpack_flow(body).return_to == "/account"


def test_an_outage_while_keeping_a_login_is_told(site: LoginSite) -> None:
    """Otherwise people would be sent to a provider and come back to nothing."""
    started = site.logins.start("github")

    with site.records_full(), pytest.raises(StoreUnavailable):
        site.logins.keep(started, {})

    assert site.counted("started") == 0
