"""Which node holds a key: fixed for ever, by names alone, with little moving."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.stores.rendezvous import Rendezvous

KEYS = [f"s1:{n:016d}" for n in range(3_000)]

VECTORS = ["two", "two", "two", "two", "three", "one", "one", "three", "three", "two", "one", "two"]

NODES = st.lists(st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True), min_size=2, max_size=6, unique=True)
KEY = st.from_regex(r"[!-~]{1,40}", fullmatch=True)


def test_the_choice_never_changes() -> None:
    """A release that chose otherwise would log everybody out, and find old records where they once were."""
    ring = Rendezvous(["one", "two", "three"])

    chosen = [ring.node_of(f"s1:{n}") for n in range(12)]

    assert chosen == VECTORS


def test_every_node_gets_its_share() -> None:
    """An uneven choice would fill one memcached while the others are empty."""
    shares = Counter(map(Rendezvous(["one", "two", "three"]).node_of, KEYS))

    assert all(850 < share < 1_150 for share in shares.values())
    assert len(shares) == 3


@given(NODES, KEY)
def test_the_order_of_the_nodes_does_not_matter(names: list[str], key: str) -> None:
    """Two daemons may list the same nodes in another order."""
    assert Rendezvous(names).node_of(key) == Rendezvous(sorted(names, reverse=True)).node_of(key)


@given(NODES, KEY)
def test_a_node_that_leaves_moves_only_its_own_keys(names: list[str], key: str) -> None:
    """People on the other nodes stay logged in."""
    before = Rendezvous(names).node_of(key)

    after = Rendezvous(names[1:]).node_of(key)

    assert before in (after, names[0])


def test_a_node_that_joins_takes_its_share_and_nothing_else() -> None:
    """Three quarters of the people stay logged in when a fourth node joins three."""
    before, after = Rendezvous("abc"), Rendezvous("abcd")

    moved = [key for key in KEYS if before.node_of(key) != after.node_of(key)]

    assert {after.node_of(key) for key in moved} == {"d"}
    assert 600 < len(moved) < 900


def test_names_are_told_apart_from_keys() -> None:
    """The end of a name and the beginning of a key must not be taken for each other."""
    ring = Rendezvous(["a", "ab"])
    swapped = {ring.node_of(f"b{n}") == ring.node_of(f"{n}") for n in range(100)}

    assert swapped == {True, False}


def test_one_node_holds_everything() -> None:
    """The usual small installation."""
    assert Rendezvous(["only"]).node_of("anything") == "only"


@pytest.mark.parametrize("names", [[], [""], ["a", "a"], ["a", ""]])
def test_nodes_need_names_of_their_own(names: list[str]) -> None:
    """Two nodes of one name would share keys, and each lose half of them."""
    with pytest.raises(ValueError, match="names"):
        Rendezvous(names)
