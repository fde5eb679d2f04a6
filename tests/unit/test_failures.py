"""What follows when a memcached does not answer, over the whole table."""

from itertools import product

import pytest

from identity.stores.failures import Origin, Step, Trouble, after


@pytest.mark.parametrize(("trouble", "origin"), [*product(Trouble, Origin)])
def test_only_a_new_connection_can_put_a_node_to_rest(trouble: Trouble, origin: Origin) -> None:
    """One silent connection would put off everybody; and a node that hangs must cost one thread, not all."""
    step = after(trouble, origin)

    assert (step is Step.REST) == (trouble is Trouble.SILENT and origin is Origin.NEW)
    assert (step is Step.PROVE) == (trouble is Trouble.SILENT and origin is Origin.KEPT)


@pytest.mark.parametrize("origin", Origin)
def test_what_was_answered_is_not_asked_again(origin: Origin) -> None:
    """A node that answers nonsense, or that it cannot, would be asked twice by everybody."""
    again = {Step.PROVE, Step.RENEW, Step.AGAIN}

    assert after(Trouble.NONSENSE, origin) not in again
    assert after(Trouble.UNABLE, origin) not in again
    assert after(Trouble.BUSY, origin) is Step.NOTHING
