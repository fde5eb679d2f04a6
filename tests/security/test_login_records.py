"""Attacks on what a login leaves behind: kinds exchanged, forms forged, sessions fixed, steps skipped."""

import base64
from uuid import UUID

import pytest

from identity.accounts.cases import LoginPurpose
from identity.login.flow import Flow, ProvenPerson, SignUpRecord
from identity.login.packing import pack_flow, pack_sign_up
from identity.login.store import RecordKind
from identity.types import IdentityKey
from identity.web.http import csrf
from providers.base import Profile
from tests.support.browser import Jar
from tests.support.logins import LoginSite, Visitor, form_of, location, welcomed
from tests.support.scripted import person


def accounts(logins: LoginSite) -> int:
    """Return how many accounts there are."""
    return len(list(logins.store.accounts.scan()))


@pytest.mark.threat(5)
def test_a_flow_is_no_sign_up(logins: LoginSite) -> None:
    """Otherwise a login that proved nobody yet would make an account."""
    browser = logins.browser()
    state = browser.begin()
    browser.jar.cookies[f"__Host-iddu-{state[:8]}"] = browser.jar.cookies[f"__Host-iddf-{state[:8]}"]

    reply = browser.get(f"/welcome?s={state}")

    assert reply.status == 400
    assert browser.come_back(state, code="ada").status == 303


@pytest.mark.threat(5)
def test_a_sign_up_is_no_flow(logins: LoginSite) -> None:
    """Otherwise a proof of one identity would be the beginning of a login as another."""
    browser, page = welcomed(logins)
    reference = form_of(page)["s"]
    browser.jar.cookies[f"__Host-iddf-{reference[:8]}"] = browser.jar.cookies[f"__Host-iddu-{reference[:8]}"]

    reply = browser.come_back(reference, code="eve")

    assert reply.status == 400
    assert logins.github.finished == ["ada"]
    assert browser.choose(page, "ada").status == 303


@pytest.mark.threat(5)
@pytest.mark.parametrize("kind", [RecordKind.FLOW, RecordKind.SIGN_UP])
def test_bytes_of_one_kind_under_the_seal_of_the_other_are_refused(logins: LoginSite, kind: RecordKind) -> None:
    """Otherwise a mistake in what is sealed for whom would turn a mere flow into a proven identity."""
    other = RecordKind.FLOW if kind is RecordKind.SIGN_UP else RecordKind.SIGN_UP
    body = pack_flow(_flow(logins)) if other is RecordKind.FLOW else pack_sign_up(_sign_up(logins))
    browser = logins.browser()
    browser.jar.cookies |= carried(logins, kind, body)

    reply = (
        browser.come_back("x" * 43, code="ada") if kind is RecordKind.FLOW else browser.get(f"/welcome?s={'x' * 43}")
    )

    assert reply.status == 400


@pytest.mark.threat(5)
def test_a_form_token_of_a_sign_up_is_none_of_a_session(logins: LoginSite) -> None:
    """Otherwise a token from a page without a session would log somebody out, or more."""
    browser, page = welcomed(logins)
    token = form_of(page)["csrf"]
    browser.choose(page, "ada")

    reply = browser.post("/account/sessions/end-all", {"csrf": token})

    assert reply.status == 403
    assert browser.whoami() == "ada"


@pytest.mark.threat(6)
def test_nothing_of_a_login_in_progress_is_a_session(logins: LoginSite) -> None:
    """Otherwise a login that was only begun would be a way in."""
    browser = logins.browser()
    state = browser.begin()
    flow_binding = browser.jar.cookies[f"__Host-iddf-{state[:8]}"]
    page = browser.get(location(browser.come_back(state, code="ada")))
    fields = form_of(page)
    sign_up_binding = browser.jar.cookies[f"__Host-iddu-{fields['s'][:8]}"]
    values = [state, "ada", flow_binding, sign_up_binding, fields["s"], fields["csrf"], "github"]

    for value in values:
        for name in ("__Host-idd-", f"__Host-idd-{value[:11]}", "__Host-idd-AAAAAAAAAAA", "__Host-iddm"):
            padded = value.ljust(100, "A")[:100]
            for shown in (value, padded):
                reply = logins.check(Jar.of({name: shown}))
                assert reply.json()["user"] is None
                assert reply.json()["verdict"] == "login"


