"""Guesses at applications' secrets: slowed and said aloud, and nobody is locked out by them."""

from collections.abc import Callable, Iterator

import pytest

from identity.applications import authentication
from identity.types import MINUTE, ClientId
from identity.web.programs import application
from identity.web.state import secret_guesses
from identity.web.state.secret_guesses import FREE, PLACES, UNKNOWN_CLIENT, Guesses
from tests.support.clock import ManualClock
from tests.support.guards import Expectation
from tests.support.web import APP, Site, basic

ExpectLog = Callable[..., Expectation]
ADA, BOB = "192.0.2.7", "198.51.100.7"


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Give a daemon that waits for nothing."""
    monkeypatch.setattr(application, "WAIT_S", 0)
    with Site() as running:
        yield running


def _ask(site: Site, secret: str | None, *, client_id: str = APP) -> tuple[int, str | None]:
    headers = {} if secret is None else basic(client_id, secret)
    reply = site.ask_app("/session/check-many", {"checks": []}, headers=headers)
    return reply.status, reply.one("Retry-After")


def test_guesses_are_slowed_and_a_right_secret_passes_at_once(site: Site, expect_log: ExpectLog) -> None:
    """Otherwise secrets are tried as fast as the daemon answers; or guessing locks an application out."""
    expect_log("identity.web.state.secret_guesses", "secrets-guessed.*wiki")
    wrong = [_ask(site, f"wrong {n}")[0] for n in range(FREE + 5)]
    right = site.ask_app("/session/check-many", {"checks": []})

    assert wrong == [401] * FREE + [429] * 5
    assert right.status == 200
    assert _ask(site, "wrong again") == (429, "60")
    assert f'identityd_secrets_refused_total{{app="wiki"}} {FREE + 6}.0'.encode() in site.metrics.render()


def test_a_minute_later_it_is_as_before(site: Site, expect_log: ExpectLog) -> None:
    """Otherwise a deployment that was mended is still answered as an attack."""
    expect_log("identity.web.state.secret_guesses", "secrets-guessed")
    for n in range(FREE + 1):
        _ask(site, f"wrong {n}")
    site.clock.advance(MINUTE)

    assert _ask(site, "wrong") == (401, None)


def test_ids_nobody_has_are_counted_as_one(site: Site, expect_log: ExpectLog) -> None:
    """Otherwise strangers fill the table and the metrics with names, or learn which there are."""
    expect_log("identity.web.state.secret_guesses", "secrets-guessed.*unknown")
    answers = [_ask(site, "wrong", client_id=f"app-{n}")[0] for n in range(FREE + 1)]

    assert answers == [401] * FREE + [429]
    assert site.metrics.render().count(b"identityd_secrets_refused_total{") == 1
    assert len(site.context.guesses._clients) == 1


def test_whoever_shows_nothing_is_no_guess(site: Site) -> None:
    """Otherwise a client that asks first how to prove itself raises an alarm."""
    assert {_ask(site, None)[0] for _ in range(FREE * 2)} == {401}


def test_too_many_waiting_answers_are_given_at_once(
    site: Site, expect_log: ExpectLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise guesses that wait are kept without bound."""
    expect_log("identity.web.state.secret_guesses", "secrets-guessed")
    monkeypatch.setattr(application, "WAIT_S", 3_600)
    monkeypatch.setattr(application, "HELD", 0)

    assert [_ask(site, "wrong")[0] for _ in range(FREE + 2)][-2:] == [429, 429]


def test_one_range_does_not_slow_another(expect_log: ExpectLog) -> None:
    """Otherwise a stranger makes the answers of an honest mistake late."""
    expect_log("identity.web.state.secret_guesses", "secrets-guessed")
    seen = Guesses(ManualClock())
    for n in range(FREE * 3):
        seen.wrong(APP, f"192.0.2.{n}")

    assert seen.wrong(APP, ADA) > FREE
    assert seen.wrong(APP, BOB) == 1


def test_guesses_from_everywhere_are_noticed_once_a_minute(expect_log: ExpectLog) -> None:
    """Otherwise a guess from each of many places is no alarm; or the log is filled by guessing."""
    alarm = expect_log("identity.web.state.secret_guesses", "secrets-guessed")
    clock = ManualClock()
    seen = Guesses(clock)
    for n in range(FREE * 10):
        seen.wrong(APP, f"10.{n}.0.1")
    clock.advance(MINUTE)
    for n in range(FREE * 10):
        seen.wrong(APP, f"10.{n}.0.1")

    assert len(alarm.records) == 2


def test_what_is_remembered_has_a_bound(expect_log: ExpectLog) -> None:
    """Otherwise addresses, of which IPv6 has enough, fill the memory."""
    expect_log("identity.web.state.secret_guesses", "secrets-guessed")
    seen = Guesses(ManualClock())
    for n in range(PLACES * 3):
        seen.wrong(UNKNOWN_CLIENT, f"2001:db8:{n:x}::1")

    assert len(seen._places) == PLACES
    assert len(seen._clients) == 1
    assert secret_guesses.HELD < 1_000


def test_an_unknown_id_is_compared_as_often_as_a_known_one(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the time tells which applications there are."""
    compared: list[int] = []
    same = authentication._same

    def counted(shown: bytes, known: bytes) -> bool:
        compared[-1] += 1
        return same(shown, known)

    monkeypatch.setattr(authentication, "_same", counted)
    for client_id, secret in ((APP, "wrong"), ("nobody", "wrong"), (APP, "\0" * 32), (ClientId("nobody"), "\0" * 32)):
        compared.append(0)
        assert _ask(site, secret, client_id=client_id)[0] == 401

    assert compared == [2, 2, 2, 2]
