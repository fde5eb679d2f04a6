"""What follows when a memcached does not answer, over the whole table."""

from itertools import product

import pytest

from identity.stores.failures import NextStep, NodeTrouble, Origin, after


@pytest.mark.parametrize(("trouble", "origin"), [*product(NodeTrouble, Origin)])
def test_only_a_new_connection_can_put_a_node_to_rest(trouble: NodeTrouble, origin: Origin) -> None:
    """One silent connection would put off everybody; and a node that hangs must cost one thread, not all."""
    step = after(trouble, origin)

    assert (step is NextStep.REST) == (trouble is NodeTrouble.SILENT and origin is Origin.NEW)
    assert (step is NextStep.PROVE) == (trouble is NodeTrouble.SILENT and origin is Origin.KEPT)


@pytest.mark.parametrize("origin", Origin)
def test_what_was_answered_is_not_asked_again(origin: Origin) -> None:
    """A node that answers nonsense, or that it cannot, would be asked twice by everybody."""
    again = {NextStep.PROVE, NextStep.RENEW, NextStep.AGAIN}

    assert after(NodeTrouble.NONSENSE, origin) not in again
    assert after(NodeTrouble.UNABLE, origin) not in again
    assert after(NodeTrouble.BUSY, origin) is NextStep.NOTHING
