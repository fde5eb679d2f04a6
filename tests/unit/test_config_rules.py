"""Rules that look at several options, and the files an accepted configuration names."""

import os
from pathlib import Path

import pytest

from identity import config, keyring
from identity.errors import ConfigError
from options.secret import Secret
from tests.support.configuration import APP_SECRET, problems_of, problems_with

APP = f"[app:wiki]\nsecret = {APP_SECRET}\nallow = group:staff\n"
SHOP = f"[app:shop]\nsecret = {APP_SECRET[::-1]}\nallow = group:staff\n"
PROVIDER = "[provider:x]\nkind = github\nclient_id = me\nclient_secret = 0123456789ab\n"
SOCKET = "unix:/run/identityd/public.sock"
OAUTH1 = "[provider:y]\nkind = twitter1\nconsumer_key = me\nconsumer_secret = 0123456789ab\n"


def test_tokens_that_no_application_may_fetch_are_warned_about() -> None:
    """They are worth stealing and of no use."""
    kept = f"{PROVIDER}keep_tokens = yes\n"

    def warned(text: str) -> bool:
        return any("[provider:x] keep_tokens" in line for line in config.parse(text, base=Path()).warnings)

    assert warned(kept)
    assert not warned(f"{kept}{APP}tokens_of = x\n")
    assert not warned(PROVIDER)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[server]\nport = 65535\n", "[server] internal_port"),
        ("[server]\nport = 9000\ninternal_port = 9000\n", "[server] internal_port"),
        (
            "[server]\npublic_url = https://a.example\naddress = 0.0.0.0\nport = 9000\ninternal_port = 9000\n",
            "[server] internal_port",
        ),
        ("[server]\npublic_url = https://a.example\ntls_certificate = c\n", "[server] tls_key"),
        ("[server]\npublic_url = https://a.example\ntls_key = k\n", "[server] tls_certificate"),
        ("[server]\ntls_certificate = c\ntls_key = k\n", "[server] public_url"),
        ("[server]\npublic_url = http://login.example.com\n", "[server] public_url"),
        ("[server]\naddress = 0.0.0.0\n", "[server] address"),
        ("[server]\naddress = ::\n", "[server] address"),
        ("[server]\ninternal_address = 10.0.0.5\n", "[server] internal_address"),
        (f"[server]\naddress = {SOCKET}\ninternal_address = {SOCKET}\n", "[server] internal_address"),
        (f"[server]\naddress = {SOCKET}\nport = 65535\n", "[server] internal_port"),
        ("[server]\naddress = unix:public.sock\n", "[server] address"),
        ("[server]\naddress = unix:/run/../public.sock\n", "[server] address"),
        ("[server]\naddress = unix:/run/\n", "[server] address"),
        ("[server]\naddress = unix:@abstract\n", "[server] address"),
        (f"[server]\naddress = unix:/{'x' * 107}\n", "[server] address"),
        ("[server]\nsocket_mode = 888\n", "[server] socket_mode"),
        ("[server]\nsocket_mode = rw\n", "[server] socket_mode"),
        ("[server]\nsocket_group = two words\n", "[server] socket_group"),
        ("[sessions]\nidle_s = 3000\nabsolute_s = 2000\n", "[sessions] idle_s"),
        ("[sessions]\nidle_s = 20\nsettle_s = 10\n", "[sessions] idle_s"),
        ("[sessions]\nstore = memcached\n", "[memcached] nodes"),
        ("[sessions]\nstore = memcached\n[memcached]\nnodes = a=h:1 a=h:2\n", "[memcached] nodes"),
        ("[sessions]\nstore = memcached\n[memcached]\nnodes = a=h:1 b=h:1\n", "[memcached] nodes"),
        ("[usernames]\nmin_length = 9\nmax_length = 8\n", "[usernames] min_length"),
        ("[provider:d]\nkind = demo\n", "[provider:d] kind"),
        (f"[app:a]\nsecret = {APP_SECRET}\n[app:b]\nsecret = {APP_SECRET}\n", "[app:b] secret"),
        (f"[app:a]\nsecret = {APP_SECRET}\nsecond_secret = {APP_SECRET}\n", "[app:a] second_secret"),
        (f"[app:a]\nsecret = {APP_SECRET}\nreturn_to = http://wiki.example.com\n", "[app:a] return_to"),
        ("[sessions]\nstatic_paths = /\n", "[sessions] static_paths"),
        ("[sessions]\nstatic_paths = /a /a\n", "[sessions] static_paths"),
        ("[sessions]\nmint_chance = 1.5\n", "[sessions] mint_chance"),
        ("[sessions]\ntoken_age_s = 0\n", "[sessions] token_age_s"),
        ("[sessions]\ndevices = 21\n", "[sessions] devices"),
        ("[server]\naddress = everywhere at once\n", "[server] address"),
        ("[server]\nlog_level = loud\n", "[server] log_level"),
        ("[server]\ninternal_public = maybe\n", "[server] internal_public"),
        ("[keys]\nfile =\n", "[keys] file"),
        ("[outbound]\nproxy = proxy.example.com\n", "[outbound] proxy"),
        ("[outbound]\nproxy = http://proxy.example.com\n", "[outbound] proxy"),
        (f"[app:a]\nsecret = {APP_SECRET}ü\n", "[app:a] secret"),
        (f"{PROVIDER}label = {'x' * 65}\n", "[provider:x] label"),
        (f"{PROVIDER}{APP}tokens_of = x\n", "[app:wiki] tokens_of"),
        (f"{PROVIDER}keep_tokens = yes\n{APP}tokens_of = y\n", "[app:wiki] tokens_of"),
        (f"{OAUTH1}keep_tokens = yes\n", "[provider:y] keep_tokens"),
        ("[sessions]\nstatic_paths = static\n", "[sessions] static_paths"),
    ],
)
def test_what_cannot_work_or_is_not_safe_refuses_to_start(text: str, place: str) -> None:
    """Each of these runs until the day it loses a session, an account or a secret."""
    assert [problem.partition(": ")[0] for problem in problems_of(text)] == [place]


