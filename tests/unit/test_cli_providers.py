"""`providers`: what is configured, what to enter at a provider, and a login tried without a person.

The upstream is real (tests/support/upstream.py); the daemon beside a release is in tests/e2e/test_program.py.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result

from identity.accounts.store import ProviderPin
from identity.cli import cli
from identity.stores.sqlite import SqliteAccounts
from tests.support.clock import NOON, ManualClock
from tests.support.configuration import APP_SECRET
from tests.support.operator_commands import untouched_log
from tests.support.upstream import CLIENT_ID, Fault, Upstream

SECRET = "canary-0123456789"
CALLBACK = "http://localhost:8887/login/company/callback"


class Command:
    """`identityd.py providers` with a configuration that names one OpenID provider."""

    def __init__(self, folder: Path, upstream: Upstream) -> None:
        self.folder = folder
        self.upstream = upstream
        self.more = ""
        self.options = {"issuer": upstream.url, "client_id": CLIENT_ID, "client_secret": SECRET}
        CliRunner().invoke(cli, ["keys", "new", "--file", str(folder / "identityd.keys")], catch_exceptions=False)

    def store(self) -> SqliteAccounts:
        """Open the accounts, which the daemon would have made at its first start."""
        return SqliteAccounts(self.folder / "identityd.sqlite", clock=ManualClock())

    def run(self, *words: str) -> Result:
        """Run a command."""
        file = self.folder / "identityd.ini"
        given = "\n".join(f"{name} = {value}" for name, value in self.options.items())
        file.write_text(
            f"[outbound]\nallow_networks = 127.0.0.0/8\n[provider:company]\nkind = oidc\nlabel = Example\n{given}\n"
            "[provider:github]\nkind = github\nenabled = no\nclient_id = me\nclient_secret = 0123456789ab\n"
            f"{self.more}"
        )
        file.chmod(0o600)
        with untouched_log():
            return CliRunner().invoke(cli, ["providers", *words, "--config", str(file)])

    def lines(self, *words: str) -> list[str]:
        """Run a command, and return what it printed."""
        return self.run(*words).output.splitlines()

    def pin(self, issuer: str) -> None:
        """Pin the name as a first login would."""
        store = self.store()
        store.providers.insert(ProviderPin("company", issuer, "sub", NOON, uuid4()))
        store.close()


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Command]:
    """Give the command and the provider it asks."""
    with Upstream(ManualClock(), secret=SECRET) as upstream:
        yield Command(tmp_path, upstream)


def test_the_list_says_what_each_name_stands_for(command: Command) -> None:
    """An operator who took over the machine has to see which section is whose."""
    command.pin("https://id.example")

    result = command.run("list")

    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "company  oidc    Example  on   sub of https://id.example  tokens not kept",
        "github   github  GitHub   off  not pinned                 tokens not kept",
    ]


def test_what_is_kept_and_for_which_applications_is_shown(command: Command) -> None:
    """Tokens are worth stealing: an operator has to see where there are some, and who may fetch them."""
    command.store().close()
    command.options["keep_tokens"] = "yes"
    command.more = f"[app:wiki]\nsecret = {APP_SECRET}\ntokens_of = company\n"

    shown = json.loads(command.run("show", "company", "--json").stdout)

    assert (shown["keep_tokens"], shown["tokens_for"]) == (True, ["wiki"])
    assert "  tokens                       kept for wiki" in command.lines("show", "company")
    assert command.lines("list")[0].endswith("tokens kept for wiki")


def test_the_addresses_to_enter_are_shown_before_the_first_start(command: Command) -> None:
    """They are needed at the provider's console, and only then is there a client to configure."""
    result = command.run("show", "company")

    assert result.exit_code == 0
    assert f"callback address             {CALLBACK}" in result.stdout
    assert "scopes                       openid profile email" in result.stdout
    assert f"known by         sub of {command.upstream.url}" in result.stdout
    assert "https://github.com/settings/developers" in command.run("show", "github").stdout
    assert SECRET not in result.output


def test_whether_a_provider_proves_a_fresh_login_is_shown(command: Command) -> None:
    """An application that asks for one gets nowhere through a provider that cannot."""
    assert json.loads(command.run("show", "company", "--json").stdout)["proves_fresh_logins"] is True
    assert (
        "  proves fresh logins          no: /login?max_age=… cannot be answered" in command.run("show", "github").stdout
    )


def test_the_logout_address_is_shown_where_it_is_wanted(command: Command) -> None:
    """Registered where it is not switched on, a provider would meet 404 with every logout."""
    assert "logout" not in command.run("show", "company").stdout
    command.options |= {"backchannel_logout": "yes", "frontchannel_logout": "yes", "logout_at_provider": "offer"}

    shown = command.lines("show", "company")

    assert "  back-channel logout address  http://localhost:8887/login/company/backchannel" in shown
    assert "  front-channel logout address http://localhost:8887/login/company/frontchannel" in shown
    assert "  after logging out there      http://localhost:8887/logged-out" in shown


