"""The list of memcached nodes changes under traffic, over two daemons and three real nodes.

The daemons' sessions, nodes and markers are real; the browsers are jars.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from threading import Event, Thread
from uuid import UUID

import pytest
from click.testing import CliRunner, Result

from identity.cli import cli
from identity.keyring import Purpose
from identity.sessions.check import Outcome
from identity.stores.alarm import CorruptAlarm
from identity.stores.markers import NodeMarkers
from identity.stores.memcached import MemcachedCache
from identity.stores.node_console import NodeConsole
from identity.stores.records import SessionRecords, key_of
from identity.stores.rendezvous import Rendezvous
from identity.stores.sealing import Sealer
from identity.types import SECOND, AccountId
from options.secret import Secret
from tests.support.caches import markers, memcached_cache, ring, servers, wall_clock
from tests.support.daemons import Daemons, SessionDaemon
from tests.support.guards import Expectation
from tests.support.jars import BrowserJar
from tests.support.memcached import MemcachedNode
from tests.support.operator_commands import untouched_log

LOG = "identity.stores.memcached"
ExpectLog = Callable[..., Expectation]
BROWSERS = 200
TWO, THREE = ("a", "b"), ("a", "b", "c")


class City:
    """Browsers, two daemons, up to three nodes, and an operator with a configuration."""

    def __init__(self, folder: Path, nodes: Sequence[MemcachedNode], closing: ExitStack) -> None:
        self.folder = folder
        self.nodes = dict(zip(THREE, nodes, strict=True))
        self.daemons = Daemons(start=wall_clock())
        self.closing = closing
        (folder / "identityd.keys").write_text(self.daemons.keys.render())
        (folder / "identityd.keys").chmod(0o600)
        self.jars = {AccountId(UUID(int=n + 1)): BrowserJar() for n in range(BROWSERS)}
        self.services: list[SessionDaemon] = []

    def write(self, names: Sequence[str], generation: int) -> None:
        """Write the configuration."""
        listed = " ".join(f"{name}={self.nodes[name].name}" for name in names)
        file = self.folder / "identityd.ini"
        file.write_text(
            "[keys]\nfile = identityd.keys\n[sessions]\nstore = memcached\n"
            f"[memcached]\nnodes = {listed}\ngeneration = {generation}\n"
        )
        file.chmod(0o600)

    def start(self, names: Sequence[str], generation: int) -> None:
        """Start both daemons with this list, in place of those that ran."""
        self.services = [self._daemon(names, generation) for _ in range(2)]

    def _daemon(self, names: Sequence[str], generation: int) -> SessionDaemon:
        store = SessionRecords(
            self._cache(names, generation),
            keys=lambda: self.daemons.keys,
            clock=self.daemons.clock,
            alarm=CorruptAlarm(clock=self.daemons.clock),
        )
        return self.daemons.daemon(store=store)

    def _cache(self, names: Sequence[str], generation: int) -> MemcachedCache:
        sealer = Sealer(lambda: self.daemons.keys, purpose=Purpose.NODE, clock=self.daemons.clock)
        made = memcached_cache(
            servers([self.nodes[name] for name in names], names),
            clock=self.daemons.clock,
            codec=NodeMarkers(names, generation=generation, sealer=sealer),
        )
        self.closing.callback(made.close)
        return made

    def run(self, *words: str) -> Result:
        """Give a command of `sessions ring`."""
        with untouched_log():
            return CliRunner().invoke(
                cli,
                ["sessions", "ring", words[0], "--config", str(self.folder / "identityd.ini"), *words[1:]],
                catch_exceptions=False,
            )

    def log_in(self, accounts: Sequence[AccountId]) -> None:
        """Log these in."""
        for account_id in accounts:
            self.daemons.login(self.jars[account_id], service=self.services[0], account_id=account_id)

    def live(self, pages: int = 4) -> dict[AccountId, str]:
        """Let everybody load pages from both daemons in turn; return the reason of who was not served."""
        refused: dict[AccountId, str] = {}
        for page in range(pages):
            self.daemons.clock.advance(16 * SECOND)
            for account_id, jar in self.jars.items():
                verdict = self.daemons.visit(jar, service=self.services[page % 2])
                if verdict.outcome is Outcome.RETRY:
                    assert verdict.set_cookies == ()
                if verdict.outcome is not Outcome.OK:
                    refused.setdefault(account_id, verdict.reason)
        return refused

    def of(self, name: str, names: Sequence[str]) -> set[AccountId]:
        """Return the accounts whose records a node holds under a list."""
        ring = Rendezvous(names)
        return {each for each in self.jars if ring.node_of(key_of(self.daemons.keys.locator(each))) == name}

    def held(self, name: str) -> set[str]:
        """Return the keys a node holds."""
        node = NodeConsole(name, *self.nodes[name].address)
        try:
            return set(node.held())
        finally:
            node.close()

    def keys_of(self, accounts: set[AccountId]) -> set[str]:
        """Return where these accounts' records are."""
        return {key_of(self.daemons.keys.locator(each)) for each in accounts}


