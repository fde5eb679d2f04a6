"""docs/cassandra.md, word by word: from an empty cluster with passwords to a login, and a snapshot brought back.

Everything is real: a node with roles, its `nodetool`, memcached, the daemon, the commands. What is put in the place
of the document's words are places and passwords, and `systemctl`.
"""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from cassandra import Unauthorized

from tests.support.cassandra import installation
from tests.support.cassandra.cluster import CassandraCluster
from tests.support.cassandra.driver import connected
from tests.support.cassandra.settings import JAVA_OPTIONS
from tests.support.memcached import MemcachedNode, free_port
from tests.support.running import ROOT, Running
from tests.support.waiting import RealClock, elapse, until

pytestmark = [pytest.mark.memcached, pytest.mark.cassandra]
DOCUMENT: Final = (ROOT / "docs/cassandra.md").read_text()
WHY: Final = ("--reason", "ticket 4711", "--as", "ann")
_RIGHTS_KEPT_S: Final = 1.5
_STANZA: Final = re.compile(r"^ *```(sql)?\n(.*?)^ *```", re.DOTALL | re.MULTILINE)


def recipe(heading: str) -> list[tuple[str, str]]:
    """Return the blocks below a heading, each with "sql" or "", in their order."""
    section = DOCUMENT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [(kind, "\n".join(line.strip() for line in text.splitlines())) for kind, text in _STANZA.findall(section)]


def statements(text: str) -> list[str]:
    """Return the statements of a block."""
    return [each.strip() for each in text.split(";") if each.strip()]


@dataclass
class Installation:
    """A node with roles and a daemon beside it, each where the document has it elsewhere."""

    cluster: CassandraCluster
    folder: Path
    jmx: int
    daemon: Running

    def without_demo(self) -> Path:
        """Return the daemon's configuration without the demonstration provider."""
        kept = self.daemon.folder / "kept.ini"
        kept.write_text(
            (self.daemon.folder / "identityd.ini").read_text().replace("[provider:demo]\nkind = demo\n", "")
        )
        kept.chmod(0o600)
        return kept

    def sql(self, text: str, *, but: str = "nothing") -> None:
        """Say it as the superuser."""
        for statement in statements(text):
            if not statement.startswith(but):
                self.cluster.session().execute(statement)
        # The node remembers for so long what a role may do, as the document says.
        elapse(_RIGHTS_KEPT_S, RealClock.CASSANDRA)

    def shell(self, text: str) -> str:
        """Type it into a shell, line by line as it stands there; return what was printed."""
        java = [str(installation.java()), *(each for each in JAVA_OPTIONS if each.startswith("--add"))]
        nodetool = [*java, f"-Dlogback.configurationFile={self.folder / 'quiet.xml'}", "-cp", installation.class_path()]
        words = shlex.join([*nodetool, "org.apache.cassandra.tools.NodeTool", "-p", str(self.jmx)])
        commands = [
            "set -e",
            f'nodetool() {{ {words} "$@"; }}',
            f'identityd.py() {{ {shlex.join([sys.executable, str(ROOT / "identityd.py")])} "$@"; }}',
        ]
        places = {
            "/var/lib/cassandra/data": str(self.folder / "node/node0/storage/data"),
            "/var/backups": str(self.folder),
            "/var/tmp/": f"{self.folder}/tmp/",  # noqa: S108 - the document's
            # The daemon's way to log in is one that the command refuses to find in order.
            "check-config": f"check-config --config {self.without_demo()}",
            "/root": str(self.folder),
            "dc1=3": f"{self.cluster.local_dc}=1",
        }
        for word, place in places.items():
            text = text.replace(word, place)
        lines = [line for line in text.splitlines() if not line.startswith("systemctl")]
        environ = {**os.environ, "IDENTITYD_CONFIG": str(self.daemon.folder / "identityd.ini")}
        done = subprocess.run(
            ["/bin/bash", "-c", "\n".join([*commands, *lines])],
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
            stdin=subprocess.DEVNULL,
            env=environ,
        )
        assert done.returncode == 0, (text, done.stdout, done.stderr)
        if "systemctl stop" in text:
            assert self.daemon.stop() == 0
        if "systemctl start" in text:
            self.daemon.start()
            until(lambda: self.daemon.ask("GET", "/readyz")[0] == 200, otherwise=self.daemon.log)
        return done.stdout