def test_a_client_of_oauth1_is_shown_by_its_consumer_key(command: Command) -> None:
    """An operator who compares it with the console would read that there is no client."""
    command.more = "[provider:x]\nkind = twitter1\nconsumer_key = our-key\nconsumer_secret = 0123456789ab\n"

    shown = command.lines("show", "x")

    assert "  client                       our-key" in shown
    assert "  scopes                       none" in shown


def test_programs_get_an_object(command: Command) -> None:
    """A script that reads lines for people breaks with the next wording."""
    command.pin(command.upstream.url)

    listed = json.loads(command.run("list", "--json").stdout)
    shown = json.loads(command.run("show", "company", "--json").stdout)

    assert [each["name"] for each in listed["providers"]] == ["company", "github"]
    assert listed["providers"][0]["pinned"]["issuer"] == command.upstream.url
    assert shown["callback"] == CALLBACK


def test_a_provider_in_order_is_said_to_be(command: Command) -> None:
    """The trial is worth something only if it tells right from wrong."""
    result = command.run("test", "company")

    assert result.exit_code == 0, result.output
    assert all(line.startswith("ok ") for line in result.stdout.splitlines())
    assert "it knows client and secret (a made-up code was refused as invalid_grant)" in result.stdout


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda it: it.options.update(client_secret="wrong-secret"), ["it refuses client_id and client_secret"]),
        (
            lambda it: it.options.update(client_id="wrong"),
            ["answers 400 to a login that begins", "it refuses client_id and client_secret"],
        ),
        (
            lambda it: setattr(it.upstream, "registered", "https://old.example/callback"),
            [f"register the callback address {CALLBACK} there"],
        ),
        (lambda it: it.options.update(issuer=f"{it.upstream.url}/other"), ["compare [provider:company]"]),
        (lambda it: it.upstream.faults.update({"/jwks": Fault.SERVER_ERROR}), ["without its keys"]),
        (lambda it: it.upstream.faults.update({"/authorize": Fault.RESET}), ["does not answer"]),
    ],
    ids=["secret", "client", "callback", "issuer", "keys", "page"],
)
def test_everything_that_is_wrong_is_said_at_once(
    command: Command, spoil: Callable[[Command], None], words: list[str]
) -> None:
    """One fault a run is an afternoon of runs; and each needs the place where it is put right."""
    spoil(command)

    result = command.run("test", "company")

    assert result.exit_code == 1
    problems = [line for line in result.stdout.splitlines() if line.startswith("problem ")]
    assert len(problems) == len(words)
    for word, line in zip(words, problems, strict=True):
        assert word in line


def test_a_trial_logs_nobody_in_and_leaves_nothing(command: Command) -> None:
    """An operator tries it on the machine that serves."""
    command.run("test")

    assert not (command.folder / "identityd.sqlite").exists()


def test_a_name_that_is_not_configured_is_answered_with_those_that_are(command: Command) -> None:
    """The name is what is most often mistyped."""
    result = command.run("show", "comapny")

    assert result.exit_code == 2
    assert "no provider is called comapny; configured: company, github" in result.output


def test_a_release_is_audited_and_lets_the_next_login_pin_anew(command: Command) -> None:
    """Who moved every account of a provider to another issuer, and why, must be found later."""
    command.pin("https://old.example")

    result = command.run("release", "company", "--reason", "moved", "--as", "ida", "--yes")

    assert result.exit_code == 0
    assert "company no longer stands for sub of https://old.example" in result.stdout
    store = command.store()
    (event,) = store.audit.scan()
    assert store.providers.read("company") is None
    store.close()
    assert (event.action, event.actor) == ("provider-released", "operator:ida")
    assert event.facts["issuer"] == "https://old.example"
    assert event.facts["reason"] == "moved"


@pytest.mark.parametrize("words", [("--yes",), ("--reason", "moved")], ids=["no reason", "not confirmed"])
def test_a_release_needs_a_reason_and_a_confirmation(command: Command, words: tuple[str, ...]) -> None:
    """It hands accounts to whoever has their ids at the next issuer."""
    command.pin("https://old.example")

    assert command.run("release", "company", *words).exit_code == 2

    store = command.store()
    assert store.providers.read("company") is not None
    store.close()


def test_a_release_of_what_is_not_pinned_says_so(command: Command) -> None:
    """Otherwise a slip of the fingers looks like a success."""
    command.store().close()

    result = command.run("release", "company", "--reason", "moved", "--yes")

    assert result.exit_code == 1
    assert "company is not pinned" in result.output
