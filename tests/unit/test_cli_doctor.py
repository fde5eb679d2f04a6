"""`doctor`: what each answer means, and what is said where nothing can be tried.

The visits themselves, through a real proxy, are in tests/proxies/test_doctor.py.
"""

from collections.abc import Iterable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from identity import config
from identity.cli import cli
from identity.cli import doctor_words as words
from identity.cli.doctor_visits import PageAnswer, site
from identity.cli.files import new_ring_file
from identity.cli.findings import Finding, Level
from tests.support.configuration import APP_SECRET
from tests.support.memcached import free_port
from tests.support.operator_commands import untouched_log

PREFIX = "__Host-idd-"
LOGIN = ("Location", "https://login.example/login?return_to=x")
FOUR = tuple(("Set-Cookie", f"{PREFIX}{n}=x; Path=/") for n in range(4))
DATE = "Tue, 02 Jan 2029 00:00:00 GMT"
NO_STORE = ("Cache-Control", "no-store")
PROOF = "made-up-1"


def levels(findings: Iterable[Finding]) -> list[str]:
    """Return how much each finding matters."""
    return [finding.level.value for finding in findings]


def text(findings: Iterable[Finding]) -> str:
    """Return what all of them say."""
    return "\n".join(finding.text for finding in findings)


@pytest.mark.parametrize(
    ("answer", "level", "said"),
    [
        (PageAnswer(204, (("X-Request-Id", "1"),)), "ok", "leads to identityd"),
        (PageAnswer(204), "problem", "not by identityd"),
        (PageAnswer(404), "problem", "answers 404"),
        (PageAnswer(0, trouble="connection refused"), "problem", "connection refused"),
    ],
)
def test_whether_the_path_of_identityd_is_routed(answer: PageAnswer, level: str, said: str) -> None:
    """Without it browsers never renew a session on that host."""
    found = list(words.of_ack(answer))

    assert (levels(found), said in text(found)) == ([level], True)


@pytest.mark.parametrize(
    ("answer", "level"),
    [
        (PageAnswer(404, body="<title>Not found</title>"), "ok"),
        (PageAnswer(421, body="<title>Unknown host</title>"), "ok"),
        (PageAnswer(200, body='{"status":"ready","missing":[],"parts":[]}'), "problem"),
        (
            PageAnswer(421, body='{"error": "unknown-host", "message": "… list it in [server] internal_hosts."}'),
            "problem",
        ),
    ],
)
def test_an_internal_listener_is_reached_also_when_it_refuses_a_name(answer: PageAnswer, level: str) -> None:
    """Under nginx's own name for it the listener is 421; under a name that a client sends it would answer."""
    assert levels(words.of_internal(answer)) == [level]


def test_a_clock_that_is_off_is_said() -> None:
    """Sessions would end early, and nobody would look at the clock."""
    found = list(words.of_ack(PageAnswer(204, (("X-Request-Id", "1"),), clock_ahead_s=-61)))

    assert levels(found) == ["ok", "warning"]


@pytest.mark.parametrize(
    ("answer", "level", "said"),
    [
        (PageAnswer(302, (LOGIN,)), "ok", "leads to the login"),
        (PageAnswer(302, (("Location", "/.identityd/login?return_to=x"),)), "ok", "leads to the login"),
        (PageAnswer(401), "ok", "leads to the login"),
        (PageAnswer(302, (("Location", "/elsewhere"),)), "problem", "not guarded"),
        (PageAnswer(200), "problem", "not guarded"),
        (PageAnswer(403), "problem", "trusted_proxies"),
        (PageAnswer(500), "problem", "?redirect=1"),
        (PageAnswer(502), "problem", "does not reach"),
        (PageAnswer(0, trouble="no answer"), "problem", "no answer"),
    ],
)
def test_what_a_visit_without_a_session_gets(answer: PageAnswer, level: str, said: str) -> None:
    """Each status has one likely cause, and the operator reads it."""
    found = list(words.of_stranger(answer))

    assert (levels(found), said in text(found)) == ([level], True)


