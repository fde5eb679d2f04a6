"""`sessions list`, `show`, `end` over a real memcached: the answers, the record, the audit."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from identity.cli.files import new_ring_file
from identity.metrics import Metrics
from identity.opening import Ring, Wiring, now
from identity.operating import sessions_in_memcached
from identity.sessions.check import Check, Opening
from identity.sessions.record import Session
from identity.sessions.service import Opened, SessionService
from identity.types import AccountId, Host, IdentityKey, Username
from tests.support.memcached import MemcachedNode
from tests.support.operator_commands import WHY, OperatorCommands, untouched_log

LOGIN = Host("login.example")
WIKI = Host("wiki.example")


class Lobby:
    """People who are logged in, in one memcached node, for an operator to look at."""

    def __init__(self, folder: Path, node: MemcachedNode, closing: ExitStack) -> None:
        sections = {"sessions": {"store": "memcached"}, "memcached": {"nodes": f"one={node.name}"}}
        self.commands = OperatorCommands(folder, sections)
        closing.callback(self.commands.close)
        wiring = Wiring(self.commands.config, Ring(self.commands.config), Metrics(), now, lambda _: None)
        self.service: SessionService = sessions_in_memcached(wiring, closing, self.commands.store)[0]
        self.alice = self.commands.member("1", "alice")

    def log_in(self, agent: str = "Firefox on Linux", *, account_id: AccountId | None = None) -> Session:
        """Open a session from a new browser."""
        account_id = account_id or self.alice
        opening = Opening(
            account_id, Username("alice"), 1, IdentityKey("p:1"), now(), host=LOGIN, agent=agent, address="192.0.2.x"
        )
        opened = self.service.open(opening, ticket=self.service.ticket(account_id), jar=Check((), LOGIN))
        assert isinstance(opened, Opened)
        return opened.session

    def visit(self, login: Session, host: Host = WIKI) -> Session:
        """Open a session of an application below a login."""
        opened = self.service.open_below(self.alice, login.id, jar=Check((), host, agent="Firefox on Linux"))
        assert isinstance(opened, Opened)
        return opened.session

    def alive(self) -> set[str]:
        """Return the ids of what is open."""
        return {each.id.hex() for each in self.service.alive(self.alice)}

    def told(self, *arguments: str) -> object:
        """Return the object a command prints."""
        result = self.commands.run(*arguments, "--json", group="sessions")
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)


@pytest.fixture
def lobby(tmp_path: Path, memcached: list[MemcachedNode]) -> Iterator[Lobby]:
    """Give a desk with an account that is logged in nowhere yet."""
    with untouched_log(), ExitStack() as closing:
        yield Lobby(tmp_path, memcached[0], closing)


def test_the_list_shows_each_login_with_its_applications_below_it(lobby: Lobby) -> None:
    """Somebody on the phone says "the one in the library"; it must be found by place, time and browser."""
    phone = lobby.log_in("Safari on iOS")
    wiki = lobby.visit(phone)
    desktop = lobby.log_in("Firefox on Linux")

    lines = lobby.commands.run("list", "alice", group="sessions").stdout.splitlines()

    assert lines[0].split() == ["session", "opened", "last", "used", "browser", "from", "host", "way"]
    assert [line[:10].rstrip() for line in lines[1:]] == [
        desktop.id.hex()[:8],
        phone.id.hex()[:8],
        f"  {wiki.id.hex()[:8]}",
    ]
    assert "Safari on iOS" in lines[2]
    assert "192.0.2.x" in lines[2]
    assert "wiki.example" in lines[3]
    assert "p:1" in lines[3]


def test_an_account_that_is_logged_in_nowhere_is_told_so(lobby: Lobby) -> None:
    """An empty table looks like a fault."""
    result = lobby.commands.run("list", "alice", group="sessions")

    assert (result.exit_code, result.stdout) == (0, f"alice ({lobby.alice}) is logged in nowhere.\n")


def test_programs_get_the_same_sessions_as_one_object(lobby: Lobby) -> None:
    """A script must not have to read columns."""
    login = lobby.log_in()
    wiki = lobby.visit(login)

    told = lobby.told("list", "alice")

    assert isinstance(told, dict)
    assert (told["account_id"], told["username"]) == (str(lobby.alice), "alice")
    assert [(each["session"], each["login"], each["host"]) for each in told["sessions"]] == [
        (login.id.hex(), None, LOGIN),
        (wiki.id.hex(), login.id.hex(), WIKI),
    ]
    assert told["sessions"][1] == lobby.told("show", "alice", wiki.id.hex())


def test_a_session_is_shown_by_the_beginning_of_its_id(lobby: Lobby) -> None:
    """What the list prints must be what the next command takes."""
    login = lobby.log_in()
    wiki = lobby.visit(login)

    result = lobby.commands.run("show", "alice", login.id.hex()[:8], group="sessions")

    assert result.stdout.splitlines()[0] == f"session      {login.id.hex()}"
    assert f"below        {wiki.id.hex()[:8]}  wiki.example" in result.stdout


def test_ending_a_login_ends_what_is_below_it_and_nothing_else(lobby: Lobby) -> None:
    """The one in the library ends, with its wiki; the owner at home goes on."""
    library, home = lobby.log_in("Edge on Windows"), lobby.log_in()
    lobby.visit(library)

    result = lobby.commands.run("end", "alice", library.id.hex()[:8], "--yes", *WHY, group="sessions")

    said = f"Session {library.id.hex()[:8]} of alice ({lobby.alice}) has ended.\n"
    assert (result.exit_code, result.stdout) == (0, said)
    assert lobby.alive() == {home.id.hex()}
    assert lobby.commands.trail(lobby.alice) == [
        ("session-end-begun", "operator:ann", {"session": library.id.hex(), "reason": "ticket 4711"}),
        ("session-end", "operator:ann", {"session": library.id.hex(), "reason": "ticket 4711", "outcome": "done"}),
    ]


def test_ending_an_applications_session_leaves_its_login(lobby: Lobby) -> None:
    """Only what was named ends."""
    login = lobby.log_in()
    wiki = lobby.visit(login)

    assert lobby.commands.run("end", "alice", wiki.id.hex(), "--yes", *WHY, group="sessions").exit_code == 0

    assert lobby.alive() == {login.id.hex()}


def test_all_sessions_end_and_the_account_may_log_in_again(lobby: Lobby) -> None:
    """For "I lost my bag" disabling is too much."""
    lobby.log_in()
    lobby.log_in()

    result = lobby.commands.run("end", "alice", "--all", "--yes", *WHY, group="sessions")

    assert result.exit_code == 0
    assert "is logged out everywhere, and its open sessions have ended." in result.stdout
    assert lobby.alive() == set()
    assert lobby.commands.registry.log_in("1") == lobby.alice


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        (("ffffffff",), 1, "has no open session ffffffff. Nothing was changed."),
        (("abc",), 2, "at least 4 digits"),
        (("not-hex!",), 2, "at least 4 digits"),
        ((), 2, "say which"),
        (("ffffffff", "--all"), 2, "say which"),
    ],
)
def test_what_names_no_session_ends_none(lobby: Lobby, given: tuple[str, ...], code: int, said: str) -> None:
    """A slip of the fingers must not log anybody out."""
    login = lobby.log_in()

    result = lobby.commands.run("end", "alice", *given, "--yes", *WHY, group="sessions")

    assert (result.exit_code, lobby.alive()) == (code, {login.id.hex()})
    assert said in result.stderr


def test_nothing_ends_without_a_confirmation(lobby: Lobby) -> None:
    """Nobody is there to say yes in a script that forgot `--yes`."""
    login = lobby.log_in()

    result = lobby.commands.run("end", "alice", login.id.hex(), *WHY, group="sessions")

    assert (result.exit_code, lobby.alive()) == (2, {login.id.hex()})


def test_a_session_whose_node_is_away_is_kept_to_be_ended(lobby: Lobby, memcached: list[MemcachedNode]) -> None:
    """Somebody who left a session open in the library must not depend on a memcached that is restarting."""
    login = lobby.log_in()
    memcached[0].freeze()

    short = lobby.commands.run("end", "alice", login.id.hex()[:8], "--yes", *WHY, group="sessions")
    whole = lobby.commands.run("end", "alice", login.id.hex(), "--yes", *WHY, group="sessions")
    listed = lobby.commands.run("list", "alice", group="sessions")

    memcached[0].thaw()
    assert (short.exit_code, whole.exit_code, listed.exit_code) == (1, 3, 1)
    assert "Nothing was changed" in short.stderr
    assert "could not be reached yet (memcached node one" in whole.stderr
    assert [each.session for each in lobby.commands.store.revocations.open()] == [login.id]


def test_sessions_inside_the_daemon_are_said_to_be_there(tmp_path: Path) -> None:
    """With the in-process store a list from outside would always be empty, and wrong."""
    commands = OperatorCommands(tmp_path)
    account_id = commands.member("1", "alice")

    listed = commands.run("list", "alice", group="sessions")
    ended = commands.run("end", "alice", "ab" * 16, "--yes", *WHY, group="sessions")

    assert (listed.exit_code, ended.exit_code) == (1, 0)
    assert "the sessions are in the daemon's memory" in listed.stderr
    assert ended.stdout == (
        f"The running daemon ends session abababab of alice ({account_id}) within about 5 seconds.\n"
    )
    assert [each.session for each in commands.store.revocations.open()] == [b"\xab" * 16]
    commands.close()


def test_clearing_ends_every_session_and_asks_before(lobby: Lobby) -> None:
    """After a snapshot was brought back none may stand beside the older accounts; by a slip, all are gone."""
    lobby.log_in()

    asked = lobby.commands.run("clear", group="sessions")

    assert asked.exit_code == 2
    assert "add --yes" in asked.stderr
    assert len(lobby.alive()) == 1

    done = lobby.commands.run("clear", "--yes", group="sessions")

    assert (done.exit_code, done.stdout) == (0, "memcached one: emptied; every person logs in again.\n")
    assert lobby.alive() == set()


@pytest.mark.threat(66)
def test_clearing_says_which_node_does_not_answer(lobby: Lobby, memcached: list[MemcachedNode]) -> None:
    """What it holds would come back with it."""
    memcached[0].kill()

    done = lobby.commands.run("clear", "--yes", group="sessions")

    assert done.exit_code == 1
    assert "memcached node one" in done.stderr
    assert "run it again when it answers" in done.stderr


def test_a_memcached_of_another_installation_is_not_emptied(lobby: Lobby) -> None:
    """A wrong address in the configuration would log another installation's people out."""
    lobby.log_in()
    ring = lobby.commands.folder / "identityd.keys"
    ring.unlink()
    new_ring_file(ring)

    done = lobby.commands.run("clear", "--yes", group="sessions")

    assert done.exit_code == 2
    assert "one was marked with another key ring" in done.stderr
    assert len(lobby.alive()) == 1
