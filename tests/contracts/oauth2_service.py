"""The conformance kit for services of OAuth 2 at addresses of their own (`providers/oauth2_service.py`).

A test imports this module, not the class: a class in its namespace counts as a kind's own contract.
"""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, ClassVar, Final
from urllib.parse import parse_qs, urlsplit

import pytest

from providers import scope_of
from providers.base import ProviderBroken, SubjectScope
from tests.contracts.provider import ProviderContract
from tests.contracts.provider_cases import MISSING, SHAPES, VERIFIED
from tests.support.bench import Bench
from tests.support.configuration import provider_options
from tests.support.upstream import CLIENT_ID, CLIENT_SECRET

UNVERIFIED: Final[Mapping[str, bool]] = dict.fromkeys(VERIFIED, False)
TEXT: Final[Mapping[str, str]] = {"text": "Abc-1", "with a colon": "a:b", "with a newline": "a\nb"}


class ServiceContract(ProviderContract):
    """A service whose profile is one JSON object at the last of `CALLS`; the upstream says what `PROFILE` is."""

    INAPPLICABLE: ClassVar = {}
    WARM_CALLS: ClassVar = ()
    METHOD: ClassVar[str] = "post"
    """The one way the service lets a client show its secret."""
    PROFILE: ClassVar[Mapping[str, Any]]
    ID: ClassVar[str] = "id"
    NAME: ClassVar[str] = "name"
    HANDLE: ClassVar[str] = ""
    """The member that changes hands; an e-mail address where the service has no handle."""
    FORCED: ClassVar[Mapping[str, str]] = {}
    """What asks the service for a fresh login."""
    OTHER_ID: ClassVar[str] = "9"
    SCOPE: ClassVar[tuple[str, str]]
    """Within what ids are unique; `{url}` is the upstream, `{client_id}` the application."""

    def __init_subclass__(cls) -> None:
        """Nothing is kept between logins of such a service: a later one asks what a first one does."""
        cls.WARM_CALLS = cls.CALLS
        super().__init_subclass__()

    # --- what a subclass may say ------------------------------------------------------------

    def options(self, on: Bench) -> dict[str, str]:
        """Return the options, and let the upstream speak for the service."""
        on.upstream.client_auth = self.METHOD
        on.upstream.answers.setdefault(self.CALLS[-1], deepcopy(dict(self.PROFILE)))
        return {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}

    def person(self, on: Bench) -> dict[str, Any]:
        """Return the object that holds the person's members."""
        answer: dict[str, Any] = on.upstream.answers[self.CALLS[-1]]
        return answer

    def tell_subject(self, on: Bench, subject: object) -> None:
        """Set the id."""
        self._tell(on, self.ID, subject)

    def tell_name(self, on: Bench, name: object) -> None:
        """Set the name."""
        self._tell(on, self.NAME, name)

    def tell_email(self, on: Bench, email: object, verified: object) -> None:
        """Set `email` and `verified`, whether the service has them or not."""
        self._tell(on, "email", email)
        self._tell(on, "verified", verified)

    def _tell(self, on: Bench, member: str, value: object) -> None:
        self.person(on).pop(member, None)
        if value is not MISSING:
            self.person(on)[member] = value

    # --- cases ------------------------------------------------------------------------------

    def test_what_is_pinned_at_the_first_login_stays_the_same(self, on: Bench) -> None:
        """Otherwise the next release refuses to start wherever a person has logged in."""
        issuer, subject = self.SCOPE
        expected = SubjectScope(issuer.format(url=on.upstream.url, client_id=CLIENT_ID), subject)

        assert scope_of(self.KIND, provider_options(self.KIND, self.options(on))) == expected

    @pytest.mark.parametrize(
        "profile", [None, [], "x", 7, {}, {"data": None}, {"data": []}, {"error": {"status": 401}}]
    )
    def test_a_profile_of_another_shape_is_refused(self, on: Bench, profile: object) -> None:
        """Otherwise a person without an id is logged in."""
        on.upstream.answers[self.CALLS[-1]] = profile

        with pytest.raises(ProviderBroken):
            on.log_in()

    @pytest.mark.parametrize("shape", SHAPES)
    def test_members_that_are_information_decide_nothing(self, on: Bench, shape: str) -> None:
        """Otherwise a person without a name or a picture, which services write in many ways, cannot log in."""
        for member in [member for member in self.person(on) if member != self.ID]:
            self.person(on)[member] = SHAPES[shape]
            assert on.log_in().subject

    def test_what_changes_hands_is_never_the_subject(self, on: Bench) -> None:
        """Otherwise the next owner of a name takes the account of the one before."""
        member = self.HANDLE or "email"
        self._tell(on, member, "ada@example.org")
        first = on.log_in()

        self._tell(on, member, "other@example.org")
        renamed = on.log_in()
        self._tell(on, self.ID, self.OTHER_ID)
        self._tell(on, member, "ada@example.org")
        next_owner = on.log_in()

        assert renamed.subject == first.subject
        assert next_owner.subject != first.subject
        assert first.handle == ("ada@example.org" if self.HANDLE else "")

    @pytest.mark.parametrize("status", [400, 401, 403, 429, 503])
    def test_a_profile_that_cannot_be_had_fails_the_login(self, on: Bench, status: int) -> None:
        """Otherwise a busy service lets people in as if it had named them."""
        on.upstream.statuses = {self.CALLS[-1]: status}

        with pytest.raises(ProviderBroken, match=str(status)):
            on.log_in()

    def test_the_access_token_is_in_no_address(self, on: Bench) -> None:
        """Otherwise a token is in the log of every proxy on the way."""
        asked: list[tuple[dict[str, str], str]] = []
        on.upstream.guards[self.CALLS[-1]] = lambda query, token: asked.append((query, token))

        on.log_in()

        [(query, token)] = asked
        assert token
        assert token not in query.values()

    def test_a_fresh_login_is_asked_for_where_the_service_knows_how(self, on: Bench) -> None:
        """Otherwise a person at an unlocked computer confirms as its owner."""
        usual, forced = (_asked(on.begin(force_login=fresh).begun.location) for fresh in (False, True))

        assert {name: value for name, value in forced.items() if name not in usual} == self.FORCED


def _asked(location: str) -> dict[str, str]:
    return {name: value for name, [value] in parse_qs(urlsplit(location).query).items()}