@pytest.mark.parametrize(
    "text",
    [
        "[server]\npublic_url = https://a.example\naddress = 0.0.0.0\n",
        "[server]\npublic_url = https://a.example\naddress = 0.0.0.0\ninternal_address = 127.0.0.1\n",
        "[server]\npublic_url = https://a.example\ntls_certificate = c\ntls_key = k\n",
        "[server]\npublic_url = http://[::1]:8887\naddress = ::1\n",
        "[server]\ninternal_address = 10.0.0.5\ninternal_public = yes\n",
        "[server]\naddress = 127.0.0.1\ninternal_address = 127.0.0.2\nport = 9000\ninternal_port = 9000\n",
        f"[server]\naddress = {SOCKET}\ninternal_address = unix:/run/i\ntrusted_proxies = unix:\nsocket_mode = 666\n",
        f"[server]\nport = 9000\ninternal_port = 9000\ninternal_address = {SOCKET}\n",
        "[sessions]\nstore = memcached\n[memcached]\nnodes = a=h:1 b=h:2\n",
        f"[app:a]\nsecret = {APP_SECRET}\nreturn_to = http://localhost:3000 https://wiki.example.com\n",
        "[outbound]\nproxy = http://proxy.example.com:3128\nallow_networks = 127.0.0.0/8\nallow_hosts = id.internal\n",
    ],
)
def test_what_is_right_starts(text: str) -> None:
    """A refusal too many makes operators switch the checks off."""
    assert problems_of(text) == ()


def test_the_demo_provider_exists_in_the_demonstration_only() -> None:
    """It lets anybody be anybody."""
    demo = "[provider:demo]\nkind = demo\n"
    assert problems_with(demo, demo=True) == ()
    assert len(problems_with(demo)) == 1
    (problem,) = problems_with(f"[server]\npublic_url = https://login.example.com\n{demo}", demo=True)
    assert problem.startswith("[provider:demo] kind: lets anybody be anybody")
    (problem,) = problems_with(f"[server]\npublic_url = https://localhost\naddress = 0.0.0.0\n{demo}", demo=True)
    assert problem.startswith("[provider:demo] kind: demo lets every visitor log in as any person")


def test_what_only_building_a_provider_shows_is_found_at_the_start() -> None:
    """Otherwise the first person who clicks finds it."""
    oidc = "[provider:x]\nkind = oidc\nissuer = https://id.example.com\nclient_id = a\nclient_secret = 0123456789ab\n"
    (problem,) = problems_of(f"{oidc}scope = profile\n")
    assert problem.startswith("[provider:x] scope: ")


