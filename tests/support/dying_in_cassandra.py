"""Processes that change accounts in a real cluster and kill themselves, each at one checkpoint.

Run as `python -m tests.support.dying_in_cassandra HOST PORT DATA_CENTRE`, with a `Death` in JSON on
each line of standard input. One process imports everything and forks for each death, before it has
a connection or a thread. The cluster's clock is real, so a claim's life is made short where it is to end.
"""

import json
import os
import signal
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from identity.accounts import claiming
from identity.stores.cassandra.settings import Settings
from identity.types import Millis
from tests.support.cassandra_accounts import opened
from tests.support.dying import Victim, change, kill_at, service

_AT_ONCE: Final = 3


@dataclass(frozen=True, slots=True)
class Death:
    """A change, where it is killed, and how long the claims it makes live."""

    keyspace: str
    change: str
    checkpoint: str
    tag: str
    at: Millis
    """The time on the dying process's clock."""
    claim_ttl_ms: Millis
    ended: str
    """The file that appears when sessions are ended."""

    def line(self) -> str:
        """Return it as the process reads it."""
        return json.dumps(asdict(self)) + "\n"


def _die(death: Death, node: tuple[str, int], data_centre: str) -> None:
    claiming.CLAIM_TTL_MS = death.claim_ttl_ms  # type: ignore[attr-defined]  # this process lives for one claim
    reached = Settings(contact_points=(node,), local_data_centre=data_centre, keyspace=death.keyspace)
    store = opened(reached, clock=lambda: death.at)
    accounts = service(store, ended=Path(death.ended), clock=lambda: death.at, checkpoint=kill_at(death.checkpoint))
    done = change(accounts, death.change, Victim(death.tag))
    sys.stderr.write(f"{death.change} was finished without reaching {death.checkpoint}: {done}\n")


def _forked(death: Death, node: tuple[str, int], data_centre: str) -> int:
    child = os.fork()
    if child == 0:
        try:
            _die(death, node, data_centre)
        finally:
            os._exit(1)  # nobody died: the driver's threads are not waited for
    return child


def _ends(deaths: Iterable[Death], node: tuple[str, int], data_centre: str) -> Iterator[int]:
    """Yield how each child ended; a few run at once."""
    alive = 0
    for death in deaths:
        if alive == _AT_ONCE:
            yield os.waitstatus_to_exitcode(os.wait()[1])
            alive -= 1
        _forked(death, node, data_centre)
        alive += 1
    for _ in range(alive):
        yield os.waitstatus_to_exitcode(os.wait()[1])


def main(host: str, port: str, data_centre: str) -> None:
    """Let everybody die; an error if somebody did not."""
    deaths = [Death(**json.loads(line)) for line in sys.stdin]
    survivors = [code for code in _ends(deaths, (host, int(port)), data_centre) if code != -signal.SIGKILL]
    sys.exit(f"{len(survivors)} of {len(deaths)} were not killed" if survivors else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
