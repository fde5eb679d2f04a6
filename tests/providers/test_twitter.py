"""Twitter with OAuth 2: the kit, and its own traps."""

from typing import Any, ClassVar, Final

import pytest

from providers.base import ProviderBroken
from providers.twitter import read
from tests.contracts import oauth2_service
from tests.support.bench import Bench

ME: Final = "/api.x.com/2/users/me"
PICTURE: Final = "https://pbs.twimg.com/profile_images/1/a_normal.jpg"
ERRORS: Final = [{"title": "Field Authorization Error", "detail": "<b>", "status": 403, "id": "1", "data": {"id": "1"}}]


class TestTwitter(oauth2_service.ServiceContract):
    """X's API, which wants Basic and wraps the user."""

    KIND = "twitter"
    SCOPE = ("https://api.x.com", "id")
    CALLS = ("/api.x.com/2/oauth2/token", ME)
    METHOD = "basic"
    PROFILE: ClassVar = {"data": {"id": "2244994945", "name": "Ada", "username": "ada", "profile_image_url": PICTURE}}
    HANDLE = "username"
    SUBJECT_OF: ClassVar = {"a number": "12345"}
    VERIFIED_OF: ClassVar = oauth2_service.UNVERIFIED

    def person(self, on: Bench) -> dict[str, Any]:
        """Return what is in the envelope."""
        person: dict[str, Any] = on.upstream.answers[ME]["data"]
        return person

    def test_errors_beside_a_user_decide_nothing(self, on: Bench) -> None:
        """Otherwise a field X keeps back locks people out."""
        on.upstream.answers[ME]["errors"] = ERRORS

        assert on.log_in().subject == "2244994945"

    @pytest.mark.parametrize("answer", [{"errors": ERRORS}, {"data": None, "errors": ERRORS}, {"id": "1"}], ids=repr)
    def test_errors_without_a_user_are_no_login(self, on: Bench, answer: object) -> None:
        """Otherwise an id from a list of errors, or beside the envelope, is a person."""
        on.upstream.answers[ME] = answer

        with pytest.raises(ProviderBroken, match="the id is missing"):
            on.log_in()

    def test_the_person_is_shown_as_they_show_themselves(self, on: Bench) -> None:
        """Otherwise there is nothing to suggest as a username, and no picture."""
        profile = on.log_in()

        assert (profile.handle, profile.name, profile.picture, profile.email) == ("ada", "Ada", PICTURE, "")


@pytest.mark.parametrize("shown", ["2244994945", 2244994945], ids=repr)
def test_an_id_is_the_same_as_text_and_as_a_number(shown: object) -> None:
    """Otherwise people become strangers when an API writes ids the other way."""
    assert read({"data": {"id": shown}}).subject == "2244994945"


@pytest.mark.parametrize("shown", ["ada", "0", "007", "1.0", "-1", "\u0661"])
def test_an_id_that_is_not_one_is_refused(shown: str) -> None:
    """Otherwise a username, or one id in two spellings, is a subject."""
    with pytest.raises(ProviderBroken):
        read({"data": {"id": shown}})
