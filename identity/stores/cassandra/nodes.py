"""What is said about single nodes: once when one is lost, once when it is back.

Owns the words, and keeps the driver from saying the same at each of its attempts, every second and
with a traceback, for as long as an outage lasts (with `log_level = debug` it may).
"""

import logging
from collections.abc import Callable
from typing import Final

from cassandra.policies import HostStateListener
from cassandra.pool import Host

log = logging.getLogger("identity.stores.cassandra.nodes")

_TALKATIVE: Final = ("cassandra.cluster", "cassandra.pool", "cassandra.connection")
_SAID_BY_US: Final = ("Control connection failed to connect", "Error preparing query")


class NodeLog(HostStateListener):  # type: ignore[misc]  # the driver is untyped
    """Logs a node that is lost and one that is back.

    Args:
        lost: told of each loss; must not block.
    """

    def __init__(self, lost: Callable[[], None] = lambda: None) -> None:
        self._lost = lost

    def on_up(self, host: Host) -> None:
        """Say that it is used again."""
        log.info("cassandra node %s is used again", _named(host))

    def on_down(self, host: Host) -> None:
        """Say that it is not used."""
        log.warning("cassandra-node-lost: %s does not answer; others are asked, if there are any", _named(host))
        self._lost()

    def on_add(self, host: Host) -> None:
        """Nothing to say: the cluster's operator added it."""

    def on_remove(self, host: Host) -> None:
        """Nothing to say: the cluster's operator removed it."""


class _Repetitions(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        """Let an error pass unless a line of ours says the same; with DEBUG on, let everything pass."""
        if logging.getLogger(record.name).isEnabledFor(logging.DEBUG):
            return True
        return record.levelno >= logging.ERROR and not str(record.msg).startswith(_SAID_BY_US)


_REPETITIONS: Final = _Repetitions()


def quiet_driver() -> None:
    """Keep the driver from repeating itself in the log; twice is harmless."""
    for name in _TALKATIVE:
        logging.getLogger(name).addFilter(_REPETITIONS)


def _named(host: Host) -> str:
    return f"{host.address} ({host.datacenter})" if host.datacenter else str(host.address)
