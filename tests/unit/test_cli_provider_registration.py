"""`providers register` at a Mastodon instance; the instance is one on loopback that does what its documents say."""

from collections.abc import Iterator
from pathlib import Path
from threading import Barrier, Thread

import click
import pytest
from click.testing import CliRunner, Result

from identity.cli import cli
from identity.cli.provider_registration import register, unregistered
from options.secret import Secret
from tests.support.mastodon import MastodonInstance, mastodon_instance
from tests.support.operator_commands import untouched_log

CALLBACK = "http://localhost:8887/login/social/callback"


class Registering:
    """`identityd.py providers` with a section for an instance that knows nothing of us."""

    def __init__(self, folder: Path, instance: MastodonInstance) -> None:
        self.folder = folder
        self.instance = instance
        self.options = {"kind": "mastodon", "url": instance.url, "client_secret_file": "social.secret"}
        self.secret = folder / "social.secret"
        self.path = folder / "identityd.ini"
        CliRunner().invoke(cli, ["keys", "new", "--file", str(folder / "identityd.keys")], catch_exceptions=False)
        self.write()

    def write(self) -> None:
        """Write the configuration."""
        given = "\n".join(f"{name} = {value}" for name, value in self.options.items())
        self.path.write_text(f"[outbound]\nallow_networks = 127.0.0.0/8\n[provider:social]\n{given}\n")
        self.path.chmod(0o600)

    def run(self, *words: str, **environ: str) -> Result:
        """Run a command."""
        self.write()
        with untouched_log():
            return CliRunner().invoke(cli, ["providers", *words, "--config", str(self.path)], env=environ)

    def refused(self, *words: str, **environ: str) -> str:
        """Run the command, which fails and stores nothing; return what it says."""
        there = self.secret.exists()
        result = self.run("register", "social", *words, **environ)
        assert result.exit_code != 0
        assert result.stdout == ""
        assert (self.secret.exists(), "Traceback" in result.output) == (there, False)
        return result.stderr


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Registering]:
    """Give the command and the instance."""
    with mastodon_instance() as instance:
        yield Registering(tmp_path, instance)


def test_an_instance_registers_us_and_what_is_printed_makes_the_section_whole(command: Registering) -> None:
    """The one thing an operator wants: from an address to a working way to log in."""
    result = command.run("register", "social")

    assert result.exit_code == 0, result.output
    [app] = command.instance.apps.values()
    assert (app["name"], app["website"]) == ("localhost:8887", "http://localhost:8887")
    assert app["scopes"] == ["profile"]
    assert app["redirect_uris"] == [CALLBACK]
    assert result.stdout == f"client_id = {app['client_id']}\n"
    command.options["client_id"] = result.stdout.split()[-1]
    tried = command.run("test", "social")
    assert tried.exit_code == 0, tried.output
    assert "it knows client and secret" in tried.output


def test_the_secret_is_in_its_file_alone(command: Registering) -> None:
    """A terminal's scroll-back, a job's log and a colleague's screen must not have it."""
    result = command.run("register", "social", "--client-name", "Example login")

    [app] = command.instance.apps.values()
    assert app["name"] == "Example login"
    assert command.secret.read_text() == f"{app['client_secret']}\n"
    assert command.secret.stat().st_mode & 0o777 == 0o600
    assert "canary" not in result.output


def test_a_secret_is_printed_on_demand_only(command: Registering) -> None:
    """Whoever keeps secrets in a vault needs it once, and says so."""
    del command.options["client_secret_file"]

    assert "--print-secret" in command.refused()
    result = command.run("register", "social", "--print-secret")

    [app] = command.instance.apps.values()
    assert result.stdout == f"client_id = {app['client_id']}\nclient_secret = {app['client_secret']}\n"
    assert not command.secret.exists()


def test_what_is_registered_stays_as_it_is(command: Registering) -> None:
    """A second application would void nothing, and leave an operator wondering which one counts."""
    command.run("register", "social")
    before = command.secret.read_bytes()

    assert "was registered before" in command.refused()
    command.options["client_id"] = "us"
    assert "has a client already (client_id)" in command.refused()
    assert (len(command.instance.apps), command.secret.read_bytes()) == (1, before)


@pytest.mark.parametrize(
    ("options", "environ"),
    [
        ({"client_secret": "0123456789ab"}, {}),
        ({}, {"IDENTITYD_PROVIDER_SOCIAL_CLIENT_SECRET": "0123456789ab"}),
        ({}, {"IDENTITYD_PROVIDER_SOCIAL_CLIENT_SECRET_FILE": "elsewhere"}),
    ],
    ids=["in the file", "in the environment", "named by the environment"],
)
def test_a_secret_that_is_there_is_not_doubled(
    command: Registering, options: dict[str, str], environ: dict[str, str]
) -> None:
    """Otherwise the daemon refuses to start afterwards, because a secret has two places."""
    command.options |= options

    assert "has a client already" in command.refused(**environ)
    assert command.instance.apps == {}


