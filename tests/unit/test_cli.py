"""The command line: its manual, its files, and how it says no."""

import os
import stat
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from identity import keyring
from identity.cli import cli
from identity.cli.demo import prepare
from identity.config import load_ring
from identity.errors import ConfigError
from options.secret import Secret

ROOT = Path(__file__).parents[2]


def run(*arguments: str | Path) -> Result:
    """Run a command; an unexpected exception fails the test with its traceback."""
    return CliRunner().invoke(cli, [str(argument) for argument in arguments], catch_exceptions=False)


def program(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the real program in a process of its own."""
    return subprocess.run(
        [sys.executable, ROOT / "identityd.py", *arguments], capture_output=True, text=True, timeout=30, check=False
    )


def test_the_program_without_arguments_is_its_manual() -> None:
    """The first thing anybody types."""
    plain, asked = program(), program("--help")
    assert (plain.returncode, asked.returncode) == (0, 0)
    assert plain.stdout == asked.stdout
    for word in ("Examples:", "Files:", "Environment:", "Signals", "SIGHUP", "SIGTERM", "Exit codes:", "check-config"):
        assert word in plain.stdout


def test_help_loads_nothing_heavy() -> None:
    """Help that takes a second is not asked for; the libraries of the daemon take that long."""
    code = (
        "import sys; from identity.cli import cli; from click.testing import CliRunner; "
        "print(CliRunner().invoke(cli, ['serve', '--help']).exit_code); "
        "print([m for m in ('tornado', 'authlib', 'joserfc', 'httpx2', 'pymemcache', 'sqlite3', 'jinja2', 'uvloop', "
        "'identity.config') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True, cwd=ROOT
    )
    assert done.stdout.split("\n")[:2] == ["0", "[]"]


def _commands(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        found.append((*path, name))
        if isinstance(command, click.Group):
            found += _commands(command, (*path, name))
    return found


@pytest.mark.parametrize("command", _commands(cli), ids=" ".join)
def test_every_command_has_an_example(command: tuple[str, ...]) -> None:
    """One line to copy tells more than a page of options."""
    text = run(*command, "--help").output
    assert "Example" in text or "COMMAND [ARGS]" in text, text


@pytest.mark.parametrize("command", _commands(cli), ids=" ".join)
def test_every_command_explains_itself_and_each_of_its_options(command: tuple[str, ...]) -> None:
    """An option without a sentence has to be looked up in the code."""
    result = run(*command, "--help")
    assert result.exit_code == 0
    found: click.Command | None = cli
    for name in command:
        assert isinstance(found, click.Group)
        found = found.get_command(click.Context(found), name)
    assert found
    assert found.help
    for parameter in found.params:
        if isinstance(parameter, click.Argument):
            assert (parameter.metavar or str(parameter.name).upper()) in found.help
            continue
        assert isinstance(parameter, click.Option)
        assert parameter.help, parameter.name


def test_the_version_can_be_asked_for() -> None:
    """The first question of every bug report."""
    assert run("--version").output.startswith("identityd, version ")


def test_a_misspelt_command_is_refused_with_exit_code_2() -> None:
    """Scripts tell a wrong command line from a failure by the code."""
    misspelt = run("sreve")
    assert misspelt.exit_code == 2
    assert "'serve'" in misspelt.stderr
    assert run("serve", "--port", "0").exit_code == 2


def test_serve_prints_every_problem_and_starts_nothing(tmp_path: Path) -> None:
    """No traceback, no half-started daemon, all at once."""
    file = tmp_path / "my.ini"
    file.write_text("[server]\nport = x\n[sesions]\n")
    result = run("serve", "--config", file)
    assert result.exit_code == 2
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert lines[0] == "[sesions] section: there is no such section; did you mean sessions?"
    assert [line.partition(":")[0] for line in lines[1:]] == ["[server] port", "[keys] file"]


def test_serve_without_a_configuration_says_which_file_is_missing(tmp_path: Path) -> None:
    """Started in the wrong folder."""
    result = run("serve", "--config", tmp_path / "none.ini")
    assert result.exit_code == 2
    assert (
        result.stderr
        == f"[file] {tmp_path}/none.ini: cannot be read: no such file or directory; name another with --config "
        "or begin with a copy of config.example.ini\n"
    )


def test_a_new_key_ring_is_for_its_owner_only_and_never_printed(tmp_path: Path) -> None:
    """Whoever reads it can be anybody."""
    file = tmp_path / "ring"
    result = run("keys", "new", "--file", file)
    assert result.exit_code == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert load_ring(file).newest == 1
    for word in file.read_text().split():
        if len(word) > 30:
            assert word not in result.output


def test_two_new_key_rings_differ(tmp_path: Path) -> None:
    """A constant key would be everybody's."""
    run("keys", "new", "--file", tmp_path / "a")
    run("keys", "new", "--file", tmp_path / "b")
    assert (tmp_path / "a").read_text().splitlines()[1:] != (tmp_path / "b").read_text().splitlines()[1:]


def test_a_key_ring_is_never_overwritten(tmp_path: Path) -> None:
    """Replacing it logs everybody out, and nothing brings it back."""
    file = tmp_path / "ring"
    run("keys", "new", "--file", file)
    before = file.read_text()
    result = run("keys", "new", "--file", file)
    assert (result.exit_code, file.read_text()) == (2, before)
    assert "was not touched" in result.stderr


def test_a_key_ring_in_a_folder_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    """No traceback for a typing mistake."""
    result = run("keys", "new", "--file", tmp_path / "none" / "ring")
    assert (result.exit_code, result.stderr) == (
        2,
        f"{tmp_path}/none/ring: cannot be made: no such file or directory\n",
    )


def test_the_keys_are_listed_with_their_state_and_without_their_secrets(tmp_path: Path) -> None:
    """Before a key is removed somebody has to see which one signs."""
    ring = keyring.new_ring(secret=Secret(bytes(32)), locator=Secret(bytes(range(32))), now=1_000)
    ring = ring.with_key(Secret(bytes([7] * 32)), now=2_000)
    ring = ring.with_key(Secret(bytes([9] * 32)), now=32_503_680_000_000)
    file = tmp_path / "ring"
    file.write_text(ring.render())
    file.chmod(0o600)
    result = run("keys", "list", "--file", file)
    assert [line.split(maxsplit=2) for line in result.output.splitlines()[1:]] == [
        [
            "1",
            "1970-01-01T00:00:01Z",
            "verifies; signed until 1970-01-01T00:10:02Z; may go [sessions] absolute_s after that",
        ],
        ["2", "1970-01-01T00:00:02Z", "signs until 3000-01-01T00:10:00Z and verifies"],
        ["3", "3000-01-01T00:00:00Z", "verifies, and signs from 3000-01-01T00:10:00Z"],
    ]


def test_listing_a_key_ring_that_is_not_there_says_how_to_make_one(tmp_path: Path) -> None:
    """The same sentence the daemon gives."""
    result = run("keys", "list", "--file", tmp_path / "ring")
    assert result.exit_code == 2
    assert "identityd.py keys new" in result.stderr


def test_the_demonstration_makes_what_it_needs_once(tmp_path: Path) -> None:
    """The second start must find the same keys and accounts."""
    folder = tmp_path / "a" / "run"
    config = prepare(folder, {"server.port": "9000"})
    assert str(config.server.public_url) == "http://localhost:9000"
    assert config.demo
    assert [provider.kind for provider in config.providers] == ["demo"]
    assert [app.id for app in config.apps] == ["demo"]
    assert config.sqlite.file == folder / "identityd.sqlite"
    assert config.warnings == ()
    made = {path.name: path.read_text() for path in folder.iterdir()}
    assert set(made) == {"identityd.ini", "identityd.keys", "app-demo.secret"}
    assert all(stat.S_IMODE((folder / name).stat().st_mode) == 0o600 for name in made)
    prepare(folder, {})
    assert {path.name: path.read_text() for path in folder.iterdir()} == made


def test_the_demonstration_keeps_what_somebody_changed_in_its_configuration(tmp_path: Path) -> None:
    """Editing it is the first step to real use."""
    prepare(tmp_path, {})
    with (tmp_path / "identityd.ini").open("a") as file:
        file.write("[sessions]\ntoken_age_s = 1\n")
    assert prepare(tmp_path, {}).sessions.token_age_ms == 1_000


def test_the_demonstration_refuses_a_public_address(tmp_path: Path) -> None:
    """Its provider lets anybody be anybody."""
    prepare(tmp_path, {})
    text = (
        (tmp_path / "identityd.ini").read_text().replace("[server]", "[server]\npublic_url = https://login.example.com")
    )
    (tmp_path / "identityd.ini").write_text(text)
    with pytest.raises(ConfigError) as refused:
        prepare(tmp_path, {})
    assert [problem.partition(":")[0] for problem in refused.value.problems] == ["[provider"]


def test_a_folder_the_demonstration_cannot_use_is_a_sentence(tmp_path: Path) -> None:
    """No traceback for a typing mistake."""
    (tmp_path / "file").touch()
    result = run("demo", "--data", tmp_path / "file" / "run")
    assert result.exit_code == 2
    assert result.stderr == f"--data {tmp_path}/file/run: cannot be used: not a directory; name another folder\n"


def test_the_program_finds_its_own_libraries(tmp_path: Path) -> None:
    """Called as ./identityd.py after `make`, with the system's Python, it must not miss its libraries."""
    base = Path(sys.base_prefix) / "bin" / "python3"
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(
        [base, ROOT / "identityd.py", "--version"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env=environ,
        cwd=tmp_path,
    )
    by_make = sys.prefix == str(ROOT / ".venv")
    assert "version" in done.stdout or (not by_make and "make run" in done.stderr)


def test_migrate_takes_the_configuration_of_a_demonstration(tmp_path: Path) -> None:
    """Who tries a cluster out would have to take the provider out of the file to make its tables."""
    prepare(tmp_path, {})

    done = run("migrate", "--config", tmp_path / "identityd.ini")

    assert (done.exit_code, done.output) == (0, "sqlite: has the tables of this release.\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--username", "ann"), "--username: is for Cassandra; [accounts] store is another"),
        (("--password-file", "identityd.keys"), "--password-file: is of --username, which is missing"),
    ],
)
def test_migrate_refuses_a_role_where_there_is_none(tmp_path: Path, words: tuple[str, str], said: str) -> None:
    """A role that is ignored would look as if it had been needed."""
    prepare(tmp_path, {})
    option, value = words
    given = tmp_path / value if option == "--password-file" else value

    done = run("migrate", "--config", tmp_path / "identityd.ini", option, given)

    assert done.exit_code == 2
    assert said in done.stderr


def test_a_user_who_may_not_use_the_libraries_is_told_so(tmp_path: Path) -> None:
    """The first start as the daemon's own user must not be a traceback, nor send it to install what is there."""
    spec = spec_from_file_location("identityd_program", ROOT / "identityd.py")
    assert spec
    assert spec.loader
    started = module_from_spec(spec)
    spec.loader.exec_module(started)
    started.HERE, started.LIBRARIES, started.OWN = tmp_path, tmp_path / "lib", tmp_path / "python"
    missing = ModuleNotFoundError(name="click")

    started.__name__ = "__main__"  # as ./identityd.py, and not as the program that pip makes
    assert "`make run` installs" in started.complaint(missing)
    started.OWN.symlink_to(tmp_path / "of-another-user")
    assert started.complaint(missing).startswith(f"This user may not use {tmp_path / 'python'}: ")
