"""`check-config` and a real cluster: each fault made in earnest, each with its own line and remedy."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from uuid import uuid4

import pytest
from cassandra.cluster import Session
from click.testing import CliRunner

from identity.cli import cli
from identity.stores.cassandra.greeting import Unreachable, greet
from identity.stores.cassandra.migrating import Migrator
from identity.stores.cassandra.migrations import Migrations
from identity.stores.cassandra.settings import Settings, Tls
from options.secret import Secret
from tests.support.cassandra.cluster import SUPERUSER, CassandraCluster
from tests.support.cassandra.tls import server_tls
from tests.support.certificates import Authority
from tests.support.services import StartCassandra

PROVIDER = "[provider:github]\nkind = github\nclient_id = me\nclient_secret = 0123456789ab\n"
PASSWORD = "a pass'word"


@dataclass(frozen=True, slots=True)
class Place:
    """A cluster, a folder with a key ring, and how the cluster is reached when nothing is wrong."""

    cluster: CassandraCluster
    folder: Path
    options: dict[str, str]

    @property
    def session(self) -> Session:
        """The administrator's."""
        return self.cluster.session()

    def check(self, **changed: str | None) -> tuple[int, list[str]]:
        """Return exit code and the lines that speak of the cluster, with these options changed or left out."""
        options = {**self.options, **changed}
        lines = [f"{name} = {value}" for name, value in options.items() if value is not None]
        file = self.folder / "identityd.ini"
        file.write_text("\n".join([PROVIDER, "[accounts]", "store = cassandra", "[cassandra]", *lines]))
        file.chmod(0o600)
        result = CliRunner().invoke(cli, ["check-config", "--config", str(file)], catch_exceptions=False)
        assert result.stderr == ""
        lines = [line for line in result.stdout.splitlines() if "assandra" in line or "keyspace" in line]
        return result.exit_code, lines

    def problem(self, **changed: str | None) -> str:
        """Return the one problem there is."""
        code, lines = self.check(**changed)
        (found,) = (line for line in lines if line.startswith("problem"))
        assert code == 2
        return found


def placed(cluster: CassandraCluster, folder: Path, **options: str) -> Place:
    """Return a place whose keyspace has the tables."""
    CliRunner().invoke(cli, ["keys", "new", "--file", str(folder / "identityd.keys")], catch_exceptions=False)
    keyspace = migrated(cluster)
    points = " ".join(f"{host}:{port}" for host, port in cluster.contact_points)
    given = {"contact_points": points, "local_data_centre": cluster.local_dc, "keyspace": keyspace}
    return Place(cluster, folder, {**given, **options})


def migrated(cluster: CassandraCluster) -> str:
    """Return a new keyspace with the tables of this release."""
    keyspace = cluster.fresh_keyspace()
    username, password = SUPERUSER if cluster.plan.auth else ("", "")
    tls = cluster.tls
    settings = Settings(
        contact_points=tuple(cluster.contact_points),
        local_data_centre=cluster.local_dc,
        keyspace=keyspace,
        username=username,
        password=Secret(password),
        tls=Tls(ca=tls.ca_file, certificate=tls.client.certificate, key=tls.client.key) if tls and tls.client else None,
    )
    Migrator(settings, Migrations(), clock=lambda: 0, owner=uuid4(), who="test").migrate(lambda _: None)
    return keyspace


@pytest.fixture(scope="module")
def guarded(
    tmp_path_factory: pytest.TempPathFactory,
    authority: Authority,
    cassandra: CassandraCluster,  # noqa: ARG001 - lets the driver warn, and marks these tests
) -> Iterator[Place]:
    """Give a node that asks for TLS, a client certificate and a role; the role may read and write its keyspace."""
    folder = tmp_path_factory.mktemp("guarded")
    tls = server_tls(authority, ("127.0.0.1",), mutual=True)
    assert tls.client
    cluster = CassandraCluster(folder, auth=True, tls=tls)
    try:
        cluster.start()
        files = {"tls_ca": tls.ca_file, "tls_certificate": tls.client.certificate, "tls_key": tls.client.key}
        options = {name: str(path) for name, path in files.items()}
        place = placed(cluster, folder, username="daemon", password=PASSWORD, **options)
        text = PASSWORD.replace("'", "''")
        place.session.execute(f"CREATE ROLE daemon WITH PASSWORD = '{text}' AND LOGIN = true")
        grant(place, place.options["keyspace"], "SELECT", "MODIFY")
        yield place
    finally:
        cluster.stop()


def grant(place: Place, keyspace: str, *permissions: str) -> None:
    """Let the daemon do something."""
    for permission in permissions:
        place.session.execute(f"GRANT {permission} ON KEYSPACE {keyspace} TO daemon")


