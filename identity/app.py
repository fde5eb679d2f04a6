"""The composition root: from a configuration to a daemon that serves.

With `composing.py` the only module that knows all parts; other code is given the two or three
values it needs. Invariant: whatever was started is closed again in reverse order, also when
something later in the start fails.
"""

import logging
import platform
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import uvloop

from identity import __version__
from identity.composing import Parts, Standing, in_force
from identity.config import Config
from identity.housekeeping import Housekeeping
from identity.machine import daemon, hindrance, places
from identity.metrics import Metrics
from identity.outbound.circuit import Circuit
from identity.outbound.client import Called, OutboundClient
from identity.outside import outbound_rules
from identity.reloading import Reloading, Rereading
from identity.web.process.handed import Handed
from identity.web.server import Daemon, Ports, run
from identity.web.state.context import Context

log = logging.getLogger("identity.app")


@dataclass(frozen=True, slots=True)
class Composed:
    """The services of a daemon, without its listeners."""

    standing: Standing
    housekeeping: Housekeeping

    @property
    def context(self) -> Context:
        """What handlers are given."""
        return self.standing.in_force.context


@dataclass(frozen=True, slots=True)
class Built:
    """A composed daemon, and the parts that are closed with it."""

    daemon: Daemon
    standing: Standing
    housekeeping: Housekeeping


def serve(
    config: Config, *, rereading: Rereading, ready: Callable[[], None] = lambda: None, handed: Handed | None = None
) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        config: what was configured.
        rereading: what happens at SIGHUP.
        ready: called when both listeners accept connections.
        handed: what the program that started this process handed down.

    Raises:
        ConfigError: an address cannot be bound, or a file named in the configuration cannot be used.
        StoreUnavailable: the account file cannot be opened.
    """
    uvloop.run(_serve(config, rereading, ready, handed or Handed()))


async def _serve(config: Config, rereading: Rereading, ready: Callable[[], None], handed: Handed) -> None:
    def bound(_: Ports) -> None:
        url, python = config.server.public_url, platform.python_version()
        log.info("identityd %s on Python %s serves %s: %s", __version__, python, url, places(config))
        ready()

    with ExitStack() as closing:
        metrics = Metrics()
        client = client_for(config, metrics)
        try:
            built = build(config, client, closing, Parts(metrics=metrics, sockets=handed.sockets))
            if not config.demo:  # its provider is not called over http
                client.prepare(built.standing.in_force.context.providers)
            built.housekeeping.start()
            closing.callback(built.housekeeping.stop)
            status = f"version {__version__} serves {config.server.public_url}"
            client_by = partial(client_for, metrics=metrics)
            reloading = Reloading(
                built.standing, built.daemon, built.housekeeping, rereading=rereading, client_for=client_by
            )
            if handed.predecessor:
                context = built.standing.in_force.context
                await handed.predecessor.prove(partial(context.durable.run, context.probes))
            why = hindrance(config)
            try:
                await run(built.daemon, ready=bound, reload=reloading, handed=handed, status=status, hindrance=why)
            finally:
                await reloading.stopped()
        finally:
            await client.aclose()


def build(config: Config, client: OutboundClient, closing: ExitStack, parts: Parts) -> Built:
    """Compose a daemon; what must be closed is left with `closing`. Must be called on the event loop."""
    made = compose(config, client, closing, parts)
    return Built(daemon(config, made.context, sockets=parts.sockets), made.standing, made.housekeeping)


def compose(config: Config, client: OutboundClient, closing: ExitStack, parts: Parts) -> Composed:
    """Compose the services; what must be closed is left with `closing`."""
    standing = Standing(config, closing, parts)
    standing.take(in_force(config, client, standing))
    context = standing.in_force.context
    for name in context.providers:
        _up(parts.metrics, name, Circuit())
    chores = Housekeeping(
        standing.watching,
        accounts=context.accounts,
        sessions=context.sessions,
        counted=standing.clearing.counted,
        tidy=standing.tokens.save_all,
    )
    return Composed(standing, chores)


def client_for(config: Config, metrics: Metrics) -> OutboundClient:
    """Return a client to the outside by the limits of a configuration, which counts its calls."""
    return OutboundClient(outbound_rules(config), on_call=partial(_called, metrics), on_circuit=partial(_up, metrics))


def _called(metrics: Metrics, call: Called) -> None:
    metrics.count("identityd_provider_calls_total", provider=call.provider, outcome=call.outcome)
    metrics.observe("identityd_provider_bytes", call.sent + call.received, provider=call.provider)


def _up(metrics: Metrics, provider: str, circuit: Circuit) -> None:
    metrics.set("identityd_provider_up", int(circuit.closed), provider=provider)