@pytest.mark.threat(20)
@pytest.mark.parametrize(
    "forged",
    [
        {"provider": "google"},
        {"subject": "eve"},
        {"identity": "github:eve"},
        {"identity_key": "github:eve"},
        {"claim": str(UUID(int=7))},
        {"account_id": str(UUID(int=7))},
        {"email": "eve@example.com"},
        {"email_verified": "true"},
        {"return_to": "https://evil.example/"},
    ],
    ids=str,
)
def test_a_sign_up_form_that_says_more_than_a_name_is_refused(logins: LoginSite, forged: dict[str, str]) -> None:
    """Otherwise the identity of an account would be whatever the browser posts."""
    browser, page = welcomed(logins)

    reply = browser.choose(page, "ada", **forged)

    assert reply.status == 400
    assert b"field-unknown" in reply.body
    assert accounts(logins) == 0
    assert browser.choose(page, "ada").status == 303


@pytest.mark.threat(20)
def test_a_sign_up_makes_the_identity_that_was_proven(logins: LoginSite) -> None:
    """Otherwise somebody could take an identity they never proved."""
    browser, page = welcomed(logins, "ada")

    browser.choose(page, "eve")

    assert {row.key for row in logins.store.identities.scan()} == {"github:ada"}


@pytest.mark.threat(20)
@pytest.mark.parametrize("token", ["", "A" * 23, "other"])
def test_a_sign_up_form_needs_the_token_of_its_own_page(logins: LoginSite, token: str) -> None:
    """Otherwise another site could choose the victim's username."""
    other, other_page = welcomed(logins, "eve")
    browser, page = welcomed(logins, "ada")
    forged = form_of(other_page)["csrf"] if token == "other" else token

    reply = browser.choose(page, "chosen", csrf=forged)

    assert reply.status == 403
    assert accounts(logins) == 0
    assert browser.choose(page, "ada").status == 303
    assert other.choose(other_page, "eve").status == 303


@pytest.mark.threat(20)
@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Sec_Fetch_Site": "cross-site"}, {"Origin": "null"}], ids=str
)
def test_a_sign_up_form_of_another_site_is_refused(logins: LoginSite, headers: dict[str, str]) -> None:
    """Otherwise a token that leaked would be enough."""
    browser, page = welcomed(logins)

    reply = browser.post("/welcome", {**form_of(page), "username": "ada"}, **headers)

    assert reply.status == 403
    assert accounts(logins) == 0


@pytest.mark.threat(25)
def test_every_login_has_a_session_id_of_its_own(logins: LoginSite) -> None:
    """Otherwise an attacker who knows the id from before the login would have the session after it."""
    browser = logins.browser()
    browser.sign_up()
    first = _session_of(browser)

    browser.log_in()

    assert _session_of(browser) != first


@pytest.mark.threat(25)
def test_a_session_from_before_the_login_is_over_after_it(logins: LoginSite) -> None:
    """Otherwise a session planted in the victim's jar would live on beside the victim's own."""
    logins.browser().sign_up("ada")
    attacker = logins.browser()
    attacker.sign_up("eve")
    victim = logins.browser()
    victim.jar.cookies |= attacker.tokens

    victim.log_in("ada")

    assert victim.whoami() == "ada"
    assert attacker.whoami() is None
    assert not set(attacker.tokens) & set(victim.tokens)


@pytest.mark.threat(26)
@pytest.mark.parametrize("name", ["__Host-idd-AAAAAAAAAAA", "__Host-idd-", "__Secure-idd-AAAAAAAAAAA", "idd-A"])
def test_a_cookie_set_before_the_login_is_never_upgraded(logins: LoginSite, name: str) -> None:
    """Otherwise a value that somebody planted would become the victim's session."""
    planted = base64.urlsafe_b64encode(bytes(75)).decode()
    browser = logins.browser()
    browser.jar.cookies[name] = planted

    browser.sign_up()

    assert planted not in browser.tokens.values()
    assert len(browser.tokens) == 1
    assert logins.check(Jar.of({name: planted})).json()["user"] is None


@pytest.mark.threat(26)
def test_cookies_of_a_login_belong_to_this_host_alone(logins: LoginSite) -> None:
    """Otherwise a sibling host could read or plant them."""
    browser = logins.browser()
    replies = [browser.get("/login/github")]
    state = location(replies[0]).partition("state=")[2].partition("&")[0]
    replies.append(browser.come_back(state, code="ada"))
    replies.append(browser.choose(browser.get(location(replies[-1])), "ada"))

    for line in [line for reply in replies for line in reply.cookies]:
        assert line.startswith("__Host-")
        assert "; Path=/;" in line
        assert line.endswith("; HttpOnly; SameSite=Lax; Secure")
        assert "domain" not in line.lower()


