"""From text to a Config: all problems at once, secrets from three places, what follows from what."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from identity import config
from identity.config.model import SECTIONS
from identity.errors import ConfigError
from options.option import secrets_of
from tests.support.configuration import APP_SECRET, problems_of, problems_with

CANARY = "canary-7f3a91c2e5-do-not-print-b8d0"
OIDC = "[provider:corp]\nkind = oidc\nissuer = https://id.example.com\nclient_id = me\n"


def test_an_empty_file_is_the_embedded_default() -> None:
    """A newcomer starts without writing anything."""
    read = config.parse("", base=Path("/srv"))
    assert str(read.server.public_url) == "http://localhost:8887"
    assert (read.server.port, read.server.internal_port) == (8887, 8888)
    assert read.keys.file == Path("/srv/identityd.keys")
    assert read.sqlite.file == Path("/srv/identityd.sqlite")
    assert read.sessions.token_age_ms == 12_000


def test_every_problem_is_reported_at_once() -> None:
    """An operator who repairs one thing per start gives up at the fifth."""
    text = (
        "[server]\nprot = 1\nport = many\ntrusted_proxies = 0.0.0.0/0\n"
        "[sesions]\n[sessions]\ntoken_age_s = 1\nidle_s = 10\nabsolute_s = 5\n"
        "[provider:x]\nkind = oidd\n[provider:corp]\nkind = oidc\n[app:wiki]\nsecret = short\n[app:A]\n"
    )
    places = [problem.partition(": ")[0] for problem in problems_of(text)]
    assert sorted(places) == sorted(
        [
            "[sesions] section",
            "[app:A] section",
            "[server] prot",
            "[server] port",
            "[server] trusted_proxies",
            "[sessions] idle_s",
            "[provider:x] kind",
            "[provider:corp] issuer",
            "[provider:corp] client_id",
            "[app:wiki] secret",
        ]
    )


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("[server]\nprot = 1\n", "did you mean port?"),
        ("[servers]\n", "did you mean server?"),
        ("[server]\ndevices = 1\n", "it belongs to [sessions]"),
        ("[nonsense]\n", "there are server, site, keys"),
        ("[provider:x]\nkind = githup\n", "did you mean github?"),
        ("[provider]\nkind = github\n", "like [provider:example]"),
        (f"{OIDC}client_secret = 0123456789ab\nscopes = x\n", "did you mean scope?"),
    ],
)
def test_a_misspelt_name_is_refused_with_the_right_one(text: str, hint: str) -> None:
    """A dropped setting is a login rule that silently does not hold."""
    assert any(hint in problem for problem in problems_of(text))


def test_a_problem_of_one_option_is_reported_once() -> None:
    """A rule asked about a value that could not be read would invent a second problem."""
    assert [p.partition(":")[0] for p in problems_of("[server]\ntls_key = ~/key\npublic_url = http://x.example\n")] == [
        "[server] public_url",
        "[server] tls_key",
    ]


def test_overrides_from_the_command_line_win_and_are_checked() -> None:
    """`--port` is how two daemons run beside each other."""
    read = config.parse("[server]\nport = 1000\n", base=Path(), overrides={"server.port": "9000"})
    assert (read.server.port, read.server.internal_port, str(read.server.public_url)) == (
        9000,
        9001,
        "http://localhost:9000",
    )
    assert problems_with(overrides={"server.port": "0"}) == (
        "[server] port: '0' is not a whole number from 1 to 65535",
    )


def test_a_provider_gets_all_options_of_its_kind() -> None:
    """A provider built without a default would fail at somebody's login instead of at the start."""
    read = config.parse(f"{OIDC}client_secret = 0123456789ab\n", base=Path()).providers[0]
    assert (read.name, read.kind, read.label, read.enabled) == ("corp", "oidc", "Corp", True)
    assert read.options.issuer == "https://id.example.com"
    assert read.options.scope == ("openid", "profile", "email")
    assert [secret.text() for secret in secrets_of(read.options)] == ["0123456789ab"]


def test_a_provider_can_be_named_and_switched_off() -> None:
    """Switching off must not need removing the section, which holds what is needed to switch it on again."""
    read = config.parse(f"{OIDC}client_secret = 0123456789ab\nlabel = Our ID\nenabled = no\n", base=Path()).providers[0]
    assert (read.label, read.enabled) == ("Our ID", False)


