"""SIGHUP as an operator uses it: a file is edited under a daemon that serves, well or badly."""

import base64
import json
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any, Final

import pytest

from tests.support.running import APP, APP_SECRET, Running
from tests.support.waiting import until

RELOADS: Final = 50
OTHER_SECRET: Final = "the next secret of the test application, 32"


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Running]:
    """Give a daemon that serves, with accounts and sessions of its own."""
    with Running(tmp_path / "run", {}) as running:
        yield running


def messages(daemon: Running) -> list[str]:
    """Return what it logged, without the line that the demonstration prints."""
    return [json.loads(line)["message"] for line in daemon.log().splitlines() if line.startswith("{")]


def doubts(daemon: Running) -> str:
    """Return what `/readyz` says of the configuration file; the daemon is ready all the same."""
    status, _, body = daemon.ask("GET", "/readyz")
    assert status == 200
    return "".join(part["warning"] or "" for part in json.loads(body)["parts"] if part["name"] == "configuration")


def reloads(daemon: Running) -> dict[str, float]:
    """Return how often it read its file again, by what became of it."""
    name = "identityd_config_reloads_total"
    return {each: daemon.metric(f'{name}{{outcome="{each}"}}') for each in ("applied", "unchanged", "refused")}


def test_whom_an_application_does_not_let_in_any_more_is_refused_at_the_next_check(daemon: Running) -> None:
    """The one who left would have the wiki until somebody dares to restart the login of all."""
    cookie = daemon.sign_up("alice")
    before = daemon.check(cookie)
    daemon.write({f"app:{APP}": {"allow": "user:bob"}})
    daemon.hang_up()
    refused = daemon.check(cookie)
    daemon.write({})
    daemon.hang_up()

    assert [before["verdict"], refused["verdict"], refused["reason"]] == ["ok", "forbidden", "not-allowed"]
    assert daemon.check(cookie)["verdict"] == "ok"
    assert messages(daemon).count(f"reloaded: [app:{APP}] allow changed") == 2
    assert reloads(daemon) == {"applied": 2, "unchanged": 0, "refused": 0}


def test_a_secret_is_changed_without_an_interruption_and_never_written_down(daemon: Running) -> None:
    """A secret that leaked stays good until the next restart, or leaks again through the log."""

    def status(secret: str) -> int:
        basic = base64.b64encode(f"{APP}:{secret}".encode()).decode()
        headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/json"}
        body = json.dumps({"cookie": "", "url": f"{daemon.url}/", "navigation": False}).encode()
        return daemon.ask("POST", "/session/check", headers=headers, body=body)[0]

    seen = []
    for options in ({"second_secret": OTHER_SECRET}, {"secret": OTHER_SECRET}):
        seen.append((status(APP_SECRET), status(OTHER_SECRET)))
        daemon.write({f"app:{APP}": options})
        daemon.hang_up()
    seen.append((status(APP_SECRET), status(OTHER_SECRET)))

    assert seen == [(200, 401), (200, 200), (401, 200)]
    assert f"reloaded: [app:{APP}] second_secret changed" in messages(daemon)
    assert f"reloaded: [app:{APP}] secret changed" in messages(daemon)
    assert APP_SECRET not in daemon.log()
    assert OTHER_SECRET not in daemon.log()


def _vanish(path: Path) -> None:
    path.unlink()


def _become_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _become_writable_by_strangers(path: Path) -> None:
    path.chmod(0o666)


def _become_wrong(path: Path) -> None:
    path.write_text(f"{path.read_text()}\n[servr]\nport = 1\n[app:shop]\nsecret = short\n")


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (_vanish, ["cannot be read: no such file or directory"]),
        (_become_a_folder, ["cannot be read: is a directory"]),
        (_become_writable_by_strangers, ["(mode 0666); run `chmod o-w "]),
        (_become_wrong, ["[servr] section: there is no such section; did you mean server?", "[app:shop] secret: "]),
    ],
)
def test_a_file_that_cannot_be_used_changes_nothing_and_is_said(
    daemon: Running, harm: Callable[[Path], None], said: list[str]
) -> None:
    """A slip while editing takes the login away from every application, or half of a file counts."""
    cookie, path = daemon.sign_up("alice"), daemon.folder / "identityd.ini"
    whole = path.read_text()
    daemon.write({"server": {"log_level": "debug"}, f"app:{APP}": {"allow": "user:bob"}})
    harm(path)
    daemon.hang_up()
    told = [each for each in messages(daemon) if each.startswith("nothing was reloaded: ")]
    warned = doubts(daemon)
    checked = daemon.check(cookie)["verdict"]
    path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)
    path.write_text(whole)
    path.chmod(0o600)
    daemon.hang_up()

    assert len(told) == len(said), told
    assert all(words in line for words, line in zip(said, told, strict=True)), told
    assert "refused at the last SIGHUP" in warned
    assert said[0] in warned
    assert (checked, doubts(daemon)) == ("ok", "")
    assert reloads(daemon) == {"applied": 0, "unchanged": 1, "refused": 1}