@pytest.fixture
def city(tmp_path: Path, memcached: list[MemcachedNode]) -> Iterator[City]:
    """Give a city on the nodes a and b, where everybody is logged in."""
    with ExitStack() as closing:
        made = City(tmp_path, memcached, closing)
        made.write(TWO, 1)
        made.start(TWO, 1)
        made.log_in(list(made.jars))
        assert made.live() == {}
        yield made


def joined(city: City) -> None:
    """Make c join, and let its accounts log in again."""
    city.write(THREE, 2)
    assert city.run("add", f"c={city.nodes['c'].name}", "--yes").exit_code == 0
    city.start(THREE, 2)
    city.live()
    city.log_in(list(city.of("c", THREE)))


def test_a_node_that_joins_costs_its_own_accounts_a_login_and_nobody_else(city: City, expect_log: ExpectLog) -> None:
    """To grow by one node must not log everybody out, and no daemon may use both lists at once."""
    expect_log(LOG, "holds the marker of ring generation 2, not 1")
    city.write(THREE, 2)

    result = city.run("add", f"c={city.nodes['c'].name}", "--yes")

    moved = city.of("c", THREE)
    assert 0 < len(moved) < BROWSERS / 2
    assert result.exit_code == 0
    assert f"To log in again: {len(moved)} accounts of {BROWSERS}" in result.stdout
    assert set(city.live().values()) == {"store-down"}
    city.start(THREE, 2)
    assert city.live() == dict.fromkeys(moved, "lost")
    city.log_in(list(moved))
    assert city.live() == {}
    assert city.daemons.heard.ends == []


def test_people_who_click_during_the_change_are_told_to_try_again_and_nothing_worse(
    city: City, expect_log: ExpectLog
) -> None:
    """Between the first marker and the last no daemon may believe half of the nodes of each ring."""
    expect_log(LOG, "holds the marker of ring generation 2, not 1")
    city.write(THREE, 2)
    done = Event()
    reasons: set[str] = set()

    def click() -> None:
        while not done.is_set():
            reasons.update(city.live(1).values())

    clicking = Thread(target=click)
    clicking.start()
    result = city.run("add", f"c={city.nodes['c'].name}", "--yes")
    done.set()
    clicking.join()

    assert result.exit_code == 0
    assert reasons <= {"store-down"}
    city.start(THREE, 2)
    assert city.live() == dict.fromkeys(city.of("c", THREE), "lost")
    assert city.daemons.heard.ends == []


def test_a_daemon_started_too_early_uses_no_node_and_logs_nobody_in(city: City, expect_log: ExpectLog) -> None:
    """It would let people log in at the new node while the others go on serving their old sessions."""
    expect_log(LOG, "is empty, and another node is marked for another ring")
    expect_log(LOG, "holds the marker of ring generation 1, not 2")
    early = city._daemon(THREE, 2)

    verdicts = [city.daemons.visit(jar, service=early) for jar in city.jars.values()]

    assert {verdict.reason for verdict in verdicts} == {"store-down"}
    assert city.live() == {}
    city.write(THREE, 2)
    assert "has no marker yet" in city.run("show").stdout


def test_no_old_record_is_left_where_a_later_list_would_find_it(city: City) -> None:
    """An old record that comes back makes the owner's own tokens look stolen."""
    joined(city)

    gone = city.keys_of(city.of("c", THREE))
    assert not (city.held("a") | city.held("b")) & gone
    assert city.held("c") == gone


@pytest.mark.parametrize("dead", [False, True], ids=["alive", "dead"])
def test_a_node_that_leaves_costs_its_own_accounts_a_login_and_nobody_else(city: City, *, dead: bool) -> None:
    """The others' tokens must be neither lost nor look stolen, although their list changed twice."""
    joined(city)
    if dead:
        city.nodes["c"].kill()
    city.write(TWO, 3)

    result = city.run("remove", "c", "--yes")

    assert result.exit_code == 0
    assert "Node c leaves: its accounts log in again, about 1 in 3." in result.stdout
    city.start(TWO, 3)
    moved = city.of("c", THREE)
    assert city.live() == dict.fromkeys(moved, "lost")
    city.log_in(list(moved))
    assert city.live() == {}
    assert city.daemons.heard.ends == []


def test_what_a_late_login_left_at_the_old_place_is_gone_before_that_place_counts_again(city: City) -> None:
    """A login that began before the change may be written after it; nobody may ever be served that record."""
    joined(city)
    [account_id, *_] = city.of("c", THREE)
    node = NodeConsole("a", *city.nodes["a"].address)
    late = key_of(city.daemons.keys.locator(account_id))
    assert node._asked(f"add {late} 0 0 3\r\nold\r\n".encode()) == b"STORED"
    node.close()
    assert "1 of them out of place" in city.run("show").stdout
    city.write(TWO, 3)

    assert city.run("remove", "c", "--yes").exit_code == 0

    assert late not in city.held("a")