def test_an_application_defaults_to_the_login_host() -> None:
    """The first application, on the same host, needs its secret and nothing else."""
    text = (
        "[server]\npublic_url = https://login.example.com\n[sessions]\nstatic_paths = /s/\n"
        f"[app:wiki]\nsecret = {APP_SECRET}\n"
    )
    app = config.parse(text, base=Path()).apps[0]
    assert (app.id, app.hosts, [str(o) for o in app.return_to]) == (
        "wiki",
        ("login.example.com",),
        ["https://login.example.com"],
    )
    assert (app.mint, app.static_paths, len(app.secrets)) == (True, ("/s/",), 1)


def test_an_application_on_other_hosts_may_return_there() -> None:
    """Its people come from there and expect to land there."""
    text = (
        f"[server]\npublic_url = https://login.example.com\n[app:wiki]\nsecret = {APP_SECRET}\n"
        f"second_secret = {APP_SECRET[::-1]}\nhosts = a.example.com, b.example.com:8443\nmint = no\n"
    )
    app = config.parse(text, base=Path()).apps[0]
    assert [str(origin) for origin in app.return_to] == ["https://a.example.com", "https://b.example.com:8443"]
    assert (app.mint, len(app.secrets)) == (False, 2)


@pytest.mark.parametrize(
    "variable", ["IDENTITYD_PROVIDER_CORP_CLIENT_SECRET", "IDENTITYD_PROVIDER_CORP_CLIENT_SECRET_FILE"]
)
def test_a_secret_can_come_from_the_environment(variable: str, tmp_path: Path) -> None:
    """Containers hand out secrets as variables or as mounted files."""
    file = tmp_path / "secret"
    file.write_text(f"{CANARY}\n")
    file.chmod(0o600)
    environ = {variable: str(file) if variable.endswith("_FILE") else CANARY}
    read = config.parse(OIDC, base=Path(), environ=environ)
    assert read.providers[0].options.client_secret.text() == CANARY


def test_a_secret_can_come_from_a_file_beside_the_configuration(tmp_path: Path) -> None:
    """The configuration can then be shown to anybody."""
    (tmp_path / "secret").write_text(f"{CANARY}\n")
    (tmp_path / "secret").chmod(0o640)
    read = config.parse(f"{OIDC}client_secret_file = secret\n", base=tmp_path)
    assert read.providers[0].options.client_secret.text() == CANARY


def test_a_secret_given_twice_is_refused(tmp_path: Path) -> None:
    """Which of the two is valid would be a guess on the day it is changed."""
    problems = problems_with(
        f"{OIDC}client_secret = {CANARY}\n", environ={"IDENTITYD_PROVIDER_CORP_CLIENT_SECRET": CANARY}, base=tmp_path
    )
    both = "client_secret, IDENTITYD_PROVIDER_CORP_CLIENT_SECRET"
    assert problems == (f"[provider:corp] client_secret: is given more than once ({both}); keep one",)


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o606, 0o666])
def test_a_secret_file_that_everybody_can_reach_is_refused(mode: int, tmp_path: Path) -> None:
    """Any account of the machine could take the secret."""
    (tmp_path / "secret").write_text(CANARY)
    (tmp_path / "secret").chmod(mode)
    (problem,) = problems_with(f"{OIDC}client_secret_file = secret\n", base=tmp_path)
    assert f"chmod 600 {tmp_path}/secret" in problem


@pytest.mark.parametrize(("name", "reason"), [("", "names no file"), ("none", "no such file"), (".", "is a directory")])
def test_a_secret_file_that_cannot_be_read_is_refused(name: str, reason: str, tmp_path: Path) -> None:
    """Taken for an empty secret, it would let in whoever sends none."""
    (problem,) = problems_with(f"{OIDC}client_secret_file = {name}\n", base=tmp_path)
    assert reason in problem


def test_a_secret_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    """A key in binary form given by mistake is named as such."""
    (tmp_path / "secret").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "secret").chmod(0o600)
    (problem,) = problems_with(f"{OIDC}client_secret_file = secret\n", base=tmp_path)
    assert "is not a text file" in problem


def test_only_secrets_have_a_file_form() -> None:
    """`port_file` would be a setting nobody reads."""
    assert problems_of("[server]\nport_file = x\n") == (
        "[server] port_file: there is no such option here; did you mean port?",
    )


def test_a_variable_that_names_no_secret_is_refused() -> None:
    """A misspelt variable would leave the daemon without the secret it was meant to carry."""
    environ = {"IDENTITYD_PROVIDER_CROP_CLIENT_SECRET": CANARY}
    problems = problems_with(f"{OIDC}client_secret = 0123456789ab\n", environ=environ)
    assert len(problems) == 1
    assert "did you mean IDENTITYD_PROVIDER_CORP_CLIENT_SECRET?" in problems[0]