@pytest.fixture(scope="module")
def place(
    tmp_path_factory: pytest.TempPathFactory,
    cassandra: CassandraCluster,  # noqa: ARG001 - lets the driver warn, and marks these tests
    memcached_for_recipes: MemcachedNode,
) -> Iterator[Installation]:
    """Give an installation whose cluster is empty: no keyspace, no role but the superuser."""
    folder, jmx = tmp_path_factory.mktemp("recipes"), free_port()
    (folder / "migrate.password").write_text("its own password\n")
    (folder / "daemon.password").write_text("the daemon password\n")
    for name in ("migrate.password", "daemon.password"):
        (folder / name).chmod(0o600)
    (folder / "quiet.xml").write_text("<configuration/>")
    cluster = CassandraCluster(folder / "node", auth=True, java_options=(f"-Dcassandra.jmx.local.port={jmx}",))
    try:
        cluster.start()
        (host, port), *_ = cluster.contact_points
        sections = {
            "accounts": {"store": "cassandra"},
            "cassandra": {
                "contact_points": f"{host}:{port}",
                "local_data_centre": cluster.local_dc,
                "username": "identityd",
                "password_file": str(folder / "daemon.password"),
                "connect_timeout_s": "8",
            },
            "sessions": {"store": "memcached"},
            "memcached": {
                "nodes": f"one={memcached_for_recipes.name}",
                "timeout_s": "5",
                "connect_timeout_s": "5",
            },
        }
        daemon = Running(folder / "run", sections)
        yield Installation(cluster, folder, jmx, daemon)
        daemon.kill()
    finally:
        cluster.stop()


@pytest.fixture(scope="module")
def memcached_for_recipes() -> Iterator[MemcachedNode]:
    """Give a node that no other test empties."""
    node = MemcachedNode()
    node.start()
    yield node
    node.kill()


@pytest.fixture(scope="module")
def served(place: Installation) -> Installation:
    """Follow the roles from an empty cluster to a daemon that serves, once, and through an upgrade."""
    for kind, text in recipe("Roles"):
        if kind:
            place.sql(text)
        else:
            place.shell(text)
    return place


def test_the_recipe_for_roles_leads_from_an_empty_cluster_to_a_login(served: Installation) -> None:
    """An operator who follows it must not have to find out which right is missing."""
    cookie = served.daemon.sign_up("alice")

    assert served.daemon.check(cookie)["verdict"] == "ok"
    assert "Traceback" not in served.daemon.log()


@pytest.mark.parametrize(
    "statement",
    [
        "DROP KEYSPACE identityd",
        "DROP TABLE identityd.accounts",
        "ALTER TABLE identityd.accounts ADD more text",
        "CREATE TABLE identityd.more (a text PRIMARY KEY)",
        "CREATE KEYSPACE more WITH replication = {'class': 'NetworkTopologyStrategy', 'DC1': 1}",
        "CREATE ROLE more",
        "GRANT ALTER ON KEYSPACE identityd TO identityd",
        "SELECT * FROM system_auth.roles",
    ],
)
@pytest.mark.parametrize(
    ("role", "password"), [("identityd", "the daemon password"), ("identityd_copy", "the password for copies")]
)
def test_the_daemon_s_role_and_the_one_for_copies_can_do_no_more_than_they_need(
    served: Installation, role: str, password: str, statement: str
) -> None:
    """Who takes the daemon over should not have the cluster as well."""
    with connected(served.cluster, login=(role, password)) as session, pytest.raises(Unauthorized):
        session.execute(statement)


def test_the_role_for_copies_writes_nothing(served: Installation) -> None:
    """A machine that makes copies at night must not be a way to change accounts."""
    with connected(served.cluster, login=("identityd_copy", "the password for copies")) as session:
        for statement in (
            "TRUNCATE identityd.audit_of_days",
            "DELETE FROM identityd.usernames WHERE username_key = 'a'",
        ):
            with pytest.raises(Unauthorized):
                session.execute(statement)


