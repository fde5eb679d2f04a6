"""What `check-config` says about clusters that no test can start: of two releases, of many machines."""

import pytest

from identity.cli.findings import Level
from identity.cli.probes_cassandra import said_of
from identity.config import CassandraSection
from identity.stores.cassandra.greeting import HandshakeRefusal, Unreachable
from identity.stores.cassandra.inspection import (
    BY_DATA_CENTRE,
    ClusterNode,
    ClusterReached,
    Inspection,
    Keyspace,
    LoginRefused,
    Point,
    Unreached,
)

GIVEN = CassandraSection(local_data_centre="dc1")
SILENT = HandshakeRefusal(Unreachable.SILENT, "timed out")


def nodes(*centres: str, version: str = "5.0.9", refusal: HandshakeRefusal | None = None) -> tuple[ClusterNode, ...]:
    """Return a node in each of these data centres."""
    return tuple(ClusterNode(f"10.0.0.{i}", centre, version, refusal) for i, centre in enumerate(centres, start=1))


def lines(reached: ClusterReached, *points: Point) -> list[tuple[Level, str]]:
    """Return what is said."""
    return [(finding.level, finding.text) for finding in said_of(Inspection(points, reached), GIVEN)]


def reached(there: tuple[ClusterNode, ...], commitlog_sync: str = "periodic", **copies: int) -> ClusterReached:
    """Return a cluster whose keyspace has these copies and whose tables fit."""
    return ClusterReached(there, commitlog_sync, Keyspace(BY_DATA_CENTRE, copies))


def test_three_copies_need_no_remark() -> None:
    """Warnings that are always there are not read."""
    found = lines(reached(nodes("dc1", "dc1", "dc1"), dc1=3))
    assert [level for level, _ in found] == [Level.OK] * 4
    assert found[-1][1] == "keyspace identityd: copies 3 in dc1; its tables fit, and a majority answers"


def test_copies_that_cannot_spare_a_node_are_warned_about() -> None:
    """With two, one node's restart stops every sign-up, though a third stands beside them."""
    found = [text for level, text in lines(reached(nodes("dc1", "dc1", "dc1"), dc1=2)) if level is Level.WARNING]
    assert found == [
        (
            "[cassandra] keyspace: identityd has 2 copies in dc1 with its 3 nodes; with 3 any one may be down: "
            "ALTER KEYSPACE identityd WITH replication = {'class': 'NetworkTopologyStrategy', 'dc1': 3};"
        )
    ]


@pytest.mark.parametrize(("sync", "warned"), [("periodic", True), ("", True), ("batch", False), ("group", False)])
def test_one_copy_is_safe_where_the_log_is_written_first(sync: str, *, warned: bool) -> None:
    """Whoever follows the advice stops being warned."""
    found = lines(reached(nodes("dc1"), sync, dc1=1))
    assert any(level is Level.WARNING and "commitlog_sync" in text for level, text in found) is warned


def test_nodes_of_two_releases_are_a_warning() -> None:
    """Tables must not change in the middle of an upgrade."""
    there = (*nodes("dc1"), *nodes("dc1", version="4.1.3"))
    assert (
        Level.WARNING,
        "cassandra: its nodes are of versions 4.1.3, 5.0.9; finish the upgrade before `migrate`",
    ) in lines(reached(there, dc1=2))


@pytest.mark.parametrize(
    ("centre", "remedy"), [("dc1", "start it, for another one down"), ("dc2", "only if it is down")]
)
def test_a_node_that_is_silent_matters_more_when_it_is_near(centre: str, remedy: str) -> None:
    """Networks of other data centres are often out of reach, and rightly so."""
    far = ClusterNode("10.0.1.1", centre, "5.0.9", SILENT)
    (found,) = (text for level, text in lines(reached((*nodes("dc1"), far), dc1=3)) if "10.0.1.1" in text)
    assert f"{centre}: timed out; {remedy}" in found


def test_a_node_found_through_others_with_a_wrong_certificate_is_a_problem() -> None:
    """The contact point is fine, and the daemon would use one node of all."""
    wrong = ClusterNode("10.0.1.1", "dc1", "5.0.9", HandshakeRefusal(Unreachable.OTHER_NAME, "mismatch"))
    found = lines(reached((*nodes("dc1"), wrong), dc1=2))
    assert (
        Level.PROBLEM,
        (
            "cassandra 10.0.1.1: its certificate is for another name (mismatch); issue one that holds this very "
            "address, because nodes are reached by address"
        ),
    ) in found


def test_a_contact_point_the_cluster_does_not_know_is_told() -> None:
    """A retired machine in the list costs a time-out at each start, and one with no address is a mistake."""
    retired, mistyped = (
        Point("10.9.9.9", 9042, SILENT),
        Point("db", 9042, HandshakeRefusal(Unreachable.NO_ADDRESS, "not known")),
    )
    found = lines(reached(nodes("dc1"), "batch", dc1=1), retired, mistyped)
    assert found[:2] == [
        (Level.WARNING, "cassandra 10.9.9.9:9042: timed out; start it there, or correct [cassandra] contact_points"),
        (Level.PROBLEM, "[cassandra] contact_points: db:9042 has no address (not known); correct it"),
    ]


def test_a_cluster_nobody_reaches_is_a_problem_at_each_point() -> None:
    """And nothing is said of what could not be seen."""
    found = [*said_of(Inspection((Point("10.0.0.1", 9042, SILENT),), Unreached()), GIVEN)]
    assert [finding.level for finding in found] == [Level.PROBLEM]


def test_a_session_that_ends_for_another_reason_is_not_the_passwords_fault() -> None:
    """An overloaded node must not send an operator to change passwords."""
    found = [*said_of(Inspection((), LoginRefused("no answer in time")), GIVEN)]
    assert "no session begins: no answer in time" in found[0].text


def test_copies_that_do_not_answer_are_a_problem_unless_they_are_misplaced() -> None:
    """One cause, one line."""
    silent = Keyspace(BY_DATA_CENTRE, {"dc1": 3}, silent="1 of 2 replicas")
    elsewhere = Keyspace(BY_DATA_CENTRE, {"dc2": 3}, silent="1 of 2 replicas")
    there = nodes("dc1", "dc2")
    for keyspace, said in ((silent, "1 of 2 replicas; nobody can sign up"), (elsewhere, "has no copy in dc1")):
        (found,) = (text for level, text in lines(ClusterReached(there, "batch", keyspace)) if level is Level.PROBLEM)
        assert said in found
