"""What keeps a session awake, and when it is said to end; asked by proxies and by applications."""

import pytest

from identity.types import HOUR, MINUTE
from tests.support.web import Site

SAID: tuple[dict[str, bool], ...] = ({}, {"background": True}, {"background": False})


def test_it_is_told_when_the_session_ends(site: Site) -> None:
    """An application behind a proxy must be able to warn before somebody's text is lost."""
    jar = site.log_in()
    opened = site.clock() // 1_000

    reply = site.auth(jar=jar)

    assert reply.one("X-Identity-Idle-Ends") == str(opened + 24 * 3_600)
    assert reply.one("X-Identity-Absolute-Ends") == str(opened + 30 * 24 * 3_600)
    assert site.auth().one("X-Identity-Idle-Ends") is None


@pytest.mark.parametrize(
    ("uri", "said", "counts"),
    [
        ("/page", None, True),
        ("/page", "yes", True),
        ("/page", "no", False),
        ("/page", "No ", False),
        ("/page", "perhaps", True),
        ("/poll/mail", None, False),
        ("/poll/mail?full=1", None, False),
        ("/poll/mail", "yes", True),
        ("/poll/mail", "no", False),
        ("/page?x=/poll/", None, True),
        ("/poll/../page", None, True),
    ],
)
def test_what_a_page_asks_by_itself_keeps_no_session_awake(
    site: Site, uri: str, said: str | None, *, counts: bool
) -> None:
    """A mail page left open polls for ever; its session must end unused, and one in use must not."""
    jar = site.log_in()
    before = site.auth(jar=jar).one("X-Identity-Idle-Ends")
    site.clock.advance(20 * HOUR)

    reply = site.auth(uri, jar=jar, headers={"X-User-Activity": said} if said else {})

    assert (reply.one("X-Identity-Idle-Ends") != before) is counts


@pytest.mark.parametrize(("said", "counts"), [("no", False), ("yes", True), (None, True)])
def test_a_page_that_fetches_its_token_by_itself_keeps_no_session_awake(
    site: Site, said: str | None, *, counts: bool
) -> None:
    """With `mint = no` pages visit this address; one that does so every minute must not be logged in for ever."""
    jar = site.log_in()
    before = site.auth(jar=jar).one("X-Identity-Idle-Ends")
    site.clock.advance(20 * HOUR)
    told = {"X-User-Activity": said} if said else {}

    jar.take(site.public("GET", "/.identityd/ack", headers={"Sec-Fetch-Mode": "cors", **told, **jar.header}))

    after = site.auth(jar=jar, headers={"X-User-Activity": "no"}).one("X-Identity-Idle-Ends")
    assert (after != before) is counts


def test_background_polling_still_finds_a_thief(site: Site) -> None:
    """Only the time of activity stays: a copy that only polls must rotate, and be noticed, as any other."""
    jar = site.log_in()
    site.clock.advance(20_000)

    reply = site.auth("/poll/mail", jar=jar)

    assert len(reply.cookies) == 1


def test_the_applications_background_paths_do_not_keep_it_awake_unless_it_says_so(site: Site) -> None:
    """Otherwise every application would have to change its scripts, or could not count a click on such a path."""
    jar, url = site.log_in(), f"{site.public_url}/poll/mail"
    site.clock.advance(20 * HOUR)
    before = [site.check(jar, url=url, navigation=False, **said).json()["user"]["idle_ends_at"] for said in SAID]

    assert [at - before[0] for at in before] == [0, 0, 20 * 3_600]


def test_the_times_at_which_it_ends_are_told(site: Site) -> None:
    """An application that warns "you will be logged out in five minutes" must know when."""
    jar = site.log_in()
    opened = site.clock() // 1_000
    site.clock.advance(2 * HOUR)

    user = site.check(jar).json()["user"]

    assert user["idle_ends_at"] == opened + 2 * 3_600 + 24 * 3_600
    assert user["absolute_ends_at"] == opened + 30 * 24 * 3_600


def test_an_idle_end_that_was_told_is_true(site: Site) -> None:
    """Activity is written down now and then only; a time that is not in the store would be a false promise."""
    jar = site.log_in()
    for _ in range(3):
        site.clock.advance(HOUR // 2)
        told = site.check(jar, url=f"{site.public_url}/static/a.css").json()["user"]["idle_ends_at"]

    site.clock.advance(told * 1_000 - site.clock() + MINUTE)
    assert site.check(jar, mode="read-only").json()["verdict"] == "ok"
    site.clock.advance(1)
    assert site.check(jar, mode="read-only").json()["reason"] == "idle"
