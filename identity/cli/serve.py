"""`serve`: the daemon, and what `demo` shares with it.

Owns the order of a start: configuration, log, warnings, then the application.
"""

import faulthandler
import gc
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from identity.cli.failing import of_store
from identity.cli.options import config_option, overrides, port_options

if TYPE_CHECKING:
    from identity.config import Config
    from identity.web.process.handed import Handed


@click.command()
@config_option
@port_options
def serve(path: Path, port: int | None, internal_port: int | None) -> None:
    """Serve until told to stop.

    All problems of the configuration are printed at once and nothing is started (exit code 2).
    The log goes to standard error: text on a terminal, JSON elsewhere ([server] log_format).

    \b
    Examples:
      identityd.py serve
      identityd.py serve --config /etc/identityd/identityd.ini
      identityd.py serve --port 9000           the internal listener is then on 9001

    \b
    Signals:
      SIGHUP             read the configuration, the key ring and the TLS certificate again
      SIGUSR2            let a successor take over without a refused request: see `upgrade`
      SIGTERM, SIGINT    take no new requests, answer those under way, stop
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    from identity import config

    taken, given = handed_down(), overrides(port, internal_port)
    read = partial(config.load, path, environ=os.environ, overrides=given)
    run(read(), read, handed=taken)


def handed_down() -> "Handed":
    """Return what the program that started this process handed down. Raises ConfigError for sockets that will not do.

    From here on SIGUSR2, which asks for a takeover, ends nothing.
    """
    from identity.web.process import handed

    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    return handed.take(os.environ)


def run(
    config: "Config",
    reread: "Callable[[], Config]",
    *,
    ready: Callable[[], None] = lambda: None,
    handed: "Handed | None" = None,
) -> None:
    """Serve with a configuration; `ready` is called when both listeners accept connections, `reread` at SIGHUP.

    A loop that hangs is ended by its supervisor with SIGABRT; where it hung is then on standard error.

    Raises:
        ConfigError: this machine's clock cannot be right.
        ClickException: the account file cannot be opened; exit code 1.
    """

    def started() -> None:
        gc.freeze()
        gc.enable()
        ready()

    # What a start makes stays. To look through it for garbage is a twentieth of the start, and would later,
    # were it not frozen, hold up every answer under way.
    gc.disable()
    if sys.__stderr__ is not None:  # the program that starts us may have closed it
        faulthandler.enable(sys.__stderr__)
    try:
        _serve(config, reread, started, handed=handed)
    finally:
        gc.enable()


def _serve(
    config: "Config", reread: "Callable[[], Config]", ready: Callable[[], None], *, handed: "Handed | None"
) -> None:
    import logging

    from identity import app
    from identity.errors import StoreError
    from identity.opening import require_time
    from identity.reloading import Rereading

    require_time(config)
    _log_by(config, config)
    for warning in config.warnings:
        logging.getLogger("identity.config").warning("%s", warning)
    try:
        app.serve(config, rereading=Rereading(reread, _log_by), ready=ready, handed=handed)
    except StoreError as error:
        what = f"the account file {config.sqlite.file} cannot be opened"
        raise of_store(what, error, "; docs/operations.md says what to do") from None


def _log_by(before: "Config", config: "Config") -> None:
    """Make the log what a configuration wants; what was secret before may still be in use."""
    from identity import log

    server = config.server
    secrets = (*before.secrets(), *config.secrets())
    log.configure(level=server.log_level.value, form=server.log_format.value, secrets=secrets)
