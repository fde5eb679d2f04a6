"""The conformance kit: what every login provider must withstand.

A provider's test subclasses `ProviderContract`, says how its upstream is told to lie, and names in
`INAPPLICABLE`, with the reason, each case that cannot happen to it; a case named there must exist,
and everything else runs. The upstream is real (tests/support/upstream.py), and so is the outbound
client. A provider in the registry without a subclass fails tests/providers/test_registry.py.
"""

import asyncio
import logging

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.base import ProvesLogins, ProviderBroken, ProviderDenied, ProviderProfile
from tests.contracts.provider_cases import (
    CANARIES,
    HOSTILE_NAME,
    LONG,
    PARAMETERS,
    SUBJECTS,
    VERIFIED,
    Refused,
)
from tests.contracts.provider_shapes import ProviderShapes
from tests.support.bench import Bench
from tests.support.faults import Fault


class ProviderContract(ProviderShapes):
    """Subclass as `Test…`."""

    def __init_subclass__(cls) -> None:
        """Take the inapplicable cases out; a name that is no case is an error, so that no reason outlives its case."""
        for case in cls.INAPPLICABLE:
            if not callable(getattr(ProviderContract, case, None)):
                raise TypeError(f"{cls.__name__}: there is no case {case}")
            setattr(cls, case, None)

    # --- the login ----------------------------------------------------------------------------

    def test_a_login_says_who_it_is(self, on: Bench) -> None:
        """Otherwise nobody can log in with this provider."""
        self.tell_subject(on, SUBJECTS[next(iter(self.SUBJECT_OF))])
        self.tell_name(on, "Ada Quill")

        profile = on.log_in()

        assert (profile.subject, profile.name) == (next(iter(self.SUBJECT_OF.values())), "Ada Quill")

    def test_the_same_person_has_the_same_subject_next_time(self, on: Bench) -> None:
        """Otherwise people lose their account at the second login."""
        assert on.log_in().subject == on.log_in().subject

    def test_a_first_login_makes_no_call_too_many(self, on: Bench) -> None:
        """Otherwise every login costs the operator bandwidth nobody asked for."""
        on.log_in()

        assert sorted(on.upstream.calls.elements()) == sorted(self.CALLS)

    def test_a_later_login_makes_no_call_too_many(self, on: Bench) -> None:
        """Otherwise discovery and keys are fetched at each login."""
        on.log_in()
        on.upstream.seen.clear()

        on.log_in()

        assert sorted(on.upstream.calls.elements()) == sorted(self.WARM_CALLS)

    def test_the_browser_is_sent_with_a_challenge(self, on: Bench) -> None:
        """Otherwise whoever sees the code on its way can finish the login (RFC 7636)."""
        assert "code_challenge_method=S256" in on.begin().begun.location

    def test_the_browser_is_sent_with_the_state_and_no_secret(self, on: Bench) -> None:
        """Otherwise whoever sees the address in a history or a log can finish the login."""
        login = on.begin()

        assert f"state={login.start.state}" in login.begun.location
        assert login.start.verifier not in login.begun.location
        assert "secret" not in login.begun.location

    # --- proof that the person is there ---------------------------------------------------------

    def test_a_forced_login_is_proof_where_the_kind_says_so_and_nowhere_else(self, on: Bench) -> None:
        """Otherwise a way to a provider that knows the browser, and back, passes for the person being there."""
        at = on.clock() // 1000
        on.upstream.edit_claims = lambda claims: claims.update(auth_time=at)

        profile = on.log_in(force_login=True)

        declared = isinstance(on.provider, ProvesLogins) and on.provider.proves_fresh_login
        assert (declared, profile.auth_proven) == (self.PROVES_FRESH_LOGIN, self.PROVES_FRESH_LOGIN)

    def test_a_login_whose_time_is_not_said_is_no_proof(self, on: Bench) -> None:
        """Otherwise the moment of coming back passes for the moment of logging in."""
        profile = on.log_in()

        assert profile.auth_proven is (profile.auth_at is not None and self.PROVES_FRESH_LOGIN)

    # --- state ----------------------------------------------------------------------------------

    @pytest.mark.parametrize("state", [None, "", "wrong", "Ω", "\ud800"])
    def test_an_answer_without_the_state_of_its_login_is_refused(self, on: Bench, state: str | None) -> None:
        """Otherwise an attacker finishes his own login in his victim's browser."""
        login = on.begin()
        params = on.come_back(login)
        params.pop("state")

        with pytest.raises(ProviderBroken):
            on.finish(login, params if state is None else {**params, "state": state})

    @pytest.mark.threat(10)
    def test_an_answer_counts_once(self, on: Bench) -> None:
        """Otherwise a callback address found in a history is a login."""
        login = on.begin()
        params = on.come_back(login)
        on.finish(login, params)

        with pytest.raises(ProviderBroken):
            on.finish(login, params)

    def test_an_answer_of_another_browsers_login_is_refused(self, on: Bench) -> None:
        """Otherwise two people's logins at the same moment can be exchanged."""
        mine, theirs = on.begin(), on.begin()
        answer = on.come_back(theirs)

        with pytest.raises(ProviderBroken):
            on.finish(mine, answer)

    @pytest.mark.threat(8)
    def test_a_code_of_another_browsers_login_is_refused_even_with_the_right_state(self, on: Bench) -> None:
        """Otherwise an attacker's code, injected into his victim's login, makes the victim him."""
        mine, theirs = on.begin(), on.begin()
        code = on.come_back(theirs)[self.PROOF]

        with pytest.raises(ProviderBroken):
            on.finish(mine, {**on.come_back(mine), self.PROOF: code})

    @pytest.mark.threat(7)
    def test_an_answer_for_another_provider_is_refused(self, on: Bench) -> None:
        """Otherwise one provider's codes are redeemed in another one's name (mix-up)."""
        other = on.made(self.KIND, self.options(on), name="other")
        login = on.begin(provider=other)
        params = on.come_back(login)
        mine = on.begin()

        with pytest.raises(ProviderBroken):
            on.finish(mine, params)
        with pytest.raises(ProviderBroken):
            on.finish(mine, {**params, "state": mine.start.state})

    def test_two_tabs_do_not_disturb_each_other(self, on: Bench) -> None:
        """Otherwise who opens the login page twice cannot log in at all."""
        one, other = on.begin(), on.begin()
        answers = on.come_back(other), on.come_back(one)

        async def both() -> list[ProviderProfile]:
            callbacks = on.callback(one, answers[1]), on.callback(other, answers[0])
            return await asyncio.gather(*(on.provider.finish(callback, on.http) for callback in callbacks))

        assert len({profile.subject for profile in on.run(both())}) == 1

    # --- code and challenge -----------------------------------------------------------------------

    def test_a_code_without_its_verifier_is_worthless(self, on: Bench) -> None:
        """Otherwise a code stolen on its way is a login (RFC 7636)."""
        login = on.begin()
        params = on.come_back(login)

        with pytest.raises(ProviderBroken):
            on.finish(on.with_start(login, verifier="v" * 43), params)

    @pytest.mark.parametrize("code", [None, "", "wrong", "a b", "a\nb", "é", "c" * 20_000])
    def test_an_answer_without_a_proper_code_is_refused(self, on: Bench, code: str | None) -> None:
        """Otherwise a stranger's callback reaches code that expects more."""
        login = on.begin()
        params = on.come_back(login)
        params.pop(self.PROOF)

        with pytest.raises(ProviderBroken):
            on.finish(login, params if code is None else {**params, self.PROOF: code})

    def test_a_code_is_sent_with_the_callback_address_it_was_made_for(self, on: Bench) -> None:
        """Otherwise a code leaked through another callback can be redeemed here (RFC 6749 §4.1.3)."""
        login = on.begin()
        params = on.come_back(login)

        with pytest.raises(ProviderBroken):
            on.finish(on.with_start(login, redirect_uri="http://127.0.0.1:8887/login/elsewhere/callback"), params)

    # --- refusals ------------------------------------------------------------------------------------

    def test_who_says_no_is_not_told_of_a_fault(self, on: Bench) -> None:
        """Otherwise the cancel button leads to an error page."""
        login = on.begin()

        with pytest.raises(ProviderDenied):
            on.finish(login, on.come_back(login, allow=False))

    def test_a_refusal_beside_a_code_is_a_refusal(self, on: Bench) -> None:
        """Otherwise what counts depends on which parameter is read first."""
        login = on.begin()

        with pytest.raises(ProviderDenied):
            on.finish(login, {**on.come_back(login), "error": "access_denied"})

    @pytest.mark.parametrize("error", ["<script>alert(1)</script>", "server_error", "é" * 100, "a\r\nb", "x" * 9999])
    def test_an_errors_text_goes_nowhere(self, on: Bench, error: str) -> None:
        """Otherwise a stranger writes into the log, or onto a page."""
        login = on.begin()
        params = {**on.come_back(login), "error": error, "error_description": "<img src=x onerror=alert(1)>"}

        with pytest.raises(ProviderBroken) as refused:
            on.finish(login, params)

        assert str(refused.value).isascii()
        assert str(refused.value).isprintable()
        assert "<" not in str(refused.value)
        assert len(str(refused.value)) < 200

    # --- a broken upstream --------------------------------------------------------------------------

    @pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.SLOW])
    def test_a_broken_answer_at_any_call_is_a_clear_failure(self, on: Bench, fault: Fault) -> None:
        """Otherwise an outage there is a 500 here, or worse, somebody's login."""
        for path in (path for path in self.CALLS if (path, fault) not in self.HARMLESS):
            self.prepare(on)
            on.upstream.faults = {path: fault}
            with pytest.raises(ProviderBroken):
                on.log_in()

    def test_a_slow_answer_at_any_call_is_given_up(self, impatient: Bench) -> None:
        """Otherwise a provider that hangs holds the daemon's connections and people's patience."""
        for path in self.CALLS:
            self.prepare(impatient)
            impatient.upstream.faults = {path: Fault.SLOW}
            with pytest.raises(ProviderBroken):
                impatient.log_in()

    @pytest.mark.parametrize("fault", [Fault.RESET, Fault.TRUNCATED, Fault.SERVER_ERROR])
    def test_a_code_is_sent_once_whatever_happens(self, on: Bench, fault: Fault) -> None:
        """Otherwise a second try of a used code makes the provider revoke what the first one got."""
        on.log_in()
        for path in (path for path in self.CALLS if "token" in path.lower()):
            on.upstream.seen.clear()
            on.upstream.faults = {path: fault}

            with pytest.raises(ProviderBroken):
                on.log_in()

            assert on.upstream.calls[path] == 1

    def test_a_provider_works_again_after_an_outage(self, on: Bench) -> None:
        """Otherwise the daemon must be restarted when a provider was down."""
        on.upstream.faults = dict.fromkeys(self.CALLS, Fault.RESET)
        with pytest.raises(ProviderBroken):
            on.log_in()
        on.upstream.faults = {}
        on.clock.advance(60_000)

        assert on.log_in().subject

    def test_a_token_answer_in_a_form_is_read_too(self, on: Bench) -> None:
        """Otherwise providers from before RFC 6749 was finished cannot be used."""
        on.upstream.answers_in_forms = True

        assert on.log_in().subject

    @pytest.mark.parametrize("kind", ["mac", "DPoP", "N_A", 7, ["Bearer"], {}])
    def test_a_token_that_is_no_bearer_token_is_not_used_as_one(self, on: Bench, kind: object) -> None:
        """Otherwise a token bound to a proof is sent without it (RFC 6749 §7.1)."""
        on.upstream.edit_grant = lambda grant: grant.update(token_type=kind)

        with pytest.raises(ProviderBroken):
            on.log_in()

    @pytest.mark.parametrize("token", ["", None, "a b", "a\r\nX-Injected: yes", "é", 7])
    def test_a_token_that_is_none_is_not_sent_on(self, on: Bench, token: object) -> None:
        """Otherwise an upstream writes headers into our next request."""
        on.upstream.edit_grant = lambda grant: grant.update(access_token=token)

        with pytest.raises(ProviderBroken):
            on.log_in()

    def test_an_error_in_a_successful_answer_is_an_error(self, on: Bench) -> None:
        """Otherwise what GitHub says with status 200 is read as a login."""
        on.upstream.edit_grant = lambda grant: grant.update(error="bad_verification_code")

        with pytest.raises(ProviderBroken, match="bad_verification_code"):
            on.log_in()

    # --- the profile -----------------------------------------------------------------------------------

    @pytest.mark.parametrize("case", SUBJECTS)
    def test_a_subject_is_taken_as_it_is_or_not_at_all(self, on: Bench, case: str) -> None:
        """Otherwise two people's ids become one, or one person's become two."""
        self.tell_subject(on, SUBJECTS[case])

        if case in self.SUBJECT_OF:
            assert on.log_in().subject == self.SUBJECT_OF[case]
        else:
            with pytest.raises(ProviderBroken):
                on.log_in()

    @pytest.mark.parametrize("case", VERIFIED)
    def test_an_address_is_verified_only_if_the_provider_says_so(self, on: Bench, case: str) -> None:
        """Otherwise whoever types your address at a provider seems to own it."""
        self.tell_email(on, "ada@example.org", VERIFIED[case][0])

        assert on.log_in().email_verified is self.VERIFIED_OF[case]

    @pytest.mark.parametrize("email", ["a@evil@corp.example", "@corp.example", "ada", "a b@c", "a\n@c", 7, "a@" + LONG])
    def test_an_address_that_is_none_is_dropped_and_never_verified(self, on: Bench, email: object) -> None:
        """Otherwise a domain check somewhere reads the wrong half of it."""
        self.tell_email(on, email, True)

        profile = on.log_in()

        assert (profile.email, profile.email_verified) == ("", False)

    @pytest.mark.parametrize("name", ["Zoë 陳 Ωμέγα", "اسم", "👩‍🚀"])
    def test_names_of_all_the_world_survive(self, on: Bench, name: str) -> None:
        """Otherwise people with other alphabets are nobody."""
        self.tell_name(on, name)

        assert on.log_in().name == "".join(mark for mark in name if mark.isprintable())

    @pytest.mark.parametrize("name", [HOSTILE_NAME, None, 7, ["a"], LONG, "\ud800"])
    def test_a_name_cannot_carry_more_than_text(self, on: Bench, name: object) -> None:
        """Otherwise a name turns a page's text around, or breaks a line of a log."""
        self.tell_name(on, name)

        shown = on.log_in().name

        assert shown.isprintable()
        assert len(shown) <= 200

    # --- secrets -----------------------------------------------------------------------------------------

    def test_no_failure_tells_a_secret(self, on: Bench, caplog: pytest.LogCaptureFixture) -> None:
        """Otherwise whoever reads the log can log in as somebody else."""
        caplog.set_level(logging.DEBUG)
        texts = [repr(on.provider)]
        for fault in (Fault.SERVER_ERROR, Fault.MALFORMED, Fault.RESET, Fault.TWICE):
            for path in self.CALLS:
                self.prepare(on)
                on.upstream.faults = {path: fault}
                texts.append(_failure_of(on))

        texts += [record.getMessage() for record in caplog.records if not record.name.startswith("httpcore2")]
        assert [text for text in texts for canary in CANARIES if canary in text] == []

    # --- strangers -----------------------------------------------------------------------------------------

    def test_no_callback_does_anything_but_log_in_or_be_refused(self, on: Bench) -> None:
        """Otherwise a stranger's address is a 500."""

        @settings(max_examples=60)
        @given(
            params=st.dictionaries(st.sampled_from(PARAMETERS) | st.text(max_size=5), st.text(max_size=40), max_size=6),
            known=st.sets(st.sampled_from([self.PROOF, "state", "iss", "oauth_token"])),
        )
        def answer_with(params: dict[str, str], known: set[str]) -> None:
            login = on.begin()
            answer = on.come_back(login)
            try:
                profile = on.finish(login, {**params, **{name: answer[name] for name in known if name in answer}})
            except Refused:
                return
            assert profile.subject

        answer_with()


def _failure_of(on: Bench) -> str:
    """Return everything a failed login says."""
    try:
        on.log_in()
    except Refused as error:
        chain: list[str] = []
        at: BaseException | None = error
        while at is not None:
            chain.append(f"{at!r} {at}")
            at = at.__cause__ or (None if at.__suppress_context__ else at.__context__)
        return " ".join(chain)
    raise AssertionError("a broken upstream let somebody in")
