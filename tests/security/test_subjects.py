"""Ids of people are compared as they are (threats row 56): what differs in case is somebody else.

That every store keeps such keys apart is `test_keys_are_compared_as_bytes` of its contract suite.
"""

import pytest

from tests.support.logins import LoginSite, location
from tests.support.scripted import person


@pytest.fixture
def alike(logins: LoginSite) -> LoginSite:
    """Give a daemon at whose provider two people have ids that differ in case."""
    logins.github.people |= {"upper": person("Ab", handle="one"), "lower": person("aB", handle="two")}
    return logins


@pytest.mark.threat(56)
def test_ids_that_differ_in_case_are_two_people(alike: LoginSite) -> None:
    """Otherwise whoever gets an id that is spelt alike is logged in as somebody else."""
    alike.browser().sign_up("upper", username="one")
    second = alike.browser()

    assert location(second.log_in("lower")).startswith("/welcome")
    second.sign_up("lower", username="two")

    assert alike.row("github:Ab").account_id != alike.row("github:aB").account_id
    for code, name in (("upper", "one"), ("lower", "two")):
        browser = alike.browser()
        browser.log_in(code)
        assert browser.whoami() == name


@pytest.mark.threat(56)
@pytest.mark.parametrize(("one", "other"), [("é", "e\u0301"), ("a", "a "), ("ﬁ", "fi"), ("1", "\uff11"), ("a", "%61")])
def test_ids_that_look_alike_are_two_people(logins: LoginSite, one: str, other: str) -> None:
    """Otherwise a database's idea of equal letters makes two people one."""
    logins.github.people |= {"one": person(one, handle="one"), "other": person(other, handle="other")}
    logins.browser().sign_up("one", username="one")

    assert location(logins.browser().log_in("other")).startswith("/welcome")
