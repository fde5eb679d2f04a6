"""SIGHUP: the configuration is read again, and what may change while a daemon runs changes as a whole, or not at all.

Owns the order. On a thread, where waiting holds up no request: read and check the file as a start does, compare it
with what is in force (`config/changes.py` decides), compose what follows. On the event loop, in one turn: the
certificate, the key ring, and the exchange. What can fail comes first; a failure leaves everything as it is, the key
ring too. Requests under way end with what they began with. SIGHUP during all this is heard: once more afterwards.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from identity.composing import InForce, Standing, in_force
from identity.config import Config
from identity.config.changes import Changes, compare
from identity.config.rules import problems_of
from identity.errors import ConfigError
from identity.housekeeping import Housekeeping
from identity.keyring import KeyRing
from identity.metrics import Metrics
from identity.outbound.client import OutboundClient
from identity.web.server import Daemon

log = logging.getLogger("identity.reloading")

APPLIED: Final = "applied"
UNCHANGED: Final = "unchanged"
REFUSED: Final = "refused"


@dataclass(frozen=True, slots=True)
class Rereading:
    """How a configuration is read again, and what else follows it."""

    read: Callable[[], Config]
    """Reads it. Raises ConfigError with every problem."""
    log_by: Callable[[Config, Config], None]
    """Makes the log what the second one wants; secrets of both are blotted out."""


@dataclass(frozen=True, slots=True)
class _Prepared:
    changes: Changes
    ring: KeyRing
    made: InForce | None
    """None where nothing can be exchanged."""


class Reloading:
    """What SIGHUP calls. Lives on the event loop.

    Args:
        standing, daemon, chores: what goes on with another configuration.
        rereading: how it is read.
        client_for: makes the client to the outside.
    """

    def __init__(
        self,
        standing: Standing,
        daemon: Daemon,
        chores: Housekeeping,
        *,
        rereading: Rereading,
        client_for: Callable[[Config], OutboundClient],
    ) -> None:
        self._standing = standing
        self._daemon = daemon
        self._chores = chores
        self._rereading = rereading
        self._client_for = client_for
        self._asked = False
        self._done: Callable[[], None] = lambda: None
        self._task: asyncio.Task[None] | None = None
        self._metrics.set("identityd_config_restart_needed", 0)

    def __call__(self, done: Callable[[], None]) -> None:
        """Begin, or begin once more when what is under way is done; in the end `done` is called."""
        self._asked, self._done = True, done
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    @property
    def _metrics(self) -> Metrics:
        return self._standing.parts.metrics

    async def stopped(self) -> None:
        """Leave what is under way, and close the client that is in force."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self._standing.in_force.client.aclose()

    async def _run(self) -> None:
        while self._asked:
            self._asked = False
            await self._reload()
        self._task = None
        self._done()

    async def _reload(self) -> None:
        try:
            prepared = await asyncio.to_thread(self._prepare)
            retired = self._exchange(prepared)
        except ConfigError as error:
            self._refuse(error.problems)
        except Exception:
            log.exception("reload-failed: the configuration is as it was")
            self._refuse(("[file] reading it again failed; the log says where",))
        else:
            self._say(prepared.changes)
            if retired:
                await retired.retire()

    def _prepare(self) -> _Prepared:
        before = self._standing.in_force
        changes = compare(before.config, self._rereading.read())
        ring = self._standing.ring.read_again()
        if not changes.now:
            return _Prepared(changes, ring, None)
        if problems := tuple(problems_of(changes.config)):
            waiting = ", ".join(changes.waiting)
            raise ConfigError(tuple(f"{each} (as long as a restart is needed for {waiting})" for each in problems))
        client = self._client_for(changes.config)
        made = in_force(changes.config, client, self._standing, before=before)
        if not changes.config.demo:
            client.prepare(made.context.providers)
        return _Prepared(changes, ring, made)

    def _exchange(self, prepared: _Prepared) -> OutboundClient | None:
        """Put it in force; return what was used before. Raises ConfigError while everything is as it was."""
        standing, server = self._standing, prepared.changes.config.server
        if standing.alone:
            standing.alone.renew()
        self._daemon.certify(server.tls_certificate, server.tls_key)
        standing.ring.take(prepared.ring)
        made = prepared.made
        if made is None:
            return None
        before = standing.in_force
        standing.take(made)
        self._daemon.exchange(made.context)
        self._chores.use(made.context.accounts, made.context.sessions)
        self._rereading.log_by(before.config, made.config)
        for name in {*before.context.providers, *made.context.providers}:
            self._metrics.set("identityd_provider_up", 1, provider=name)  # the new client has had no trouble yet
        return before.client

    def _say(self, changes: Changes) -> None:
        for line in changes.now:
            log.info("reloaded: %s", line)
        for line in changes.config.warnings if changes.now else ():
            log.warning("%s", line)
        if changes.waiting:
            log.warning("a restart is needed for %s", ", ".join(changes.waiting))
        log.info("reloaded")
        self._metrics.set("identityd_config_restart_needed", 1 if changes.waiting else 0)
        self._metrics.count("identityd_config_reloads_total", outcome=APPLIED if changes.now else UNCHANGED)
        self._standing.doubts = f"a restart is needed for {', '.join(changes.waiting)}" if changes.waiting else ""

    def _refuse(self, problems: Sequence[str]) -> None:
        for problem in problems:
            log.warning("nothing was reloaded: %s", problem)
        self._metrics.count("identityd_config_reloads_total", outcome=REFUSED)
        first, *more = problems
        rest = f" (and {len(more)} more, in the log)" if more else ""
        self._standing.doubts = (
            f"the file was refused at the last SIGHUP, and what was read before counts: {first}{rest}"
        )
