"""The part of the conformance kit about shapes: null, absent, repeated, ill-typed, in every document.

What a login needs is refused when it is not well-formed; what it does not use decides nothing. The
table of members is docs/providers.md, "What is read".
"""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.base import ProviderBroken, ProviderDenied
from tests.contracts.provider_cases import ABSENT, NO, NOISE, SHAPES, Refused
from tests.contracts.provider_setup import ProviderSetup
from tests.support.bench import Bench
from tests.support.upstream import Stranded

JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


def adding(members: Mapping[str, Any]) -> Callable[[Any], Any]:
    """Return an edit that gives an object further members, in front, so that its own count."""
    return lambda value: {**members, **value} if isinstance(value, dict) else value


def twice(name: str) -> Callable[[Any], bytes]:
    """Return an edit that writes a member into an object two times."""

    def edit(value: Any) -> bytes:  # noqa: ANN401 - any JSON
        text = json.dumps(value)
        return f'{{"{name}": 1, "{name}": 2, {text[1:]}'.encode() if isinstance(value, dict) else text.encode()

    return edit


class ProviderShapes(ProviderSetup):
    """Cases every provider inherits through `ProviderContract`."""

    # --- the callback -------------------------------------------------------------------------

    @pytest.mark.parametrize("word", NO)
    def test_every_way_to_say_no_is_understood(self, on: Bench, word: str) -> None:
        """Otherwise cancelling at LinkedIn, Facebook or an OpenID provider is an error page."""
        login = on.begin()
        params = on.come_back(login, allow=False)

        with pytest.raises(ProviderDenied):
            on.finish(login, {**params, "error": word, "error_description": "<b>"})

    def test_a_reason_alone_may_say_no(self, on: Bench) -> None:
        """Otherwise who cancels at Facebook, which names the reason apart, is told of a fault."""
        login = on.begin()
        params = on.come_back(login, allow=False)

        with pytest.raises(ProviderDenied):
            on.finish(login, {**params, "error": "permissions_error", "error_reason": "user_denied"})
        params.pop("error")
        with pytest.raises(ProviderDenied):
            on.finish(login, {**params, "error_reason": "user_denied"})

    def test_an_empty_error_is_none(self, on: Bench) -> None:
        """Otherwise a provider that always names `error` logs nobody in (RFC 6749 §3.1: empty is omitted)."""
        login = on.begin()

        assert on.finish(login, {**on.come_back(login), "error": "", "error_reason": ""}).subject

    def test_parameters_nobody_asked_for_decide_nothing(self, on: Bench) -> None:
        """Otherwise a provider that sends a little more than the standard cannot be used."""
        login = on.begin()
        more = {f"x{n}": "y" * 500 for n in range(60)}

        assert on.finish(login, {**more, **NOISE, **on.come_back(login)}).subject

    # --- the token answer ---------------------------------------------------------------------

    @pytest.mark.parametrize("error", ABSENT)
    def test_an_error_that_says_nothing_is_none(self, on: Bench, error: object) -> None:
        """Otherwise `"error": null` beside a good token is a failed login."""
        on.upstream.edit_grant = lambda grant: grant.update(error=error, error_description=error)

        assert on.log_in().subject

    @pytest.mark.parametrize(
        "error", [{"message": "no", "type": "OAuthException", "code": 190}, {"x": 1}, ["x"], 7, True]
    )
    def test_an_error_of_any_shape_is_a_clear_failure(self, on: Bench, error: object) -> None:
        """Otherwise Facebook's way to say "expired" is a TypeError here, a 500, and a login that is used up."""
        on.upstream.edit_grant = lambda grant: grant.update(error=error)

        with pytest.raises(ProviderBroken):
            on.log_in()

    @pytest.mark.parametrize("kind", ["bearer", "Bearer", "BEARER", None, ""])
    def test_the_type_of_a_token_may_be_spelt_or_left_out(self, on: Bench, kind: object) -> None:
        """Otherwise providers that are careless with `token_type` cannot be used."""
        on.upstream.edit_grant = lambda grant: grant.update(token_type=kind)
        assert on.log_in().subject

        on.upstream.edit_grant = lambda grant: grant.pop("token_type")
        assert on.log_in().subject

    @pytest.mark.parametrize("shape", SHAPES)
    def test_members_of_a_token_answer_that_nobody_reads_decide_nothing(self, on: Bench, shape: str) -> None:
        """Otherwise `"expires_in": "3600"` or a scope that is a list is a failed login."""
        said = dict.fromkeys(("expires_in", "scope", "refresh_token", "error_description", "x"), SHAPES[shape])
        on.upstream.edit_grant = lambda grant: grant.update(said)

        assert on.log_in().subject

    # --- every document ------------------------------------------------------------------------

    @pytest.mark.parametrize("shape", SHAPES)
    def test_members_nobody_knows_decide_nothing_in_any_document(self, on: Bench, shape: str) -> None:
        """Otherwise a provider cannot add anything to its answers."""
        for path in self.CALLS:
            on.upstream.edits = {path: adding({"unknown": SHAPES[shape], "x-y": {"error": SHAPES[shape]}})}
            self.prepare(on)
            assert on.log_in().subject

    def test_members_nobody_knows_may_even_appear_twice(self, on: Bench) -> None:
        """Otherwise a name that means nothing to us, written twice by mistake, stops all logins."""
        for path in self.CALLS:
            on.upstream.edits = {path: twice("unknown")}
            self.prepare(on)
            assert on.log_in().subject

    def test_a_byte_order_mark_is_passed_over(self, on: Bench) -> None:
        """Otherwise a server that begins its JSON with one cannot be used (RFC 8259 §8.1)."""
        for path in self.CALLS:
            on.upstream.edits = {path: lambda value: b"\xef\xbb\xbf" + json.dumps(value).encode()}
            self.prepare(on)
            assert on.log_in().subject

    def test_no_document_whatever_does_more_than_log_in_or_be_refused(
        self, on: Bench, expect_log: Callable[..., object]
    ) -> None:
        """Otherwise some shape nobody thought of is our TypeError, a 500, and a login that is used up."""
        # Of some documents the first is taken and leads nowhere, so that it is asked for again.
        expect_log("providers.remembered", "could not be fetched again", required=False)
        for path in self.CALLS:
            self.prepare(on)
            self._try_documents(on, path)

    def _try_documents(self, on: Bench, path: str) -> None:
        @settings(max_examples=25)
        @given(
            JSON, st.dictionaries(st.text(max_size=5), JSON, max_size=3), st.lists(JSON, max_size=3), st.integers(0, 9)
        )
        def answer_with(whole: Any, added: dict[str, Any], known: list[Any], at: int) -> None:  # noqa: ANN401 - any JSON
            def edit(value: Any) -> Any:  # noqa: ANN401 - any JSON
                if not isinstance(value, dict) or not (added or known):
                    return whole
                names = sorted(value)
                return {**value, **added, **{names[(at + n) % len(names)]: each for n, each in enumerate(known)}}

            on.upstream.edits = {path: edit}
            on.clock.advance(60_000)
            with suppress(Refused, Stranded):
                assert on.log_in().subject

        answer_with()
        on.upstream.edits = {}
