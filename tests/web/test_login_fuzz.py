"""Whatever comes to the steps of a login: a clear refusal with a code, and nothing of anybody's is lost."""

import re
from collections.abc import Iterator
from typing import Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.browser import Reply
from tests.support.logins import LoginSite, form_of, location
from tests.support.web import LOCAL

EXAMPLES: Final = settings(max_examples=100)
ODD: Final = st.sampled_from(["", "%00", "%0d%0a", "%ff", "%25", "+", "%F0%9F%98%80", "a" * 99, "<b>", "%e2%80%ae"])
VALUE: Final = st.lists(ODD | st.text("abcXYZ019-_.%;/?:@", max_size=12), max_size=3).map("".join)
NAME: Final = (
    st.sampled_from(["state", "code", "error", "error_description", "iss", "session_state", "state[]", ""]) | VALUE
)
QUERY: Final = st.lists(st.tuples(NAME, VALUE), max_size=50).map(lambda pairs: "&".join(f"{n}={v}" for n, v in pairs))
FIELD: Final = st.sampled_from(["s", "csrf", "username", "provider", "x"]) | VALUE


@pytest.fixture(scope="module")
def site() -> Iterator[LoginSite]:
    """Give a daemon people can log in to, and one who did."""
    with LoginSite(trusted=(LOCAL,)) as running:
        running.browser().sign_up("ada")
        yield running


def code_of(reply: Reply) -> str:
    """Return the code an error page shows."""
    found = re.findall(r"<dt>Code</dt><dd><code>([a-z-]+)</code>", reply.body.decode())
    assert len(found) == 1, reply.body
    return str(found[0])


@EXAMPLES
@given(query=QUERY)
@example(query="state=")
@example(query="state=a&state=b")
@example(query="state=x&code=" + "a" * 9_000)
@example(query="&".join(f"p{n}=1" for n in range(60)))
def test_an_answer_that_belongs_to_no_login_is_refused_and_costs_nobody_theirs(site: LoginSite, query: str) -> None:
    """Otherwise a stranger's request would be a fault of ours, or use up somebody's login."""
    browser = site.browser()
    state = browser.begin()

    reply = browser.get(f"/login/github/callback?{query}")

    assert reply.status in (400, 404)
    assert code_of(reply) in {
        "flow-invalid",
        "parameter-missing",
        "parameter-repeated",
        "parameter-too-long",
        "parameter-too-many",
        "parameter-encoding",
        "bad-request",
    }
    assert reply.cookies == []
    assert location(browser.come_back(state, code="ada")) == "/account"


@EXAMPLES
@given(fields=st.lists(st.tuples(FIELD, VALUE), max_size=6).map(lambda p: "&".join(f"{n}={v}" for n, v in p)))
def test_a_form_that_belongs_to_no_sign_up_is_refused_and_costs_nobody_theirs(site: LoginSite, fields: str) -> None:
    """Otherwise an odd form would be a fault of ours, or end somebody's sign-up."""
    browser = site.browser()
    page = browser.get(location(browser.log_in("bob")))
    headers = {"Content-Type": "application/x-www-form-urlencoded", **browser.jar.header}

    reply = site.public("POST", "/welcome", headers=headers, body=fields.encode())

    assert reply.status in (400, 403)
    assert code_of(reply)
    assert reply.cookies == []
    assert browser.get(f"/welcome?s={form_of(page)['s']}").status == 200


@EXAMPLES
@given(username=st.text(st.characters(exclude_categories=["Cs"]), max_size=80))
@example(username="\x00")
@example(username="\u202eada")
@example(username="a" * 3_000)
def test_any_username_is_taken_or_refused_with_words_and_the_form_stays(site: LoginSite, username: str) -> None:
    """Otherwise an odd name would be a fault of ours, or end the sign-up."""
    browser = site.browser()
    page = browser.get(location(browser.log_in("bob")))

    reply = browser.choose(page, f"{username}!")

    assert reply.status in (400, 422)
    assert reply.cookies == []
    assert browser.get(f"/welcome?s={form_of(page)['s']}").status == 200