def test_a_proxy_may_have_a_password_which_is_never_shown() -> None:
    """It is in the environment of half the companies."""
    read = config.parse("[outbound]\nproxy = http://me:canary@proxy.example.com:3128\n", base=Path())
    assert read.outbound.proxy is not None
    assert read.outbound.proxy.text() == "http://me:canary@proxy.example.com:3128"
    assert "canary" not in repr(read)
    assert "canary" not in "".join(problems_of("[outbound]\nproxy = http://me:canary@proxy:x\n"))


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("", "nobody can log in"),
        (PROVIDER.replace("kind", "enabled = no\nkind"), "nobody can log in"),
        (f"[server]\npublic_url = https://a.example\n{PROVIDER}", "[server] trusted_proxies"),
        (f"[server]\npublic_url = http://localhost:1000\n{PROVIDER}", "[server] public_url"),
        (f"[server]\naddress = {SOCKET}\n{PROVIDER}", f"comes through the socket {SOCKET}; add unix:"),
        (f"[server]\ninternal_address = {SOCKET}\n{PROVIDER}", "/auth is refused to proxies"),
        (f"[accounts]\nstore = memory\n{PROVIDER}", "[accounts] store"),
        (
            f"{APP}hosts = wiki.example shop.example\nreturn_to = http://wiki.localhost\n{PROVIDER}",
            "[app:wiki] return_to: lacks http://shop.example",
        ),
        (f"{APP}{PROVIDER}", "[app:wiki] hosts: localhost:8887 is the login's own host"),
        (f"{APP}hosts = localhost:8887\n{PROVIDER}", "[app:wiki] hosts: localhost:8887 is the login's own host"),
        (f"{APP}hosts = localhost:8000\n{PROVIDER}", "[app:wiki] hosts: localhost:8000 gets the login's cookies"),
        (
            f"{APP}hosts = w.localhost:1\n{SHOP}hosts = w.localhost:2\n{PROVIDER}",
            "[app:shop] hosts: w.localhost is also [app:wiki]'s",
        ),
        (f"[memcached]\nnodes = a=h:1\n{PROVIDER}", "[memcached] nodes"),
        (f"[server]\nlog_level = debug\n{PROVIDER}", "[server] log_level"),
    ],
)
def test_what_is_allowed_and_probably_not_meant_is_said(text: str, warning: str) -> None:
    """The daemon starts, and the operator learns why nobody can log in before the people do."""
    (found,) = config.parse(text, base=Path()).warnings
    assert warning in found


def test_an_ordinary_configuration_has_no_warning() -> None:
    """Warnings that are always there are not read."""
    text = f"[server]\npublic_url = https://a.example\ntrusted_proxies = 10.0.0.5\n{PROVIDER}"
    assert config.parse(text, base=Path()).warnings == ()


@pytest.mark.parametrize(
    ("url", "hosts"),
    [("https://a.example", "wiki.example shop.example"), ("http://localhost:8887", "wiki.localhost:8887")],
)
def test_applications_on_hosts_of_their_own_are_ordinary(url: str, hosts: str) -> None:
    """One login for several hosts is what the daemon is for; on one machine names under localhost are hosts too."""
    text = f"[server]\npublic_url = {url}\ntrusted_proxies = 10.0.0.5\n{PROVIDER}"
    assert config.parse(f"{text}{APP}hosts = {hosts}\n", base=Path()).warnings == ()


def test_the_demonstration_asks_on_the_logins_own_host_and_says_nothing() -> None:
    """A warning at every start of the first five minutes would be the first thing a newcomer reads."""
    assert config.parse(f"[provider:demo]\nkind = demo\n{APP}", base=Path(), demo=True).warnings == ()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a configuration and a key ring that are in order."""
    ring = keyring.new_ring(secret=Secret(bytes(range(32))), locator=Secret(bytes(range(1, 33))), now=0)
    (tmp_path / "identityd.keys").write_text(ring.render())
    (tmp_path / "identityd.keys").chmod(0o600)
    (tmp_path / "identityd.ini").write_text(PROVIDER)
    (tmp_path / "identityd.ini").chmod(0o640)
    return tmp_path


def file_problems(folder: Path) -> tuple[str, ...]:
    """Return the problems of the folder's configuration with its files."""
    try:
        config.load(folder / "identityd.ini", environ={})
    except ConfigError as error:
        return error.problems
    return ()


def test_a_folder_in_order_is_accepted_without_a_warning(folder: Path) -> None:
    """The base of the cases below: each changes one thing of it."""
    assert config.load(folder / "identityd.ini", environ={}).warnings == ()


