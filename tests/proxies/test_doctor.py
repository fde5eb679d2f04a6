"""`doctor --url` through a real nginx with the real example, and with what operators get wrong in it."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from identity import config
from identity.cli import cli
from identity.cli.doctor_session import ACCOUNT, LIFETIME_MS
from identity.opening import now
from identity.operating import open_trial
from identity.stores.sqlite import SqliteAccounts
from tests.support.certificates import Authority
from tests.support.guarded_application import APPLICATION, GuardedApplication
from tests.support.operator_commands import untouched_log

pytestmark = [pytest.mark.memcached, pytest.mark.nginx]

ECHO = f"{APPLICATION}/echo"


@contextmanager
def behind(
    folder: Path, authority: Authority, *, faults: Mapping[str, str] | None = None
) -> Iterator[GuardedApplication]:
    """Give a gate with an nginx whose example has faults, or none."""
    with GuardedApplication("nginx", folder / "run", authority, faults=faults) as guarded:
        yield guarded


def examine(guarded: GuardedApplication, authority: Authority, path: str = ECHO) -> Result:
    """Give the command."""
    words = ["doctor", "--config", str(guarded.daemon.folder / "identityd.ini"), "--as", "ann"]
    words += ["--port", str(guarded.daemon.port), "--internal-port", str(guarded.daemon.internal_port)]
    words += ["--url", f"{guarded.url}{path}", "--ca-file", str(authority.ca_file)]
    with untouched_log():
        return CliRunner().invoke(cli, words, catch_exceptions=False)


def problems(result: Result) -> list[str]:
    """Return what it found wrong."""
    return [line.partition(" ")[2].strip() for line in result.stdout.splitlines() if line.startswith("problem")]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[GuardedApplication]:
    """Give a gate with the example as it is."""
    with behind(tmp_path_factory.mktemp("good"), authority) as guarded:
        yield guarded


def test_the_example_has_nothing_wrong(good: GuardedApplication, authority: Authority) -> None:
    """A tool that complains about what works is not asked a second time."""
    result = examine(good, authority)

    # This application is on the login's own host, which is worth a warning and the only one.
    shared = "is the login's own host"
    rest = {line.split()[0] for line in result.stdout.splitlines() if shared not in line}
    assert (result.exit_code, rest, result.stdout.count(shared)) == (0, {"ok"}, 1), result.stdout
    for said in ("four cookies", "a bounce reaches", "stays one", "of 6 KB passes", "nothing a client made up"):
        assert said in result.stdout


def test_the_test_session_is_over_and_in_the_audit(good: GuardedApplication, authority: Authority) -> None:
    """A key to every application must not lie about, and somebody must be able to ask who had it."""
    examine(good, authority)
    store = SqliteAccounts(good.daemon.folder / "identityd.sqlite", clock=now)
    rows = [(event.action, event.actor) for event in store.audit.of_account(ACCOUNT)][:2]
    store.close()
    with ExitStack() as closing:
        read = config.load(good.daemon.folder / "identityd.ini", environ={}, demo=True)
        alive = open_trial(read, closing, clock=now, lifetime_ms=LIFETIME_MS).sessions.alive(ACCOUNT)

    assert alive == ()
    assert rows == [("doctor", "operator:ann"), ("doctor-begun", "operator:ann")]


def test_nobody_else_notices(good: GuardedApplication, authority: Authority) -> None:
    """It is run where people work."""
    member = good.member()

    examine(good, authority)

    assert member.load("GET", ECHO).status == 200


def test_an_address_that_is_not_guarded_is_said(good: GuardedApplication, authority: Authority) -> None:
    """Otherwise somebody believes for years that it is."""
    result = examine(good, authority, "/login")

    assert result.exit_code == 2
    assert any("is not guarded" in text for text in problems(result))


def test_three_common_faults_are_each_found(tmp_path: Path, authority: Authority) -> None:
    """A header of the operator's own, a lost error page, and nginx's own limit for headers."""
    faults = {
        "    location /app/ {\n": "    location /app/ {\n        add_header X-Frame-Options DENY always;\n",
        "error_page 500 =503 $identity_down;": "error_page 500 =200 /elsewhere;",
        "large_client_header_buffers 4 32k;": "large_client_header_buffers 4 4k;",
    }
    with behind(tmp_path, authority, faults=faults) as guarded:
        result = examine(guarded, authority)

    found = problems(result)
    assert result.exit_code == 2
    for said in ("no cookie of a verdict reaches", "a 503 of identityd becomes", "a Cookie header of 6 KB is answered"):
        assert any(text.startswith(said) for text in found), found


def test_three_more_faults_are_each_found(tmp_path: Path, authority: Authority) -> None:
    """A path that is not routed, a bounce that is not handled, a header that is not replaced."""
    faults = {
        "    location /app/ {\n": (
            "    location /.identityd/ { proxy_pass http://application; }\n    location /app/ {\n"
        ),
        "    if ($identity_verdict = bounce) { return 307 $identity_location; }\n": "",
        "proxy_set_header X-Identity-User           $identity_user;\n": "",
    }
    with behind(tmp_path, authority, faults=faults) as guarded:
        result = examine(guarded, authority)

    found = problems(result)
    assert result.exit_code == 2
    for said in ("/.identityd/ack answers 200", "a bounce becomes 302", "an X-Identity-… header that a client made up"):
        assert any(text.startswith(said) for text in found), found


@pytest.mark.threat(58)
def test_answers_that_a_browser_keeps_over_the_logout_are_found(tmp_path: Path, authority: Authority) -> None:
    """Whoever sits down next reads them without a request, and no log shows it."""
    with behind(tmp_path, authority, faults={'""      "no-cache, private";': '""      "";'}) as guarded:
        silent, own = examine(guarded, authority, f"{APPLICATION}/old"), examine(guarded, authority)

    assert [text.partition(":")[0] for text in problems(silent)] == [
        "a guarded answer does not say how long it may be kept"
    ]
    assert "how long a browser may keep its answer: 60 s" in own.stdout


def test_the_internal_listener_and_merged_cookies_are_found(tmp_path: Path, authority: Authority) -> None:
    """One opens the daemon to everybody, the other lets sessions stand still."""
    faults = {
        "    location /app/ {\n": (
            "    location = /readyz { proxy_pass http://identityd_auth; }\n    location /app/ {\n"
        ),
        "add_header Set-Cookie $identity_cookie1 always;\nadd_header Set-Cookie $identity_cookie2 always;\n": (
            'add_header Set-Cookie "$identity_cookie1, $identity_cookie2" always;\n'
        ),
    }
    with behind(tmp_path, authority, faults=faults) as guarded:
        result = examine(guarded, authority)

    found = problems(result)
    for said in ("/readyz of identityd is reached", "several cookies of a verdict arrive merged"):
        assert any(text.startswith(said) for text in found), found