def test_who_calls_himself_somebody_and_is_let_in_is_a_problem() -> None:
    """Anybody could be anybody."""
    assert levels(words.of_claimed_user(PageAnswer(200))) == ["problem"]
    assert levels(words.of_claimed_user(PageAnswer(302, (LOGIN,)))) == []


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (FOUR, "all four"),
        (FOUR[:1], "only 1 of four"),
        ((), "no cookie"),
        ((("Set-Cookie", ", ".join(value for _, value in FOUR)),), "merged in one"),
        ((("Set-Cookie", "theme=dark"),), "no cookie"),
    ],
)
def test_which_cookies_reach_the_browser(lines: tuple[tuple[str, str], ...], said: str) -> None:
    """Whatever is lost here, sessions stand still and nobody is told."""
    found = list(words.of_cookies(PageAnswer(200, (*lines, NO_STORE)), PREFIX))

    assert levels(found) == ["ok" if said == "all four" else "problem"]
    assert said in text(found)


def test_a_token_in_an_answer_that_may_be_stored_is_said() -> None:
    """A cache would hand one person's token to the next."""
    assert levels(words.of_cookies(PageAnswer(200, FOUR), PREFIX)) == ["ok", "warning"]


@pytest.mark.parametrize(
    ("body", "level"),
    [
        (f'{{"user": "{PROOF}"}}', "problem"),
        ('["X-Identity-User", "identityd%20doctor"]', "ok"),
        ("Hello, identityd doctor", "ok"),
        (f"identityd doctor {PROOF}", "problem"),
        ("nothing", "warning"),
    ],
)
def test_whether_made_up_headers_reach_the_application(body: str, level: str) -> None:
    """A page that does not show who is there proves nothing, and must not be called in order."""
    assert levels(words.of_spoof(PageAnswer(200, body=body), PROOF)) == [level]


@pytest.mark.parametrize(
    ("answer", "level"),
    [
        (PageAnswer(307, (("Set-Cookie", "__Host-iddm=x"),)), "ok"),
        (PageAnswer(307), "problem"),
        (PageAnswer(302, (LOGIN,)), "problem"),
        (PageAnswer(200), "problem"),
    ],
)
def test_what_becomes_of_a_bounce(answer: PageAnswer, level: str) -> None:
    """A lost bounce sends people to the login whose tokens just rotated."""
    assert levels(words.of_bounce(answer, PREFIX)) == [level]


@pytest.mark.parametrize(
    ("answer", "level"),
    [
        (PageAnswer(503, (("Retry-After", "5"),)), "ok"),
        (PageAnswer(503), "warning"),
        (PageAnswer(302, (LOGIN,)), "problem"),
        (PageAnswer(200), "problem"),
        (PageAnswer(500), "problem"),
    ],
)
def test_what_becomes_of_an_outage(answer: PageAnswer, level: str) -> None:
    """An outage that looks like a logout is one, to whoever is sent to the login."""
    assert levels(words.of_outage(answer)) == [level]


@pytest.mark.parametrize(
    ("status", "level"), [(200, "ok"), (404, "ok"), (400, "problem"), (431, "problem"), (0, "problem")]
)
def test_what_becomes_of_a_long_header(status: int, level: str) -> None:
    """A person whose request is refused for its length cannot even log out."""
    assert levels(words.of_long_header(PageAnswer(status))) == [level]


def test_the_long_header_is_as_long_as_said() -> None:
    """A shorter one would find nothing."""
    [(_, value)] = words.cookie(*words.junk(PREFIX, words.MANY))

    assert 6_000 <= len(value) <= 7_000


