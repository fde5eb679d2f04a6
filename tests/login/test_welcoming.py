"""Choosing a username: what is carried, what is used once, how many names may be asked for."""

from dataclasses import replace
from random import Random
from uuid import UUID

import pytest

from identity.accounts.results import NameTaken, SignUp, SignUpOutcome
from identity.accounts.usernames import NameProblem
from identity.errors import FlowInvalid, NotFound, StoreUnavailable, TooOften
from identity.login.carrying import LONGEST
from identity.login.flow import SIGN_UP_MS
from identity.login.results import AskAgain, LoggedIn, LoginBusy, NeedsUsername
from providers.base import ProviderProfile
from tests.support.logins import LoginSite
from tests.support.scripted import person
from tests.support.steps import CHARACTERS, asked, choose, visit


def test_somebody_who_is_asked_for_a_name_costs_a_marker_and_no_more(site: LoginSite) -> None:
    """Otherwise one identity that logs in again and again would fill the store with sign-ups."""
    needs = [asked(site) for _ in range(3)]

    assert site.kept() == 3
    assert {len(item.value.data) for item in site.cache._items.values()} == {26}
    assert len({each.reference for each in needs}) == 3


@pytest.mark.parametrize(
    ("profile", "label"),
    [
        (ProviderProfile("1", email_verified=False, handle="ada", name="Ada", email="ada@example.com"), "ada"),
        (ProviderProfile("1", email_verified=False, name="Ada", email="ada@example.com"), "ada@example.com"),
        (ProviderProfile("1", email_verified=False, name="Ada"), "Ada"),
        (ProviderProfile("1", email_verified=False), ""),
    ],
    ids=["handle", "address", "name", "nothing"],
)
def test_a_way_to_log_in_is_labelled_by_what_its_owner_recognises(
    site: LoginSite, profile: ProviderProfile, label: str
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

    assert chosen == LoginBusy()
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

    assert isinstance(chosen, LoggedIn)
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

    assert isinstance(choose(site, needs, "ada"), LoggedIn)


def test_a_sign_up_fits_its_cookie_whatever_a_provider_says(site: LoginSite) -> None:
    """Otherwise people with a long name or picture could never choose a username."""
    chance = Random(2)

    def noise(length: int) -> str:
        return "".join(chr(chance.randrange(0x4E00, 0x9FA5)) for _ in range(length))

    told = ProviderProfile(
        "s" * 200, email_verified=True, handle=noise(200), name=noise(200), email=noise(320), picture=noise(9)
    )
    started = site.logins.start("github", return_to="/" + "".join(chance.choices(CHARACTERS, k=1_500)))
    flow = site.logins.take(started.flow.state, "github", site.logins.keep(started, {}))

    needs = site.logins.finish(flow, told, visit(site))

    assert isinstance(needs, NeedsUsername)
    assert len(needs.binding) <= LONGEST
    assert site.logins.welcome(needs.reference, needs.binding).record.person.handle == told.handle[:64]


def test_an_identity_asks_for_twenty_different_names(site: LoginSite) -> None:
    """Otherwise one sign-up could find out who has an account, and keep the account store busy with claims."""
    for number in range(20):
        choose(site, asked(site, person(f"p{number}")), f"taken{number}")
    needs = asked(site)
    for number in range(20):
        assert isinstance(choose(site, needs, f"taken{number}"), AskAgain)

    with pytest.raises(TooOften) as refusal:
        choose(site, needs, "another")

    assert (refusal.value.code, refusal.value.retry_after_s) == ("too-many-names", 900)
    assert len(list(site.store.usernames.scan())) == 20


def test_a_new_sign_up_of_the_same_identity_begins_no_new_count(site: LoginSite) -> None:
    """Otherwise logging in again would be the way around the limit."""
    choose(site, asked(site, person("bob")), "taken")
    for number in range(20):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(site.accounts, "sign_up", lambda request: NameTaken(request.username, ()))
            choose(site, asked(site), f"name{number}")

    with pytest.raises(TooOften):
        choose(site, asked(site), "another")

    assert isinstance(choose(site, asked(site, person("eve")), "another"), LoggedIn)
    site.clock.advance(SIGN_UP_MS)
    assert isinstance(choose(site, asked(site), "yet-another"), LoggedIn)


def test_the_same_name_in_another_spelling_counts_once(site: LoginSite) -> None:
    """Otherwise somebody who tries again after an outage would use up their names."""
    choose(site, asked(site, person("bob")), "taken")
    needs = asked(site)
    for spelt in ("taken", "Taken", "TAKEN", "no", "x", "a b") * 8:
        assert isinstance(choose(site, needs, spelt), AskAgain)

    assert isinstance(choose(site, needs, "mine"), LoggedIn)


def test_a_form_that_is_being_dealt_with_is_in_one_hand(site: LoginSite) -> None:
    """Otherwise a double click would ask for two names at once."""
    needs = asked(site)

    def twice(_: SignUp) -> SignUpOutcome:
        with pytest.raises(FlowInvalid, match="sign-up-invalid"):
            choose(site, needs, "second")
        with pytest.raises(FlowInvalid, match="sign-up-invalid"):
            site.logins.welcome(needs.reference, needs.binding)
        raise StoreUnavailable(detail="away")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(site.accounts, "sign_up", twice)
        with pytest.raises(StoreUnavailable):
            choose(site, needs, "first")

    assert isinstance(choose(site, needs, "first"), LoggedIn)