def test_variables_an_orchestrator_sets_by_itself_are_left_alone() -> None:
    """A Kubernetes service named identityd must not keep the daemon from starting."""
    environ = {"IDENTITYD_PORT": "tcp://10.0.0.1:80", "IDENTITYD_SERVICE_HOST": "10.0.0.1", "PATH": "/bin"}
    assert config.parse("", base=Path(), environ=environ)


def test_a_placeholder_of_the_example_is_refused() -> None:
    """Uncommented and forgotten, it would be sent to the provider as a client id."""
    (problem,) = problems_of("[provider:x]\nkind = github\nclient_id = (needed)\nclient_secret = 0123456789ab\n")
    assert problem == "[provider:x] client_id: still is the example's placeholder; write your own value"


def test_a_short_client_secret_is_to_be_copied_from_the_provider() -> None:
    """Told to make one at random, an operator gets a login that every provider refuses."""
    (provider,) = problems_of("[provider:x]\nkind = github\nclient_id = a\nclient_secret = b\n")
    (app,) = problems_of("[app:wiki]\nsecret = b\n")
    assert provider.endswith("; copy the whole of what the provider shows")
    assert app.endswith("made at random; `openssl rand -hex 32` makes one")


def test_no_secret_appears_in_a_problem_or_in_the_configuration_printed() -> None:
    """Problems are printed, mailed and pasted into tickets; so are values in a debugger."""
    weak = "[provider:x]\nkind = github\nclient_id = a\nclient_secret = {0}\nurl = {0}\n[app:wiki]\nsecret = {0}\n"
    text = weak.format("canary")
    assert "canary" not in "".join(problems_of(text))
    good = f"{OIDC}client_secret = {CANARY}\n[app:wiki]\nsecret = {CANARY}\n"
    read = config.parse(good, base=Path())
    assert CANARY not in repr(read)
    assert {secret.text() for secret in read.secrets()} == {CANARY}


def test_the_password_of_a_proxy_is_among_the_secrets_the_log_hides() -> None:
    """A failed call names its proxy in more than one library's error."""
    read = config.parse(f"[outbound]\nproxy = http://me:{CANARY}@proxy.example.com:3128\n", base=Path())
    assert [secret.text() for secret in read.secrets()] == [f"http://me:{CANARY}@proxy.example.com:3128"]


def test_names_of_sections_are_kept_to_what_identity_keys_can_hold() -> None:
    """The provider's name is the first part of every identity it proves."""
    for name in ("A", "a b", "a:b", "-a", "a-", "", "x" * 33, "ä"):
        assert any("section" in problem for problem in problems_of(f"[provider:{name}]\nkind = github\n"))


def test_a_file_that_cannot_be_read_is_a_problem_like_any_other(tmp_path: Path) -> None:
    """A wrong --config gets a sentence, not a traceback."""
    with pytest.raises(ConfigError) as missing:
        config.load(tmp_path / "none.ini", environ={})
    assert missing.value.problems == (
        (
            f"[file] {tmp_path}/none.ini: cannot be read: no such file or directory; name another with --config "
            "or begin with a copy of config.example.ini"
        ),
    )
    (tmp_path / "latin.ini").write_bytes(b"[server]\n# \xfc\n")
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        config.load(tmp_path / "latin.ini", environ={})


VOCABULARY = """
    provider:x app:x DEFAULT kind oidc github demo oauth2 secret client_secret issuer public_url port memcached sqlite
    yes no 0 1 -1 1e9 0.25 /x/ https://example.com http://localhost one=h:1 0.0.0.0/0 ::/0 trusted_proxies return_to
    hosts static_paths label enabled scope second_secret file timeout_s allow_hosts proxy nodes store
"""
WORDS = st.sampled_from([*SECTIONS, *VOCABULARY.split()])
LINES = st.one_of(
    st.builds("[{}]".format, st.one_of(WORDS, st.text(max_size=8))),
    st.builds("{} = {}".format, WORDS, st.one_of(WORDS, st.text(max_size=20))),
    st.builds("  {}".format, WORDS),
    st.text(max_size=30),
)


@given(
    st.lists(LINES, max_size=30).map("\n".join),
    st.dictionaries(WORDS.map("IDENTITYD_APP_X_{}".format), st.text(max_size=9)),
)
@example("[app:x]\nsecret = \ud800", {})
@example("[server]\npublic_url = http://[::1]:1\n", {})
@example("[provider:x]\nkind = oidc\nissuer = https://[\n", {})
def test_any_text_gives_a_configuration_or_problems_and_nothing_else(text: str, environ: dict[str, str]) -> None:
    """A traceback at start tells an operator nothing."""
    problems = problems_with(text, environ=environ, base=Path("/nonexistent"))
    assert all(problem.startswith("[") and ": " in problem for problem in problems)
