"""What is said about the cluster that holds the accounts, and what to do about it.

Owns the words; `identity/stores/cassandra/inspection.py` owns the questions. Must not connect to
anything itself or change anything.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from identity.cli.findings import Finding, ok, problem, warning
from identity.cli.saying import counted
from identity.config import Config
from identity.config.cassandra import CassandraSection
from identity.config.values import join_host
from identity.errors import ConfigError
from identity.stores.cassandra.greeting import HandshakeRefusal, Unreachable
from identity.stores.cassandra.inspection import (
    BY_DATA_CENTRE,
    ClusterNode,
    ClusterReached,
    Inspection,
    Keyspace,
    LoginRefused,
    Unreached,
    inspect,
)
from identity.stores.cassandra.migrations import Migrations
from identity.stores.cassandra.settings import SerialConsistency

_ENOUGH: Final = 3
"""Copies with which any one node of a data centre may be down."""

_SAID: Final = {
    Unreachable.NO_ADDRESS: "[cassandra] contact_points: {where} has no address ({reason}); correct it",
    Unreachable.SILENT: "cassandra {where}: {reason}; start it there, or correct [cassandra] contact_points",
    Unreachable.NOT_CASSANDRA: "cassandra {where}: something else answers there; correct [cassandra] contact_points",
    Unreachable.WANTS_TLS: "[cassandra] tls_ca: is empty and {where} speaks TLS only; name the nodes' CA",
    Unreachable.NO_TLS: "[cassandra] tls_ca: is given and {where} speaks no TLS ({reason}); set "
    "client_encryption_options in its cassandra.yaml",
    Unreachable.UNTRUSTED: "[cassandra] tls_ca: {ca} does not vouch for the certificate of {where} ({reason}); name "
    "the CA that issued it, or renew it",
    Unreachable.OTHER_NAME: "cassandra {where}: its certificate is for another name ({reason}); issue one that holds "
    "this very address, because nodes are reached by address",
    Unreachable.CLIENT_CERTIFICATE: "[cassandra] tls_certificate: {where} refuses {certificate} ({reason}); it must be "
    "valid, issued for clients, by a CA in the node's truststore",
}
_NO_CERTIFICATE: Final = (
    "[cassandra] tls_certificate: is empty and {where} asks for a client certificate; give tls_certificate and tls_key"
)


def of_cluster(config: Config) -> Iterator[Finding]:
    """Ask the cluster what is asked of it later: TLS, the role, data centres, keyspace and tables."""
    from identity.opening import cassandra_settings

    try:
        found = inspect(cassandra_settings(config), Migrations().check)
    except ConfigError as error:
        yield from map(problem, error.problems)
        return
    yield from said_of(found, config.cassandra)


def said_of(found: Inspection, given: CassandraSection) -> Iterator[Finding]:
    """Yield the lines about an inspection. Pure."""
    outcome = found.outcome
    reached = {node.address for node in outcome.nodes} if isinstance(outcome, ClusterReached) else set()
    for point in found.points:
        if point.refusal and point.address not in reached:
            say = problem if isinstance(outcome, Unreached) or _ours(point.refusal) else warning
            yield say(_refusal(join_host(point.address, point.port), point.refusal, given))
    match outcome:
        case Unreached():
            return
        case LoginRefused():
            yield _login(outcome, given)
        case ClusterReached():
            yield from _nodes(outcome, given)
            yield from _keyspace(outcome, given)


def _ours(refusal: HandshakeRefusal) -> bool:
    """Tell whether the configuration has to change, rather than the node to be started."""
    return refusal.trouble is not Unreachable.SILENT


def _refusal(where: str, refusal: HandshakeRefusal, given: CassandraSection) -> str:
    said = _SAID[refusal.trouble]
    if refusal.trouble is Unreachable.CLIENT_CERTIFICATE and not given.tls_certificate:
        said = _NO_CERTIFICATE
    return said.format(where=where, reason=refusal.reason, ca=given.tls_ca, certificate=given.tls_certificate)


def _login(refused: LoginRefused, given: CassandraSection) -> Finding:
    if refused.reason:
        return problem(f"cassandra: the nodes answer, and no session begins: {refused.reason}; look into their logs")
    if not given.username:
        return problem("[cassandra] username: is empty and the cluster asks for a role; give username and password")
    return problem(
        f"[cassandra] password: the cluster does not let {given.username} in with it; correct username or password"
    )


def _nodes(reached: ClusterReached, given: CassandraSection) -> Iterator[Finding]:
    for node in reached.nodes:
        yield _node(node, given)
    if len(versions := sorted({node.version for node in reached.nodes})) > 1:
        yield warning(
            f"cassandra: its nodes are of versions {', '.join(versions)}; finish the upgrade before `migrate`"
        )
    centres = reached.data_centres
    if given.local_data_centre not in centres:
        there = ", ".join(f"{name} ({counted(nodes, 'node')})" for name, nodes in centres.items())
        yield problem(
            f"[cassandra] local_data_centre: the cluster has no {given.local_data_centre}; it has {there}; "
            "capitals matter"
        )


def _node(node: ClusterNode, given: CassandraSection) -> Finding:
    where = f"cassandra {node.address} in {node.data_centre}"
    match node.refusal:
        case None:
            return ok(f"{where}: version {node.version}")
        case HandshakeRefusal(trouble=Unreachable.SILENT, reason=reason) if node.data_centre == given.local_data_centre:
            return warning(f"{where}: {reason}; start it, for another one down may stop sign-ups and logins")
        case HandshakeRefusal(trouble=Unreachable.SILENT, reason=reason):
            return warning(f"{where}: {reason}; only if it is down, and not just out of reach from here, start it")
        case refusal:
            return problem(_refusal(node.address, refusal, given))


def _keyspace(reached: ClusterReached, given: CassandraSection) -> Iterator[Finding]:
    there, name = reached.keyspace, f"[cassandra] keyspace: {given.keyspace}"
    if there is None:
        yield problem(f"{name} is not there; run in cqlsh: CREATE {_statement(reached, given)}")
        return
    misplaced = [*_placed(there, reached, given)]
    wrong = [*misplaced, *_lacking(there, given), *map(problem, there.tables)]
    if there.silent and not misplaced:  # else that is why
        wrong.append(
            problem(
                f"cassandra: {given.keyspace} cannot be read as a sign-up begins: {there.silent}; nobody can sign up "
                "until that is put right"
            )
        )
    yield from wrong
    yield from _sparse(there, reached, given)
    if not wrong:
        copies = ", ".join(f"{number} in {centre}" for centre, number in sorted(there.copies.items()))
        yield ok(f"keyspace {given.keyspace}: copies {copies}; its tables fit, and a majority answers")


def _placed(there: Keyspace, reached: ClusterReached, given: CassandraSection) -> Iterator[Finding]:
    """Where the copies are."""
    name, change = f"[cassandra] keyspace: {given.keyspace}", f"ALTER {_statement(reached, given)}"
    if there.strategy != BY_DATA_CENTRE:
        yield problem(
            f"{name} is replicated by {there.strategy}, which knows no data centre; run in cqlsh: {change} then "
            f"`nodetool repair --full {given.keyspace}` on every node"
        )
    elif given.local_data_centre in reached.data_centres and not there.copies.get(given.local_data_centre):
        yield problem(
            f"{name} has no copy in {given.local_data_centre}; run in cqlsh: {change} then `nodetool rebuild` on its "
            "nodes"
        )
    if given.serial_consistency is SerialConsistency.LOCAL_SERIAL and len(there.copies) > 1:
        yield problem(
            f"[cassandra] serial_consistency: local-serial with copies in {' and '.join(sorted(there.copies))} gives "
            "the same name to one person in each; write serial"
        )


def _lacking(there: Keyspace, given: CassandraSection) -> Iterator[Finding]:
    """What the role may not do."""
    if there.lacking:
        grants = " ".join(f'GRANT {each} ON KEYSPACE {given.keyspace} TO "{given.username}";' for each in there.lacking)
        lacking = " and ".join(there.lacking)
        yield problem(f"[cassandra] username: {given.username} lacks {lacking}; run in cqlsh: {grants}")


def _sparse(there: Keyspace, reached: ClusterReached, given: CassandraSection) -> Iterator[Finding]:
    """What the loss of one node costs."""
    local, nodes = given.local_data_centre, reached.data_centres.get(given.local_data_centre, 0)
    copies = there.copies.get(local, 0)
    if 0 < copies < min(_ENOUGH, nodes):
        yield warning(
            f"[cassandra] keyspace: {given.keyspace} has {counted(copies, 'copy')} in {local} with its "
            f"{counted(nodes, 'node')}; with {_ENOUGH} any one may be down: ALTER {_statement(reached, given)}"
        )
    if sum(there.copies.values()) == 1 and reached.commitlog_sync in ("periodic", ""):
        syncs = "is periodic" if reached.commitlog_sync else "cannot be read by this role"
        yield warning(
            f"cassandra: there is one copy, and commitlog_sync {syncs}; with periodic a node that dies loses its last "
            "0.1 s or so of confirmed sign-ups; write commitlog_sync: batch (or group) into its cassandra.yaml"
        )


def _statement(reached: ClusterReached, given: CassandraSection) -> str:
    return f"KEYSPACE {given.keyspace} WITH replication = {_replication(reached.data_centres)};"


def _replication(data_centres: Mapping[str, int]) -> str:
    copies = "".join(f", '{name}': {min(nodes, _ENOUGH)}" for name, nodes in data_centres.items())
    return f"{{'class': '{BY_DATA_CENTRE}'{copies}}}"