@pytest.mark.threat(45)
def test_a_username_is_not_chosen_before_the_provider_answered(logins: LoginSite) -> None:
    """Otherwise beginning a login would be proof of being somebody."""
    browser = logins.browser()
    state = browser.begin()
    browser.jar.cookies[f"__Host-iddu-{state[:8]}"] = browser.jar.cookies[f"__Host-iddf-{state[:8]}"]
    binding = browser.jar.cookies[f"__Host-iddu-{state[:8]}"].partition(".")[2]
    token = csrf.token(logins.ring, binding.encode(), now=logins.clock())

    reply = browser.post("/welcome", {"csrf": token, "s": state, "username": "ada"})

    assert reply.status == 400
    assert accounts(logins) == 0


@pytest.mark.threat(45)
def test_a_sign_up_whose_step_is_another_is_refused(logins: LoginSite) -> None:
    """Otherwise a record of a later release, waiting for more proof, would be finished by this one."""
    body = pack_sign_up(_sign_up(logins)).replace(b'"step":"choose-name"', b'"step":"prove-other"')
    browser = logins.browser()
    cookies = carried(logins, RecordKind.SIGN_UP, body)
    browser.jar.cookies |= cookies
    token = csrf.token(logins.ring, cookies["__Host-iddu-xxxxxxxx"].partition(".")[2].encode(), now=logins.clock())

    shown = browser.get(f"/welcome?s={'x' * 43}")
    sent = browser.post("/welcome", {"csrf": token, "s": "x" * 43, "username": "eve"})

    assert (shown.status, sent.status) == (400, 400)
    assert accounts(logins) == 0


@pytest.mark.threat(45)
def test_a_flow_for_another_purpose_signs_nobody_in(logins: LoginSite) -> None:
    """Otherwise a proof that was asked for linking would open a session."""
    body = pack_flow(_flow(logins)).replace(b'"purpose":"sign-in"', b'"purpose":"link"')
    browser = logins.browser()
    browser.jar.cookies |= carried(logins, RecordKind.FLOW, body)

    reply = browser.come_back("x" * 43, code="ada")

    assert reply.status == 400
    assert logins.github.finished == []


@pytest.mark.threat(45)
def test_the_records_these_attacks_start_from_would_pass_unchanged(logins: LoginSite) -> None:
    """Otherwise the refusals above could have another cause than the change."""
    browser = logins.browser()
    browser.jar.cookies |= carried(logins, RecordKind.SIGN_UP, pack_sign_up(_sign_up(logins)))

    page = browser.get(f"/welcome?s={'x' * 43}")

    assert page.status == 200
    assert browser.choose(page, "eve").status == 303


@pytest.mark.threat(4)
def test_text_of_a_provider_reaches_no_header(logins: LoginSite) -> None:
    """Otherwise a handle with a line break would write headers."""
    logins.github.people["ada"] = person("ada", handle="a\r\nSet-Cookie: x=y", name="\r\n\r\n<html>")
    browser = logins.browser()

    reply = browser.sign_up("ada", username="ada")

    assert reply.status == 303
    assert not [line for line in reply.cookies if line.startswith("x=")]


def carried(logins: LoginSite, kind: RecordKind, body: bytes) -> dict[str, str]:
    """Return the cookie of the login or sign-up `xxx…` that holds this, sealed by the daemon itself."""
    letter = {RecordKind.FLOW: "f", RecordKind.SIGN_UP: "u"}[kind]
    return {f"__Host-idd{letter}-xxxxxxxx": f"0.{logins.carrying.seal(kind, 'x' * 8, body)}"}


def _session_of(browser: Visitor) -> str:
    return str(browser.site.check(browser.jar).json()["user"]["session"])


def _flow(logins: LoginSite) -> Flow:
    return Flow(
        provider="github",
        purpose=LoginPurpose.SIGN_IN,
        state="x" * 43,
        nonce="n",
        verifier="v",
        return_to="/account",
        created_at=logins.clock(),
    )


def _sign_up(logins: LoginSite) -> SignUpRecord:
    return SignUpRecord(
        reference="x" * 43,
        person=ProvenPerson(
            identity=IdentityKey("github:eve"),
            provider="github",
            auth_at=logins.clock(),
            handle="eve",
            said=Profile(name="Eve", email_verified=False),
        ),
        claim=UUID(int=5),
        return_to="/account",
        created_at=logins.clock(),
    )