def test_what_the_daemon_misses_is_repeated() -> None:
    """It knows of its stores and of proxies that drop cookies what no visit shows."""
    parts = [
        {"name": "accounts", "problem": None, "warning": None, "clock_warning": False},
        {"name": "sessions (one)", "problem": "does not answer", "warning": None, "clock_warning": False},
        {"name": "sessions (two)", "problem": None, "warning": None, "clock_warning": True, "clock_ahead_s": 9},
        {"name": "application (wiki)", "problem": None, "warning": "drops Set-Cookie", "clock_warning": False},
    ]

    assert levels(words.of_daemon({"parts": parts})) == ["ok", "problem", "warning", "warning"]
    assert levels(words.of_daemon("no daemon answers")) == ["warning"]


def written(folder: Path, sections: str = "") -> Path:
    """Write a configuration with one application."""
    new_ring_file(folder / "identityd.keys")
    file = folder / "identityd.ini"
    file.write_text(
        f"[server]\npublic_url = http://localhost:8887\n[app:wiki]\nsecret = {APP_SECRET}\n"
        f"hosts = wiki.localhost:8887\n{sections}"
    )
    file.chmod(0o600)
    return file


def run(*arguments: str) -> Result:
    """Give the command."""
    with untouched_log():
        return CliRunner().invoke(cli, ["doctor", *arguments], catch_exceptions=False)


def test_a_host_of_no_application_is_a_problem(tmp_path: Path) -> None:
    """Every request there is 403, and the person reads nothing of why."""
    read = config.load(written(tmp_path), environ={})

    assert words.of_registration("wiki.localhost:8887", read).level is Level.OK
    assert words.of_registration("blog.localhost:8887", read).level is Level.PROBLEM


@pytest.mark.threat(49)
def test_an_application_on_the_logins_own_host_is_worth_a_word() -> None:
    """Otherwise whoever shares an origin with the login hears of it only if something happens."""
    read = config.parse(f"[app:wiki]\nsecret = {APP_SECRET}\n", base=Path())

    found = words.of_registration("localhost:8887", read)

    assert found.level is Level.WARNING
    assert "host of its own" in found.text


def test_an_application_that_gets_no_cookies_by_its_configuration_is_not_accused(tmp_path: Path) -> None:
    """`mint = no` is there for proxies that lose them."""
    read = config.load(written(tmp_path), environ={})
    (tmp_path / "identityd.ini").write_text((tmp_path / "identityd.ini").read_text() + "mint = no\n")
    without = config.load(tmp_path / "identityd.ini", environ={})

    assert words.of_minting("wiki.localhost:8887", read) is None
    assert words.of_minting("wiki.localhost:8887", without) is not None


def test_without_a_daemon_and_a_proxy_it_says_so(tmp_path: Path) -> None:
    """The commonest state of a new installation must be a sentence, not a traceback."""
    file = str(written(tmp_path))
    ports = ["--port", str(free_port()), "--internal-port", str(free_port())]

    alone = run("--config", file, *ports)
    tried = run("--config", file, *ports, "--url", f"http://localhost:{free_port()}/")

    assert (alone.exit_code, tried.exit_code) == (0, 2)
    assert alone.stdout.startswith("warning  no daemon answers on ")
    assert "problem  the proxy cannot be reached: connection refused" in tried.stdout
    assert [line.split()[0] for line in tried.stdout.splitlines()] == ["warning", "problem", "problem", "warning"]
    assert "nothing else was tried" in tried.stdout


@pytest.mark.parametrize("url", ["wiki.example", "ftp://wiki.example/", "https://me@wiki.example/", "https://wiki:x/"])
def test_what_is_no_address_is_refused(tmp_path: Path, url: str) -> None:
    """A slip of the fingers is not a broken proxy."""
    assert run("--config", str(written(tmp_path)), "--url", url).exit_code == 2


def test_an_address_is_read_as_a_browser_reads_it() -> None:
    """The host decides which application is meant, and the usual port is not part of it."""
    read = site("https://Wiki.example:443?a=b", None)

    assert (read.host, read.port, read.path) == ("wiki.example", 443, "/?a=b")
    assert site("http://wiki.example:8080/x", None).host == "wiki.example:8080"