def test_the_pages_are_the_operators_from_the_next_one_on(daemon: Running) -> None:
    """A mail address that is gone would stand on every error page until the next restart."""
    daemon.write({"site": {"name": "Example Login", "colour": "#b00020"}, f"app:{APP}": {"label": "Wiki"}})
    daemon.hang_up()
    page = daemon.page("/login")
    sheet = daemon.page(page.partition('rel="stylesheet" href="')[2].partition('"')[0])

    assert "<title>Log in · Example Login</title>" in page
    assert "--accent: #b00020" in sheet
    assert {"reloaded: [site] name changed", "reloaded: [site] colour changed"} <= set(messages(daemon))


def test_what_needs_a_restart_is_named_and_the_rest_is_taken(daemon: Running) -> None:
    """An operator believes that the daemon moved, or that nothing of an edit counts."""
    cookie = daemon.sign_up("alice")
    waiting = {"sqlite": {"file": "other.sqlite"}, "server": {"address": "127.0.0.2"}}
    daemon.write({**waiting, f"app:{APP}": {"allow": "user:bob"}})
    daemon.hang_up()
    said, needed = doubts(daemon), daemon.metric("identityd_config_restart_needed")
    verdict = daemon.check(cookie)["reason"]
    daemon.write({f"app:{APP}": {"allow": "user:bob"}})
    daemon.hang_up()

    assert said == "a restart is needed for [server] address, [sqlite] file"
    assert said in messages(daemon)
    assert (needed, verdict) == (1, "not-allowed")
    assert (daemon.metric("identityd_config_restart_needed"), doubts(daemon)) == (0, "")


def test_a_provider_is_offered_from_the_next_page_on_and_one_that_was_repointed_refuses_all(tmp_path: Path) -> None:
    """A name that means another issuer hands accounts to strangers, at SIGHUP as well as at a start."""
    hub = {"kind": "github", "client_id": "me", "client_secret": "0123456789"}
    with Running(tmp_path / "run", {}) as daemon:
        cookie = daemon.sign_up("alice")
        daemon.write({"provider:hub": {**hub, "label": "The hub"}})
        daemon.hang_up()
        offered = daemon.page("/login")
        daemon.write({"provider:demo": hub, f"app:{APP}": {"allow": "user:bob"}})
        daemon.hang_up()
        refused = [each for each in messages(daemon) if each.startswith("nothing was reloaded: ")]
        still = daemon.check(cookie)["verdict"], daemon.page("/login")

    assert "The hub" in offered
    assert len(refused) == 1
    assert "[provider:demo] its accounts belong to " in refused[0]
    assert still[0] == "ok"
    assert "The hub" in still[1]


def test_fifty_reloads_under_load_lose_no_request_and_no_session(daemon: Running) -> None:
    """An operator's script that reloads after each change would take the login away from people, one in a thousand."""
    cookies = [daemon.sign_up(name) for name in ("alice", "bob")]
    over, seen = Event(), []

    def ask(cookie: str) -> list[dict[str, Any]]:
        answers = []
        while not over.is_set():
            answers.append(daemon.check(cookie, navigation=False))
            answers.append({"status": 200, "verdict": "ok"} if "Demo" in daemon.page("/login") else {"status": 0})
        return answers

    with ThreadPoolExecutor(4) as pool:
        flights = [pool.submit(ask, cookie) for cookie in cookies * 2]
        for number in range(RELOADS):
            daemon.write({"server": {"logins_per_minute": str(100 + number)}})
            daemon.hang_up()
        over.set()
        seen = [answer for flight in flights for answer in flight.result()]

    assert len(seen) > RELOADS
    assert [each for each in seen if (each["status"], each["verdict"]) != (200, "ok")] == []
    assert reloads(daemon) == {"applied": RELOADS, "unchanged": 0, "refused": 0}


def test_signals_in_a_row_are_each_heard(daemon: Running) -> None:
    """A file that is written while another SIGHUP is worked on would not count until the one after."""
    for number in range(20):
        daemon.write({"server": {"logins_per_minute": str(100 + number)}})
        os.kill(daemon.pid, signal.SIGHUP)
    daemon.write({f"app:{APP}": {"allow": "user:bob"}})
    os.kill(daemon.pid, signal.SIGHUP)

    until(lambda: f"reloaded: [app:{APP}] allow changed" in messages(daemon), within_s=20, otherwise=daemon.log)


def test_a_daemon_stops_in_the_middle_of_it(daemon: Running) -> None:
    """A service manager that reloads and stops in one breath would wait until it kills."""
    daemon.write({"server": {"logins_per_minute": "7"}})
    os.kill(daemon.pid, signal.SIGHUP)

    assert daemon.stop() == 0