def test_a_node_that_returns_is_emptied(city: City) -> None:
    """What it held when it left is old; its accounts have logged in elsewhere since."""
    joined(city)
    city.write(TWO, 3)
    city.run("remove", "c", "--yes")
    city.start(TWO, 3)
    city.live()
    city.log_in(list(city.of("c", THREE)))
    assert city.held("c")
    city.write(THREE, 4)

    assert city.run("add", f"c={city.nodes['c'].name}", "--yes").exit_code == 0

    assert city.held("c") == set()
    city.start(THREE, 4)
    assert city.live() == dict.fromkeys(city.of("c", THREE), "lost")
    assert city.daemons.heard.ends == []


def test_the_lines_to_write_are_printed_and_nothing_is_done(city: City) -> None:
    """The configuration is the operator's; a ring changed before it would stand still for everybody."""
    given = [city.run("add", f"c={city.nodes['c'].name}", "--yes"), city.run("remove", "b", "--yes")]

    nodes = [f"{name}={city.nodes[name].name}" for name in THREE]
    assert [each.exit_code for each in given] == [1, 1]
    assert f"nodes = {' '.join(nodes)}\n  generation = 2\n" in given[0].stderr
    assert f"nodes = {nodes[0]}\n  generation = 2\n" in given[1].stderr
    assert city.live() == {}


def test_a_generation_that_was_not_raised_is_refused(city: City) -> None:
    """A node that comes back later with this list's marker would be believed."""
    city.write(THREE, 1)

    result = city.run("add", f"c={city.nodes['c'].name}", "--yes")

    assert result.exit_code == 1
    assert "generation = 2\n" in result.stderr
    assert city.live() == {}


def test_nothing_is_changed_while_a_node_that_stays_does_not_answer(city: City) -> None:
    """It would come back with the old ring's marker and data, and the change could not be finished."""
    city.write(THREE, 2)
    city.nodes["b"].kill()

    result = city.run("add", f"c={city.nodes['c'].name}", "--yes")

    assert result.exit_code == 1
    assert "memcached node b" in result.stderr
    assert "Nothing was changed" in result.stderr
    assert city.held("c") == set()


def test_a_node_of_another_installation_is_not_emptied(city: City) -> None:
    """A wrong port must not log out the people of somebody else's service."""
    stranger = memcached_cache(servers([city.nodes["c"]], ["c"]), codec=markers(["c"], keys=ring(9)))
    stranger.nodes()
    stranger.close()
    city.write(THREE, 2)

    result = city.run("add", f"c={city.nodes['c'].name}", "--yes")

    assert result.exit_code == 1
    assert "another installation may be using it" in result.stderr
    assert city.live() == {}


def test_a_change_that_was_cut_short_goes_on(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator's connection breaks between two markers; the same command must finish it."""
    city.write(THREE, 2)
    real = NodeConsole.mark
    marked: list[str] = []

    def cut(self: NodeConsole, value: bytes, *, over: object) -> bool:
        if len(marked) == 2:
            raise KeyboardInterrupt
        marked.append(self.name)
        return real(self, value, over=over)  # type: ignore[arg-type]

    monkeypatch.setattr(NodeConsole, "mark", cut)
    CliRunner().invoke(cli, ["sessions", "ring", "add", "-c", str(city.folder / "identityd.ini"), "c=127.0.0.1:1"])
    with untouched_log():
        city.run("add", f"c={city.nodes['c'].name}", "--yes")
    monkeypatch.undo()
    assert marked == ["c", "a"]

    assert city.run("add", f"c={city.nodes['c'].name}", "--yes").exit_code == 0
    again = city.run("add", f"c={city.nodes['c'].name}", "--yes")

    city.start(THREE, 2)
    assert city.live() == dict.fromkeys(city.of("c", THREE), "lost")
    assert "as configured already" in again.stdout


def test_the_nodes_are_shown_with_what_is_wrong(city: City) -> None:
    """Before anything is changed somebody looks."""
    well = city.run("show")
    city.write(TWO, 2)
    city.nodes["b"].kill()
    ill = city.run("show")

    records = len(city.of("a", TWO))
    assert (well.exit_code, ill.exit_code) == (0, 1)
    assert f"a={city.nodes['a'].name}  in use; {records} accounts" in well.stdout
    assert f"is marked for generation 1: daemons do not use it; {records} accounts" in ill.stdout
    assert f"b={city.nodes['b'].name}  connection refused" in ill.stdout


def test_another_ring_altogether_is_not_changed(city: City) -> None:
    """The nodes' markers say what was before; a slip in the list must not become the truth."""
    city.daemons.keys = city.daemons.keys.with_key(Secret(b"2" * 32), now=city.daemons.clock())
    city.write(THREE, 2)

    result = city.run("remove", "d", "--yes")

    assert result.exit_code == 1
    assert "other nodes" in result.stderr or "generation" in result.stderr
    assert "Nothing was changed" in result.stderr
    assert city.live() == {}