@pytest.mark.threat(58)
@pytest.mark.parametrize(
    ("lines", "level"),
    [
        ((), "problem"),
        (("",), "problem"),
        (("private",), "problem"),
        (("public, max-age=60",), "problem"),
        (("max-age=60", "s-maxage=5"), "problem"),
        (("max-age=60",), "problem"),
        (("max-age=60, private",), "ok"),
        (("private, MAX-AGE=86400",), "warning"),
        (("max-age=0, must-revalidate",), "ok"),
        (("no-cache, private",), "ok"),
        (("public", "no-store"), "ok"),
    ],
)
def test_whether_an_answer_is_kept_over_a_logout(lines: tuple[str, ...], level: str) -> None:
    """Whoever sits down next would read it without a request."""
    answer = PageAnswer(200, tuple(("Cache-Control", line) for line in lines))

    assert levels(words.of_cache(answer)) == [level]


@pytest.mark.threat(58)
@pytest.mark.parametrize(
    ("lines", "level"),
    [
        ((("Cache-Control", "private, max-age=60"), ("Age", "7")), "problem"),
        ((("Cache-Control", "private, max-age=60"), ("Age", "0")), "ok"),
        ((("Cache-Control", "no-cache, private"), ("Age", "3")), "problem"),
        ((("Cache-Control", "max-age=60"), ("Vary", "Accept, Cookie")), "ok"),
        ((("Cache-Control", "max-age=60"), ("Vary", "Accept")), "problem"),
        ((("Date", DATE), ("Expires", "Tue, 02 Jan 2029 00:01:00 GMT")), "problem"),
        ((("Date", DATE), ("Expires", "Tue, 02 Jan 2029 00:01:00 GMT"), ("Cache-Control", "private")), "ok"),
        ((("Date", DATE), ("Expires", "Wed, 03 Jan 2029 00:00:00 GMT"), ("Cache-Control", "private")), "warning"),
        ((("Date", DATE), ("Expires", "Mon, 01 Jan 2029 00:00:00 GMT")), "ok"),
        ((("Date", DATE), ("Expires", "0")), "ok"),
    ],
)
def test_whether_caches_on_the_way_keep_a_guarded_answer(lines: tuple[tuple[str, str], ...], level: str) -> None:
    """One person's page would be another's; browsers and caches read older lines than Cache-Control too."""
    assert levels(words.of_cache(PageAnswer(200, lines))) == [level]


def test_what_was_not_reached_is_not_in_order() -> None:
    """An operator stops looking at what is called in order."""
    assert levels(words.of_internal(PageAnswer(0, trouble="no answer within 20 s"))) == ["warning"]


def test_a_name_leads_where_the_operator_says(tmp_path: Path) -> None:
    """Before the name is switched, the new proxy must have been tried under it."""
    file = str(written(tmp_path))
    port = free_port()
    url = f"http://app.not-switched.invalid:{port}/"

    led = run("--config", file, "--url", url, "--resolve", "app.not-switched.invalid:127.0.0.1")

    assert "the proxy cannot be reached: connection refused" in led.stdout


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("a.example:192.0.2.7", "192.0.2.7"),
        ("A.EXAMPLE:[2001:db8::1]", "2001:db8::1"),
        ("a.example:2001:db8::1", "2001:db8::1"),
    ],
)
def test_addresses_of_either_kind_are_taken(text: str, address: str) -> None:
    """With brackets, as in an address, or without."""
    tried = site("https://a.example/", None, ["b.example:192.0.2.9", text])

    assert (tried.address, tried.hostname, tried.host) == (address, "a.example", "a.example")


@pytest.mark.parametrize("text", ["a.example", "a.example:", "a.example:b.example", "a.example:443:192.0.2.7"])
def test_an_address_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    """Otherwise the old proxy would be tried, and called in order."""
    refused = run("--config", str(written(tmp_path)), "--url", "https://a.example/", "--resolve", text)

    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "is not HOST:ADDRESS" in refused.stderr
