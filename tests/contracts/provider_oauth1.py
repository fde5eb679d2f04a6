"""The part of the conformance kit for OAuth 1.0a: what stands in the place of PKCE, codes and token types.

The server (tests/support/oauth1.py) verifies what is sent on its own, from RFC 5849.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Final
from urllib.parse import parse_qs, urlsplit

import pytest

from providers.base import ProviderBroken, ProviderDenied
from tests.contracts.provider import ProviderContract
from tests.contracts.provider_cases import NO
from tests.support.bench import Bench
from tests.support.clock import ManualClock
from tests.support.oauth1 import ACCESS_TOKEN, CONSUMER_SECRET, REQUEST_TOKEN, parameters_of
from tests.support.upstream import Stranded

TOKENS: Final = (REQUEST_TOKEN, ACCESS_TOKEN)
_NO_TYPES: Final = "RFC 5849 has no token types; how a request is signed is configured"


def members(**changes: str | None) -> Callable[[Any], Any]:
    """Return an edit that sets members of a token answer; None takes one out."""
    return lambda said: {**said, **changes}


class OAuth1Contract(ProviderContract):
    """Subclass as `Test…`."""

    PROOF = "oauth_verifier"
    INAPPLICABLE: ClassVar[Mapping[str, str]] = {
        "test_the_browser_is_sent_with_a_challenge": "the browser carries a request token instead, below",
        "test_the_browser_is_sent_with_the_state_and_no_secret": "the browser carries a request token instead, below",
        "test_a_code_without_its_verifier_is_worthless": "the request token's secret is what PKCE is elsewhere, below",
        "test_a_code_is_sent_with_the_callback_address_it_was_made_for": "the address is bound to the request token",
        "test_a_token_answer_in_a_form_is_read_too": "every token answer is a form (RFC 5849 §2.1)",
        "test_a_token_that_is_no_bearer_token_is_not_used_as_one": _NO_TYPES,
        "test_the_type_of_a_token_may_be_spelt_or_left_out": _NO_TYPES,
        "test_a_token_that_is_none_is_not_sent_on": "the members have other names, and there are two of them, below",
        "test_an_error_in_a_successful_answer_is_an_error": "RFC 5849 §3.2 refuses by status; without a token it fails",
        "test_an_error_of_any_shape_is_a_clear_failure": "RFC 5849 §3.2 refuses by status, and a form has one shape",
        "test_a_reason_alone_may_say_no": "a no is `denied` or `oauth_problem`, below, and comes with no reason",
    }

    # --- the browser -------------------------------------------------------------------------------

    def test_the_browser_is_sent_with_a_request_token_and_no_secret(self, on: Bench) -> None:
        """Otherwise who sees the address in a history can sign in its place, and the login's state is there too."""
        login = on.begin()
        sent = parse_qs(urlsplit(login.begun.location).query)

        assert sent == {"oauth_token": [login.begun.kept["token"]]}
        assert login.begun.kept["secret"] not in login.begun.location
        assert "secret" not in repr(login.begun)

    def test_every_login_has_a_request_token_and_a_callback_of_its_own(self, on: Bench) -> None:
        """Otherwise two tabs share what tells them apart: there is no `state` but the one in the callback."""
        logins = [on.begin(), on.begin()]
        told = [dict(parameters_of(each.headers["authorization"])) for each in on.upstream.seen]

        assert [each["oauth_callback"] for each in told] == [
            f"{login.start.redirect_uri}?state={login.start.state}" for login in logins
        ]
        assert len({login.begun.kept["token"] for login in logins}) == 2

    # --- what the answer is bound to ------------------------------------------------------------------

    @pytest.mark.threat(61)
    def test_a_request_token_of_another_login_is_refused(self, on: Bench) -> None:
        """Otherwise an attacker approves his own token and has his victim's browser finish it (OAuth 1.0, 2009)."""
        mine, theirs = on.begin(), on.begin()
        answer, other = on.come_back(mine), on.come_back(theirs)

        with pytest.raises(ProviderBroken, match="another login's request token"):
            on.finish(mine, {**other, "state": answer["state"]})
        assert ACCESS_TOKEN not in on.upstream.calls

    @pytest.mark.parametrize("token", [None, "", "wrong", "a b", "é", "\ud800", "t" * 20_000])
    def test_an_answer_without_its_request_token_is_refused(self, on: Bench, token: str | None) -> None:
        """Otherwise leaving the token out is a way around the case above."""
        login = on.begin()
        params = on.come_back(login)
        params.pop("oauth_token")

        with pytest.raises(ProviderBroken):
            on.finish(login, params if token is None else {**params, "oauth_token": token})

    def test_a_login_that_kept_nothing_is_refused(self, on: Bench) -> None:
        """Otherwise an empty token is the right one for a login that has none."""
        login = on.begin()
        forgotten = replace(login, begun=replace(login.begun, kept={}))

        with pytest.raises(ProviderBroken):
            on.finish(forgotten, on.come_back(login))

    def test_a_verifier_without_its_token_secret_is_worthless(self, on: Bench) -> None:
        """Otherwise a verifier stolen on its way is a login."""
        mine, theirs = on.begin(), on.begin()
        secret = theirs.begun.kept["secret"]
        crossed = replace(mine, begun=replace(mine.begun, kept={**mine.begun.kept, "secret": secret}))

        with pytest.raises(ProviderBroken, match="signature_invalid"):
            on.finish(crossed, on.come_back(mine))

    def test_a_request_token_is_approved_once(self, on: Bench) -> None:
        """Otherwise going back in the browser's history makes a second verifier for one login."""
        login = on.begin()
        on.come_back(login)

        with pytest.raises(Stranded):
            on.come_back(login)

    # --- refusals -----------------------------------------------------------------------------------------

    def test_denied_is_somebodys_no(self, on: Bench) -> None:
        """Otherwise the cancel button at Twitter leads to an error page."""
        login = on.begin()
        params = on.come_back(login, allow=False)
        assert params == {"state": login.start.state, "denied": login.begun.kept["token"]}

        with pytest.raises(ProviderDenied):
            on.finish(login, params)

    def test_denied_beside_a_verifier_is_a_no(self, on: Bench) -> None:
        """Otherwise what counts depends on which parameter is read first."""
        login = on.begin()

        with pytest.raises(ProviderDenied):
            on.finish(login, {**on.come_back(login), "denied": "anything"})

    def test_a_no_of_another_login_is_none(self, on: Bench) -> None:
        """Otherwise a stranger's link cancels somebody's login."""
        mine, theirs = on.begin(), on.begin()

        with pytest.raises(ProviderBroken, match="state"):
            on.finish(mine, on.come_back(theirs, allow=False))

    def test_an_empty_denied_is_none(self, on: Bench) -> None:
        """Otherwise a provider that always names `denied` logs nobody in."""
        login = on.begin()

        assert on.finish(login, {**on.come_back(login), "denied": "", "oauth_problem": ""}).subject

    @pytest.mark.parametrize("word", ["user_refused", "permission_denied", *NO])
    def test_a_problem_that_means_no_is_understood(self, on: Bench, word: str) -> None:
        """Otherwise cancelling at a provider that reports problems is an error page."""
        login = on.begin()

        with pytest.raises(ProviderDenied):
            on.finish(login, {"state": login.start.state, "oauth_problem": word})

    @pytest.mark.parametrize("problem", ["token_expired", "<script>alert(1)</script>", "é" * 100, "a\r\nb", "x" * 9999])
    def test_a_problems_text_goes_nowhere(self, on: Bench, problem: str) -> None:
        """Otherwise a stranger writes into the log, or onto a page."""
        login = on.begin()

        with pytest.raises(ProviderBroken) as refused:
            on.finish(login, {**on.come_back(login), "oauth_problem": problem})

        assert str(refused.value).isascii()
        assert str(refused.value).isprintable()
        assert "<" not in str(refused.value)
        assert len(str(refused.value)) < 200

    # --- token answers ----------------------------------------------------------------------------------------

    @pytest.mark.threat(61)
    @pytest.mark.parametrize("confirms", [None, "", "false", "1", "TRUE", "true true"])
    def test_a_callback_that_is_not_confirmed_ends_the_login(self, on: Bench, confirms: str | None) -> None:
        """Otherwise a server of OAuth 1.0 without verifiers is used, and with it its session fixation."""
        on.upstream.oauth1.confirms = confirms

        with pytest.raises(ProviderBroken, match=r"1\.0a"):
            on.begin()

    @pytest.mark.parametrize("name", ["oauth_token", "oauth_token_secret"])
    @pytest.mark.parametrize("value", [None, "", "a b", "a\r\nX-Injected: yes", "é", "\ufffd", "t" * 20_000])
    def test_a_token_that_is_none_is_not_used(self, on: Bench, name: str, value: str | None) -> None:
        """Otherwise an upstream writes headers into our next request, or signs with nothing."""
        for path in TOKENS:
            on.upstream.edits = {path: members(**{name: value})}
            with pytest.raises(ProviderBroken):
                on.log_in()

    @pytest.mark.parametrize("name", ["oauth_token", "oauth_token_secret", "oauth_callback_confirmed"])
    def test_a_member_that_is_needed_and_comes_twice_is_refused(self, on: Bench, name: str) -> None:
        """Otherwise parsers that disagree about which one counts are played off against each other."""
        for path in TOKENS if name != "oauth_callback_confirmed" else TOKENS[:1]:
            on.upstream.edits = {path: lambda said: "&".join(f"{n}={v}" for n, v in [*said.items(), (name, "true")])}
            with pytest.raises(ProviderBroken):
                on.log_in()

    @pytest.mark.parametrize("body", [b"", b"&", b"=", b"oauth_token", b"%", b"\xff=\xff", b"a=1", b"oauth_token=%ff"])
    def test_a_form_that_is_none_is_refused(self, on: Bench, body: bytes) -> None:
        """Otherwise half an answer is taken for a token."""
        for path in TOKENS:
            on.upstream.edits = {path: lambda _: body}
            with pytest.raises(ProviderBroken):
                on.log_in()

    def test_a_form_of_more_members_than_anybody_needs_is_refused(self, on: Bench) -> None:
        """Otherwise an upstream keeps the daemon busy with parsing."""
        for path in TOKENS:
            on.upstream.edits = {path: lambda said: {**said, **{f"a{n}": "1" for n in range(2_000)}}}
            with pytest.raises(ProviderBroken):
                on.log_in()

    def test_members_of_a_form_that_nobody_knows_may_appear_twice(self, on: Bench) -> None:
        """Otherwise a name that means nothing to us, written twice by mistake, stops all logins."""
        for path in TOKENS:
            on.upstream.edits = {
                path: lambda said: "&".join(f"{n}={v}" for n, v in [("x", 1), ("x", 2), *said.items()])
            }
            assert on.log_in().subject

    # --- what is sent -------------------------------------------------------------------------------------------

    def test_secrets_are_never_sent(self, on: Bench) -> None:
        """Otherwise one request that is seen on its way is enough to sign any other."""
        login = on.begin()
        on.finish(login, on.come_back(login))
        sent = [f"{each.path} {each.headers} {each.body!r}" for each in on.upstream.seen]

        secrets = (CONSUMER_SECRET, login.begun.kept["secret"], "canary-secret")
        assert [text for text in sent for secret in secrets if secret in text] == []
        assert [each.body for each in on.upstream.seen] == [b""] * 3

    def test_protocol_parameters_are_in_the_header_only(self, on: Bench) -> None:
        """Otherwise tokens and signatures stand in every access log on the way."""
        on.log_in()

        assert all(each.headers["authorization"].startswith("OAuth ") for each in on.upstream.seen)
        assert not any("oauth_" in each.query for each in on.upstream.seen)

    def test_a_nonce_is_used_once(self, on: Bench) -> None:
        """Otherwise servers refuse every second login, or a recorded request is sent again."""
        on.log_in()
        on.log_in()
        told = [dict(parameters_of(each.headers["authorization"])) for each in on.upstream.seen]

        assert len({each["oauth_nonce"] for each in told}) == 6

    @pytest.mark.parametrize("ahead_ms", [-600_000, 600_000])
    def test_a_clock_that_is_wrong_is_named_in_the_log(self, on: Bench, ahead_ms: int) -> None:
        """Otherwise an operator looks for a wrong secret when the clock is wrong."""
        on.upstream.oauth1.clock = ManualClock(on.clock() + ahead_ms)

        with pytest.raises(ProviderBroken, match="timestamp_refused"):
            on.begin()

    def test_a_request_that_is_refused_says_why_in_a_word(self, on: Bench) -> None:
        """Otherwise a wrong key at the provider is a riddle."""
        on.build(self.KIND, {**self.options(on), "consumer_key": "somebody-else"})

        with pytest.raises(ProviderBroken, match="request token, which answered 401, says consumer_key_unknown"):
            on.begin()