def test_a_missing_key_ring_says_how_to_make_it(folder: Path) -> None:
    """The first start of every operator."""
    (folder / "identityd.keys").unlink()
    file = folder / "identityd.keys"
    remedy = f"make it with `identityd.py keys new --file {file}`"
    assert file_problems(folder) == (f"[keys] file: {file} is not there; {remedy}",)


def test_a_key_ring_everybody_can_read_is_refused(folder: Path) -> None:
    """Whoever reads it can be everybody."""
    (folder / "identityd.keys").chmod(0o644)
    (problem,) = file_problems(folder)
    assert "mode 0644" in problem
    assert "chmod 600" in problem


def test_a_damaged_key_ring_is_reported_line_by_line(folder: Path) -> None:
    """Together with all other problems, and without its content."""
    (folder / "identityd.keys").write_text("locator x\nkey one two three\n")
    with (folder / "identityd.ini").open("a") as file:
        file.write("[server]\nport = x\n")
    assert [problem.partition(":")[0] for problem in file_problems(folder)] == [
        "[server] port",
        "[keys] file",
        "[keys] file",
        "[keys] file",
    ]


def test_a_private_key_everybody_can_read_is_refused(folder: Path) -> None:
    """Whoever reads it can pretend to be the login host."""
    for name, mode in (("c.pem", 0o644), ("k.pem", 0o644)):
        (folder / name).write_text("-")
        (folder / name).chmod(mode)
    with (folder / "identityd.ini").open("a") as file:
        file.write("[server]\npublic_url = https://a.example\ntls_certificate = c.pem\ntls_key = k.pem\n")
    (problem,) = file_problems(folder)
    assert problem.startswith(f"[server] tls_key: {folder}/k.pem can be read or changed by everybody")


def test_certificate_and_key_that_are_not_there_are_both_reported(folder: Path) -> None:
    """Two typing mistakes, one start."""
    with (folder / "identityd.ini").open("a") as file:
        file.write("[server]\npublic_url = https://a.example\ntls_certificate = c.pem\ntls_key = k.pem\n")
    assert [problem.partition(":")[0] for problem in file_problems(folder)] == [
        "[server] tls_certificate",
        "[server] tls_key",
    ]


@pytest.mark.parametrize(
    ("file", "reason"), [("none/db", "mkdir -p"), ("sub", "is not a file"), ("identityd.ini/db", "mkdir")]
)
def test_an_account_file_that_cannot_be_made_is_refused(folder: Path, file: str, reason: str) -> None:
    """Found at start instead of at the first sign-up."""
    (folder / "sub").mkdir()
    with (folder / "identityd.ini").open("a") as out:
        out.write(f"[sqlite]\nfile = {file}\n")
    (problem,) = file_problems(folder)
    assert problem.startswith("[sqlite] file: ")
    assert reason in problem


@pytest.mark.parametrize("denied", ["folder", "file"])
def test_an_account_file_of_another_user_is_refused(folder: Path, denied: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Started as the wrong user, the daemon says so (tests may run as root, who is denied nothing)."""
    (folder / "identityd.sqlite").touch()
    target = folder if denied == "folder" else folder / "identityd.sqlite"
    monkeypatch.setattr(os, "access", lambda path, _mode: path != target)
    (problem,) = file_problems(folder)
    assert problem.startswith(f"[sqlite] file: {'the folder ' if denied == 'folder' else ''}{target} cannot be")


def test_no_file_is_asked_for_when_accounts_are_in_memory(folder: Path) -> None:
    """An unused option cannot be wrong."""
    with (folder / "identityd.ini").open("a") as file:
        file.write("[accounts]\nstore = memory\n[sqlite]\nfile = none/db\n")
    assert file_problems(folder) == ()


def test_a_configuration_with_secrets_that_everybody_can_read_is_warned_about(folder: Path) -> None:
    """It often is 0644 by habit; the daemon starts and says so."""
    (folder / "identityd.ini").chmod(0o644)
    (warning,) = config.load(folder / "identityd.ini", environ={}).warnings
    assert "chmod 640" in warning


def test_a_path_nobody_can_have_is_a_problem_not_a_traceback(folder: Path) -> None:
    """The operating system refuses such names in several ways."""
    with (folder / "identityd.ini").open("a") as file:
        file.write(f"[sqlite]\nfile = {'x' * 300}/db\n[keys]\nfile = {'y' * 300}\n")
    assert [problem.partition(":")[0] for problem in file_problems(folder)] == ["[keys] file", "[sqlite] file"]
