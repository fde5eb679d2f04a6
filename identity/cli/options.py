"""Options that several commands share, and what they mean to the configuration."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

PORT: Final = click.IntRange(1, 65_535)
CONFIG: Final = "identityd.ini"


def config_option(command: F) -> F:
    """Add `--config`."""
    return click.option(
        "-c",
        "--config",
        "path",
        type=click.Path(path_type=Path),
        default=CONFIG,
        show_default=True,
        envvar="IDENTITYD_CONFIG",
        help="The configuration file.",
    )(command)


def port_options(command: F) -> F:
    """Add `--port` and `--internal-port`."""
    internal = click.option(
        "--internal-port", type=PORT, help="Port of the internal listener, instead of [server] internal_port."
    )
    public = click.option("-p", "--port", type=PORT, help="Port of the public listener, instead of [server] port.")
    return public(internal(command))


def overrides(port: int | None, internal_port: int | None) -> dict[str, str]:
    """Return what the command line says in place of the file."""
    given = {"server.port": port, "server.internal_port": internal_port}
    return {name: str(value) for name, value in given.items() if value is not None}