def test_of_two_commands_at_once_one_registers(command: Registering) -> None:
    """Otherwise the file has one application's secret, and the section the other's id."""
    waiting = [unregistered(command.path, "social", printed=False) for _ in range(2)]
    together, ended = Barrier(2), []

    def run(each: int) -> None:
        together.wait(10)
        try:
            ended.append(register(waiting[each], "us", Secret("")).client_id)
        except click.ClickException as error:
            ended.append(error.message)

    threads = [Thread(target=run, args=(each,)) for each in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    [app] = command.instance.apps.values()
    assert sorted(said == app["client_id"] for said in ended) == [False, True]
    assert any("by another command meanwhile" in said for said in ended)
    assert command.secret.read_text().strip() == app["client_secret"]


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("client_id", None),
        ("client_id", ""),
        ("client_id", 4711),
        ("client_id", "us\nbackchannel_logout = yes"),
        ("client_id", "us them"),
        ("client_id", "us\u202e"),
        ("client_id", "x" * 1_025),
        ("client_secret", None),
        ("client_secret", "short"),
        ("client_secret", ["canary-0123456789"]),
        ("client_secret", "canary-01234\n56789"),
        ("redirect_uris", ["https://evil.example/callback"]),
    ],
)
def test_an_answer_that_fits_no_configuration_is_refused(command: Registering, member: str, value: object) -> None:
    """Otherwise an instance writes further options into the file that decides who may log in."""
    command.instance.edit = lambda said: said.update({member: value})

    told = command.refused()

    assert "Nothing was stored" in told
    assert "canary" not in told


@pytest.mark.parametrize("absent", ["redirect_uri", "redirect_uris", "scopes", "client_secret_expires_at", "vapid_key"])
@pytest.mark.parametrize("how", ["null", "left out"])
def test_what_other_servers_leave_out_is_not_missed(command: Registering, absent: str, how: str) -> None:
    """Otherwise GoToSocial, Pleroma, Akkoma and older Mastodons, which speak the same API, cannot be used."""
    command.instance.edit = lambda said: said.update({absent: None}) if how == "null" else said.pop(absent)

    assert command.run("register", "social").exit_code == 0


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (422, b'{"error": "Validation failed: Name is too long"}', "422, Validation failed: Name is too long"),
        (429, b'{"error": "Too many requests"}', "429, Too many requests; it was asked too often"),
        (403, b"<html>blocked</html>", "403"),
        (503, b"", "503"),
        (200, b"<html>a web page</html>", "not JSON"),
        (200, b"[]", "not a JSON object"),
        (200, b"{" + b" " * 3_000_000 + b"}", "Nothing was stored"),
    ],
)
def test_a_refusal_is_told_in_the_instances_words(command: Registering, status: int, body: bytes, told: str) -> None:
    """Otherwise an operator is left with a number."""
    command.instance.refusal = status, body

    assert told in command.refused()


def test_a_scope_that_the_instance_does_not_know_is_told(command: Registering) -> None:
    """Servers before Mastodon 4.3 do not know `profile`, and docs/providers.md says what they want."""
    command.instance.scopes = frozenset({"read", "read:accounts"})

    assert "Scopes doesn't match" in command.refused()
    command.options["scope"] = "read:accounts"
    assert command.run("register", "social").exit_code == 0


def test_a_registration_is_not_redirected(command: Registering) -> None:
    """Otherwise an instance that moved hands the secret of an application at another host to this section."""
    with mastodon_instance() as other:
        command.instance.leads_to = f"{other.url}/api/v1/apps"

        command.refused()

        assert other.apps == {}


def test_an_instance_that_is_not_there_is_said_to_be(command: Registering) -> None:
    """Otherwise a mistyped address looks like a fault of ours."""
    command.options["url"] = "http://127.0.0.1:1"

    assert "Nothing was stored" in command.refused()


def test_a_folder_that_is_not_there_is_noticed_before(command: Registering) -> None:
    """A secret is told once: what cannot be kept must not be made."""
    command.options["client_secret_file"] = "nowhere/social.secret"

    assert "Nothing was registered" in command.refused()
    assert command.instance.apps == {}


def test_a_kind_that_people_register_says_where(command: Registering) -> None:
    """Otherwise an operator waits for a command that can never do it."""
    command.options = {"kind": "github", "client_secret_file": "social.secret"}

    told = command.refused()

    assert "registered by people at https://github.com/settings" in told
    assert "providers show social" in told


def test_a_name_that_is_no_section_is_answered_with_those_that_are(command: Registering) -> None:
    """A slip in a name is the commonest mistake of all."""
    result = command.run("register", "other")

    assert result.exit_code == 2
    assert "configured: social" in result.stderr


def test_what_else_is_wrong_in_the_configuration_is_said_first(command: Registering) -> None:
    """Otherwise an application is registered for a daemon that cannot start."""
    command.options["scopes"] = "profile"

    assert "did you mean scope?" in command.refused()
    assert command.instance.apps == {}
