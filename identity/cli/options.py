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


def account_argument(command: F) -> F:
    """Add ACCOUNT, and the options that say what it is."""
    for name, what in (
        ("account", "ACCOUNT is an account id."),
        ("identity", "ACCOUNT is provider:id, spelt exactly as identityd shows it."),
        ("username", "ACCOUNT is a username."),
    ):
        command = click.option(f"--{name}", "how", flag_value=name, help=what)(command)
    return click.argument("account")(command)


def change_options(command: F) -> F:
    """Add the options of everything that changes something."""
    reason = click.option("--reason", "why", help="Why, for the audit; asked for on a terminal if it is left out.")
    name = click.option("--as", "who", help="Your name in the audit; default: who called sudo, or the system's user.")
    return reason(name(command))


YES: Final = click.option("--yes", is_flag=True, help="Do not ask whether to do it.")
JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")


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
