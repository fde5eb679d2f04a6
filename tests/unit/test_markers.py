"""What a daemon thinks of a node by its marker."""

from identity.keyring import Purpose
from identity.stores.sealing import Sealer
from tests.support.caches import markers, ring
from tests.support.clock import NOON, ManualClock


def test_a_nodes_own_marker_is_right() -> None:
    """The order in which a daemon lists the nodes is its own affair."""
    assert markers("abc").problem("b", markers("cab").make("b")) == ""


def test_another_nodes_marker_names_the_node() -> None:
    """The operator must read which address is wrong."""
    problem = markers("abc").problem("a", markers("abc").make("b"))

    assert problem == "holds the marker of node b; check the addresses of the nodes"


def test_another_generation_is_named() -> None:
    """The operator must read that the node was not emptied, or that a daemon was not told."""
    problem = markers("ab", generation=7).problem("a", markers("ab", generation=4_294_967_295).make("a"))

    assert problem == "holds the marker of ring generation 4294967295, not 7"


def test_another_list_of_nodes_is_seen_in_the_same_generation() -> None:
    """Two daemons with other lists would look for one record in two places."""
    assert "other nodes" in markers("ab").problem("a", markers("abc").make("a"))


def test_names_do_not_run_into_each_other_in_the_list() -> None:
    """The lists (ab, c) and (a, bc) are two rings."""
    assert "other nodes" in markers(["x", "ab", "c"]).problem("x", markers(["x", "a", "bc"]).make("x"))


def test_another_installations_marker_is_foreign() -> None:
    """Its body tells nothing that could be believed."""
    problem = markers("a", keys=ring(1)).problem("a", markers("a", keys=ring(2)).make("a"))

    assert problem.startswith("holds a marker that this key ring did not write")


def test_a_record_is_no_marker() -> None:
    """Sealed by this installation, but for another purpose."""
    keys = ring()
    value = Sealer(lambda: keys, purpose=Purpose.RECORD, clock=ManualClock(NOON)).seal("n1", "n1:node", b"a")

    assert markers("a").problem("a", value).startswith("holds a marker that this key ring did not write")
