"""Twitter with OAuth 1.0a: the kit, and its own traps."""

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from providers.base import ProviderBroken
from tests.contracts.provider_cases import MISSING, SHAPES, VERIFIED
from tests.contracts.provider_oauth1 import OAuth1Contract
from tests.support.bench import Bench, bench
from tests.support.oauth1 import ACCESS_TOKEN, CONSUMER_KEY, CONSUMER_SECRET, REQUEST_TOKEN, VERIFY_CREDENTIALS


def user(on: Bench) -> dict[str, Any]:
    """Return what `verify_credentials` answers, to be changed."""
    found: dict[str, Any] = on.upstream.oauth1.documents[VERIFY_CREDENTIALS]
    return found


class TestTwitter1(OAuth1Contract):
    """Twitter's addresses, on loopback."""

    KIND = "twitter1"
    CALLS = (REQUEST_TOKEN, ACCESS_TOKEN, VERIFY_CREDENTIALS)
    WARM_CALLS = CALLS
    SUBJECT_OF: ClassVar = {"a number": "12345"}
    # Twitter has no word for it: an address that it did not check is null.
    VERIFIED_OF: ClassVar = {name: value is True for name, (value, _) in VERIFIED.items()}

    def options(self, on: Bench) -> dict[str, str]:
        """Return the options."""
        return {"url": on.upstream.url, "consumer_key": CONSUMER_KEY, "consumer_secret": CONSUMER_SECRET}

    def tell_subject(self, on: Bench, subject: object) -> None:
        """Set `id_str`, which has numbers as text."""
        user(on).pop("id_str")
        if subject is not MISSING:
            user(on)["id_str"] = str(subject) if type(subject) is int else subject

    def tell_name(self, on: Bench, name: object) -> None:
        """Set `name`."""
        user(on)["name"] = name

    def tell_email(self, on: Bench, email: object, verified: object) -> None:
        """Set `email` as Twitter does."""
        user(on)["email"] = email if verified is True else None


@pytest.fixture
def on() -> Iterator[Bench]:
    """Return a Twitter provider and all around it."""
    with bench() as made:
        made.build("twitter1", TestTwitter1().options(made))
        yield made


def test_the_handle_is_a_suggestion_and_never_the_subject(on: Bench) -> None:
    """Otherwise who takes a handle that somebody gave up takes the account too."""
    user(on).update(id_str="7", screen_name="gave_up")

    profile = on.log_in()

    assert (profile.subject, profile.handle) == ("7", "gave_up")


def test_an_id_too_large_for_a_fraction_is_kept_whole(on: Bench) -> None:
    """Otherwise two people's ids are rounded to one, as `id` is in many parsers."""
    user(on).update(id=9007199254740993, id_str="9007199254740993")

    assert on.log_in().subject == "9007199254740993"


@pytest.mark.parametrize("subject", ["0", "007", "-1", "1.5", "1e3", " 1", "1\n", "\u0661", "9" * 21, "ada_q"])
def test_only_one_spelling_of_a_number_is_an_id(on: Bench, subject: str) -> None:
    """Otherwise one person has several accounts, or a handle is taken for an id."""
    user(on)["id_str"] = subject

    with pytest.raises(ProviderBroken):
        on.log_in()


def test_an_address_is_asked_for_and_nothing_else_that_costs(on: Bench) -> None:
    """Otherwise everybody is without an address, or each login fetches somebody's last posts."""
    on.log_in()

    asked = next(each.query for each in on.upstream.seen if each.path == VERIFY_CREDENTIALS)
    assert asked == "include_email=true&include_entities=false&skip_status=true"


def test_an_address_that_is_not_sent_is_none(on: Bench) -> None:
    """Otherwise an app that may not ask for addresses logs nobody in."""
    user(on).pop("email", None)

    assert (on.log_in().email, on.log_in().email_verified) == ("", False)


def test_a_fresh_login_is_asked_for_in_twitters_word(on: Bench) -> None:
    """Otherwise somebody else's Twitter session on a shared machine answers."""
    assert on.begin(force_login=True).begun.location.endswith("&force_login=true")
    assert "force_login" not in on.begin().begun.location


@pytest.mark.parametrize(
    "name", ["id", "screen_name", "name", "email", "profile_image_url_https", "verified", "status"]
)
@pytest.mark.parametrize("shape", SHAPES)
def test_members_that_are_information_decide_nothing(on: Bench, name: str, shape: str) -> None:
    """Otherwise somebody without a name, or with a picture of an odd kind, cannot log in."""
    user(on)[name] = SHAPES[shape]

    assert on.log_in().subject == "38895958"


@pytest.mark.parametrize("found", [None, [], "x", {}, 7])
def test_a_profile_that_is_none_is_refused(on: Bench, found: object) -> None:
    """Otherwise nobody in particular is logged in."""
    on.upstream.oauth1.documents[VERIFY_CREDENTIALS] = found

    with pytest.raises(ProviderBroken):
        on.log_in()