def test_the_role_that_migrates_is_let_in_while_it_is_needed_and_its_password_is_never_a_word(
    served: Installation,
) -> None:
    """It may drop what it made; a word of a command is in the list of processes and in the shell's history."""
    command = "identityd.py migrate --username identityd_migrate"
    shut = served.shell(f"{command} --password-file /root/migrate.password 2>&1 || echo ended with $?")
    served.sql("ALTER ROLE identityd_migrate WITH LOGIN = true")

    said = served.shell(f"{command} --password-file /root/migrate.password")
    asked = served.shell(f"IDENTITYD_MIGRATE_PASSWORD='its own password' {command}")
    refused = served.shell(f"{command} --password-file /root/daemon.password 2>&1 || echo ended with $?")
    missing = served.shell(f"{command} 2>&1 || echo ended with $?")

    served.sql("ALTER ROLE identityd_migrate WITH LOGIN = false")
    assert "nothing to do; it has the tables of this release" in said
    assert asked == said
    for text in (shut, refused):
        assert "refused" in text or "not permitted to log in" in text
        assert "ended with 1" in text
    assert "identityd_migrate has no password here; give --password-file or set IDENTITYD_MIGRATE_PASSWORD" in missing
    assert "ended with 2" in missing
    assert "its own password" not in shut + said + refused


def test_the_daemon_s_role_is_told_what_it_lacks_to_migrate(served: Installation) -> None:
    """The old way, with the daemon's own role, ends in words that lead to the recipe."""
    said = served.shell("identityd.py migrate --create-keyspace DC1=1 2>&1 || echo ended with $?")

    assert "docs/cassandra.md, Roles, has the GRANTs" in said
    assert "ended with 1" in said


@pytest.mark.threat(66)
def test_a_snapshot_is_brought_back_as_the_document_says(served: Installation) -> None:
    """The bar: who existed at the snapshot logs in, who came later signs up again, and `fsck` finds nothing."""
    daemon = served.daemon
    cara, dave = daemon.sign_up("cara"), daemon.sign_up("dave")
    ids = {name: daemon.check(cookie)["user"]["id"] for name, cookie in (("cara", cara), ("dave", dave))}
    snapshot, stop, drop, make, bring, checked, start = recipe("Backup")
    served.shell(snapshot[1])
    served.shell(f"identityd.py sessions end cara --all --yes --reason '{WHY[1]}'")
    cara = daemon.log_in("cara").cookie
    late = daemon.sign_up("late")
    lates_id = daemon.check(late)["user"]["id"]

    served.shell(stop[1])
    served.sql(drop[1])
    served.shell(make[1])
    served.sql(recipe("Roles")[2][1], but="CREATE ROLE")
    served.shell(bring[1])
    said = served.shell(checked[1])
    served.shell(start[1])

    assert "one: emptied; every person logs in again." in said
    assert "found 0, mended 0, left 0" in said
    for cookie in (cara, dave, late):
        assert daemon.check(cookie)["verdict"] == "login"
    for name, known in ids.items():
        assert daemon.check(daemon.log_in(name).cookie)["user"]["id"] == known
    assert daemon.log_in("late").cookie == ""
    assert daemon.check(daemon.sign_up("late"))["user"]["id"] != lates_id
    assert served.shell("identityd.py fsck").endswith("found 0, mended 0, left 0, waits 0.\n")


def test_a_copy_into_a_file_needs_no_more_than_the_role_for_copies(served: Installation) -> None:
    """The third way: an account file that can be looked through on any machine."""
    ini = (served.daemon.folder / "identityd.ini").read_text()
    (served.folder / "copy.password").write_text("the password for copies\n")
    (served.folder / "copy.password").chmod(0o600)
    other = served.daemon.folder / "copy.ini"
    other.write_text(
        ini.replace("username = identityd", "username = identityd_copy").replace("daemon.password", "copy.password")
    )
    other.chmod(0o600)
    there = served.shell("identityd.py accounts find alice || true")

    said = served.shell(f"identityd.py copy --from cassandra --to sqlite --daemons-stopped --config {other}")

    assert "done: every row was read back from sqlite and is equal." in said
    assert served.shell(
        f"sed -i 's/^store = cassandra/store = sqlite/' {other}; identityd.py backup /root/b --config {other}"
    )
    assert there