@pytest.fixture(scope="module")
def plain(cassandra: CassandraCluster, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Return the shared node, which asks for nothing, with a migrated keyspace."""
    return placed(cassandra, tmp_path_factory.mktemp("plain"))


def test_a_cluster_in_order_is_confirmed_line_by_line(guarded: Place) -> None:
    """An operator sees what was looked at; TLS, client certificate, role and tables all worked."""
    code, (node, sync, keyspace) = guarded.check()
    assert code == 0
    assert node == "ok       cassandra 127.0.0.1 in DC1: version 5.0.9"
    assert sync.startswith("warning  cassandra: there is one copy, and commitlog_sync cannot be read by this role")
    assert keyspace.endswith("copies 1 in DC1; its tables fit, and a majority answers")


def test_a_single_copy_with_a_periodic_log_is_warned_about(plain: Place) -> None:
    """People who were told that they have an account would have none when the node dies."""
    code, (_, sync, _) = plain.check()
    assert code == 0
    assert sync.startswith("warning  cassandra: there is one copy, and commitlog_sync is periodic")
    assert "write commitlog_sync: batch (or group)" in sync


def test_a_port_nobody_listens_on_is_a_problem_with_its_address(plain: Place) -> None:
    """The first mistake of all; the driver would say "no host available"."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        where = f"127.0.0.1:{unused.getsockname()[1]}"
        found = plain.problem(contact_points=where)
        both = f"{where} {plain.options['contact_points']}"
        also, *_ = plain.check(contact_points=both, connect_timeout_s="20")[1]
    assert "connection refused; start it there, or correct [cassandra] contact_points" in found
    assert where in found
    assert also.startswith("ok ")


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x15\x03\x03"])
def test_something_else_on_the_port_is_told_from_a_node(plain: Place, answer: bytes) -> None:
    """A port copied from another service answers, too."""
    with listening(answer) as where:
        found = plain.problem(contact_points=where)
    assert ("something else answers there" in found) is answer.startswith(b"HTTP")
    assert ("speaks TLS only" in found) is not answer.startswith(b"HTTP")


def test_tls_with_a_node_that_speaks_none_is_a_problem_of_the_node(plain: Place, authority: Authority) -> None:
    """The driver would say that the connection was closed."""
    found = plain.problem(tls_ca=str(authority.ca_file))
    assert "[cassandra] tls_ca: is given and " in found
    assert "speaks no TLS" in found


def test_each_fault_of_the_certificates_has_its_remedy(guarded: Place, tmp_path: Path) -> None:
    """All of them look alike to the driver, and each is put right somewhere else."""
    other = Authority(tmp_path)
    foreign = other.issue_client("daemon")
    no_tls = guarded.problem(tls_ca=None, tls_certificate=None, tls_key=None)
    assert "[cassandra] tls_ca: is empty and 127.0.0.1:" in no_tls
    wrong_ca = guarded.problem(tls_ca=str(other.ca_file))
    assert f"[cassandra] tls_ca: {other.ca_file} does not vouch for the certificate of 127.0.0.1:" in wrong_ca
    none_shown = guarded.problem(tls_certificate=None, tls_key=None)
    assert "asks for a client certificate; give tls_certificate and tls_key" in none_shown
    refused = guarded.problem(tls_certificate=str(foreign.certificate), tls_key=str(foreign.key))
    assert f"refuses {foreign.certificate} (" in refused
    unfit = guarded.problem(tls_key=str(foreign.key))
    assert "do not go together" in unfit


def test_a_certificate_for_another_name_is_refused_and_told_apart(authority: Authority) -> None:
    """Nodes are reached by address, and certificates often hold names only."""
    served = authority.issue("db1.internal")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(served.certificate, served.key)
    with listening(b"\x84", server) as where:
        host, _, port = where.partition(":")
        refusal = greet(host, int(port), context=authority.client_context(), timeout_ms=2_000)
    assert refusal is not None
    assert refusal.trouble is Unreachable.OTHER_NAME
    assert "127.0.0.1" in refusal.reason


def test_each_fault_of_the_role_has_its_remedy(guarded: Place) -> None:
    """And no line shows the password."""
    wrong = guarded.problem(password="other-password")
    assert "[cassandra] password: the cluster does not let daemon in with it" in wrong
    assert "other-password" not in wrong
    nobody = guarded.problem(username=None, password=None)
    assert "[cassandra] username: is empty and the cluster asks for a role" in nobody


def test_rights_the_role_lacks_come_with_the_statement_that_grants_them(guarded: Place) -> None:
    """Without MODIFY everything works until the first sign-up."""
    keyspace = migrated(guarded.cluster)
    found = guarded.problem(keyspace=keyspace)
    assert "daemon lacks SELECT and MODIFY" in found
    grant(guarded, keyspace, "SELECT")
    found = guarded.problem(keyspace=keyspace)
    assert found.endswith(f'lacks MODIFY; run in cqlsh: GRANT MODIFY ON KEYSPACE {keyspace} TO "daemon";')
    guarded.session.execute(found.partition("cqlsh: ")[2].rstrip(";"))
    assert guarded.check(keyspace=keyspace)[0] == 0


def test_a_superuser_lacks_nothing(guarded: Place) -> None:
    """Its rights are not listed anywhere."""
    username, password = SUPERUSER
    code, lines = guarded.check(username=username, password=password)
    assert code == 0
    assert any("commitlog_sync is periodic" in line for line in lines)


def test_a_data_centre_the_cluster_has_not_is_told_with_those_it_has(plain: Place) -> None:
    """The driver would say that no host is available, and the difference is often a capital."""
    found = plain.problem(local_data_centre="dc1")
    assert "the cluster has no dc1; it has DC1 (1 node); capitals matter" in found


def test_a_missing_keyspace_comes_with_the_statement_that_makes_it(plain: Place) -> None:
    """Copied into cqlsh, it is right for the data centres there are."""
    keyspace = f"{plain.options['keyspace']}x"
    found = plain.problem(keyspace=keyspace)
    assert f"[cassandra] keyspace: {keyspace} is not there; run in cqlsh: CREATE KEYSPACE {keyspace} WITH" in found
    plain.session.execute(found.partition("cqlsh: ")[2].rstrip(";"))
    assert "has no tables yet; run `identityd.py migrate`" in plain.problem(keyspace=keyspace)


def test_a_keyspace_that_knows_no_data_centre_is_a_problem(plain: Place) -> None:
    """All copies could be in one place, and a local majority would mean nothing."""
    change = "ALTER KEYSPACE {} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}"
    keyspace = migrated(plain.cluster)
    plain.session.execute(change.format(keyspace))
    found = plain.problem(keyspace=keyspace)
    assert "is replicated by SimpleStrategy, which knows no data centre" in found
    plain.session.execute(found.partition("cqlsh: ")[2].partition(";")[0])
    assert plain.check(keyspace=keyspace)[0] == 0


def test_tables_of_another_release_are_refused_as_the_daemon_would(plain: Place) -> None:
    """Older ones are migrated; with newer ones the newer release is started."""
    keyspace = migrated(plain.cluster)
    rows = f"{keyspace}.schema_migrations"
    plain.session.execute(
        f"INSERT INTO {rows} (part, version, name, serves_from, checksum) VALUES ('identityd', 99, 'x', 99, 'x')"  # noqa: S608
    )
    assert "start the newer release" in plain.problem(keyspace=keyspace)
    plain.session.execute(f"DELETE FROM {rows} WHERE part = 'identityd'")  # noqa: S608
    assert "run `identityd.py migrate`" in plain.problem(keyspace=keyspace)


def test_looking_changes_nothing(plain: Place) -> None:
    """It is run beside daemons that serve, by people who only want to know."""
    tables = plain.session.cluster.metadata.keyspaces[plain.options["keyspace"]].tables

    def rows() -> list[object]:
        return [list(plain.session.execute(f"SELECT * FROM {plain.options['keyspace']}.{name}")) for name in tables]  # noqa: S608

    before = rows()
    plain.check()
    assert tables
    assert rows() == before


@pytest.mark.nightly
def test_several_data_centres_and_the_loss_of_one_are_told(start_cassandra: StartCassandra, tmp_path: Path) -> None:
    """Uniqueness that ends at the border of a data centre, a keyspace that is elsewhere, a node that is gone."""
    place = placed(start_cassandra(dcs=["DC1", "DC2"]), tmp_path)
    assert place.check()[0] == 0
    assert "local-serial with copies in DC1 and DC2" in place.problem(serial_consistency="local-serial")
    change = f"ALTER KEYSPACE {place.options['keyspace']} WITH replication = "
    place.session.execute(f"{change} {{'class': 'NetworkTopologyStrategy', 'DC2': 1}}")
    found = place.problem()
    assert f"has no copy in DC1; run in cqlsh: {change}" in found
    place.session.execute(found.partition("cqlsh: ")[2].partition(";")[0])
    place.cluster.kill(1)
    code, lines = place.check()
    assert code == 2
    assert "cassandra 127.0.0.2 in DC2: connection refused; only if it is down" in "".join(lines)
    assert "nobody can sign up until" in "".join(lines)


@contextmanager
def listening(answer: bytes, context: ssl.SSLContext | None = None) -> Iterator[str]:
    """Give the address of something that answers each connection with these bytes."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with suppress(OSError), connection:
                    spoken = context.wrap_socket(connection, server_side=True) if context else connection
                    with spoken:
                        spoken.recv(9)
                        spoken.sendall(answer)

        thread = Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
