"""A Cassandra cluster on loopback: started whole, broken by tests, ended with them.

Invariant: after `start`, `restart` and `settle` log-ins work on every node that is neither killed nor
frozen; and if that is all of them, each sees all others.
"""

import secrets
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.support.cassandra.cql import ALL, ONE, NotReady, Probe
from tests.support.cassandra.node import Node
from tests.support.cassandra.settings import Plan, loopback
from tests.support.cassandra.tls import ServerTls
from tests.support.waiting import serving

if TYPE_CHECKING:
    from cassandra.cluster import Session

_READY_WITHIN_S: Final = 120.0
# Below what Linux gives to outgoing connections, which might otherwise take a port while its node is down.
_PORTS: Final = range(20_000, 32_000)
_ATTEMPTS: Final = 200
_RESERVED_AT: Final = "127.255.255.254"
_MOST_REPLICAS: Final = 3
SUPERUSER: Final = ("cassandra", "cassandra")
"""Name and password that a cluster with `auth` begins with."""


class CassandraCluster:
    """Nodes of one cluster, numbered from 0; call `start`, and `stop` at the end.

    Args:
        folder: for everything the nodes write.
        dcs: the data centre of each node.
        durable: lose no acknowledged write when a node is killed; otherwise the last second may go.
        hints: let a node that was away be told by the others what it missed; else only reads and repairs tell it.
        auth: ask for passwords; see `SUPERUSER`.
        tls: encrypt what clients say.
        java_options: further ones.
    """

    def __init__(
        self,
        folder: Path,
        *,
        dcs: Sequence[str] = ("DC1",),
        durable: bool = False,
        hints: bool = True,
        auth: bool = False,
        tls: ServerTls | None = None,
        java_options: tuple[str, ...] = (),
    ) -> None:
        hosts = loopback(len(dcs))
        self._reservations = [_reserve(hosts), _reserve(hosts)]
        cql_port, storage_port = (socket_.getsockname()[1] for socket_ in self._reservations)
        self.tls = tls
        self.plan: Final = Plan(tuple(dcs), cql_port, storage_port, durable=durable, hints=hints, auth=auth, tls=tls)
        self.nodes: Final = [
            Node(self.plan, index, folder=folder / f"node{index}", java_options=java_options)
            for index in range(len(dcs))
        ]
        self._administrator: Session | None = None

    @property
    def contact_points(self) -> list[tuple[str, int]]:
        """Host and port of every node, running or not."""
        return [(node.host, self.plan.cql_port) for node in self.nodes]

    @property
    def local_dc(self) -> str:
        """The data centre of the first node."""
        return self.plan.data_centres[0]

    def start(self) -> None:
        """Start all nodes that do not run and wait until they serve."""
        for node in self.nodes:
            node.spawn()
        self.settle()

    def kill(self, index: int = 0) -> None:
        """End a node at once; the others notice it after 10 to 25 seconds."""
        self._forget_administrator()
        self.nodes[index].kill()

    def restart(self, index: int = 0) -> None:
        """Kill a node, if it runs, and start it again with its data; wait until it serves."""
        self.kill(index)
        self.nodes[index].spawn()
        self.settle()

    def freeze(self, index: int = 0) -> None:
        """Make a node hang: it accepts connections and answers nothing."""
        self.nodes[index].freeze()

    def thaw(self, index: int = 0) -> None:
        """Let a frozen node go on; `settle` waits until the others, if they missed it, see it again."""
        self.nodes[index].thaw()

    def stop(self) -> None:
        """End all nodes at once and remove their data; nothing can be started afterwards."""
        self._forget_administrator()
        for node in self.nodes:
            node.kill()
            node.forget()
        for reservation in self._reservations:
            reservation.close()

    def settle(self) -> None:
        """Wait until all nodes that are neither killed nor frozen serve.

        Raises RuntimeError, with the end of the node's log, if one does not.
        """
        for node in self.nodes:
            if node.answering:
                self._wait(node)

    def _wait(self, node: Node) -> None:
        def failure() -> str:
            state = "is not ready" if node.running else "has ended"
            return f"Cassandra at {node.host} {state}:\n{node.log_end()}"

        serving(
            lambda: self._probe(node),
            alive=lambda: node.running,
            within_s=_READY_WITHIN_S,
            failure=failure,
            busy=(OSError, NotReady),
        )

    def _probe(self, node: Node) -> None:
        with Probe(node.host, self.plan.cql_port, self.client_context()) as probe:
            if not all(other.answering for other in self.nodes):
                return
            # Every node holds this table, so a read at ALL fails while any of them is taken for dead.
            table = "system_distributed.view_build_status WHERE keyspace_name = 'x' AND view_name = 'x'"
            probe.number(f"SELECT count(*) FROM {table}", consistency=ALL)  # noqa: S608 - a constant
            peers = probe.number("SELECT count(*) FROM system.peers_v2", consistency=ONE)
            if peers != len(self.nodes) - 1:
                raise NotReady(f"knows of {peers} other nodes")

    def client_context(self) -> ssl.SSLContext | None:
        """Return what a client needs to connect over TLS; None if the cluster has none."""
        return self.tls.client_context() if self.tls else None

    def session(self) -> "Session":
        """Return the administrator's session, opened when first asked for and again after a kill."""
        from tests.support.cassandra.driver import connect  # noqa: PLC0415 - .ci/services has no driver

        if self._administrator is None:
            self._administrator = connect(self, login=SUPERUSER if self.plan.auth else None)
        return self._administrator

    def fresh_keyspace(self) -> str:
        """Make an empty keyspace, on every node (three at most of a data centre), and return its name."""
        name = f"k{secrets.token_hex(5)}"
        centres = self.plan.data_centres
        copies = {centre: min(centres.count(centre), _MOST_REPLICAS) for centre in centres}
        replication: dict[str, Any] = {"class": "NetworkTopologyStrategy", **copies}
        self.session().execute(f"CREATE KEYSPACE {name} WITH replication = {replication}")
        return name

    def _forget_administrator(self) -> None:
        if self._administrator is not None:
            self._administrator.cluster.shutdown()
            self._administrator = None


def _reserve(hosts: Sequence[str]) -> socket.socket:
    """Return a socket whose port is free on all hosts, and which no other cluster takes while it is open.

    The socket itself is bound to an address no node has: the nodes need the port, and killed ones
    must get it back.
    """
    for _ in range(_ATTEMPTS):
        port = secrets.choice(_PORTS)
        reservation = socket.socket()
        try:
            reservation.bind((_RESERVED_AT, port))
            for host in hosts:
                with socket.socket() as attempt:
                    attempt.bind((host, port))
        except OSError:
            reservation.close()
        else:
            return reservation
    raise RuntimeError(f"no free port from {_PORTS.start} to {_PORTS.stop}")
