"""`demo`: the daemon with nothing to set up, on this machine only.

Owns the folder it lives in: a configuration, a key ring, an application's secret, each made once
and kept, so that accounts survive a restart and the operator can go on by editing what is there.
"""

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from identity.cli import serve
from identity.cli.options import overrides, port_options
from identity.cli.saying import say

if TYPE_CHECKING:
    from identity.config import Config

_CONFIG: Final = "identityd.ini"
_KEYS: Final = "identityd.keys"
_SECRET: Final = "app-demo.secret"  # noqa: S105 - a file's name
_TEXT: Final = f"""\
# The demonstration, made by `identityd.py demo`. Every option: config.example.ini
# For real use start from that file instead: with the kind `demo` every visitor can log in as any person,
# so it works only here.

[server]
log_level = warning

[keys]
file = {_KEYS}

[provider:demo]
kind = demo

[app:demo]
secret_file = {_SECRET}
"""


@click.command(short_help="Try it, with nothing to set up.")
@click.option(
    "--data",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=".run",
    show_default=True,
    help="Folder for its configuration, key ring and accounts; made on the first start.",
)
@port_options
def demo(folder: Path, port: int | None, internal_port: int | None) -> None:
    """Try identityd: accounts in a file, sessions in the process, a built-in provider.

    Prints one address; open it, log in as any person, choose a username. Accounts are still there
    after a restart. Serves this machine only.

    \b
    Examples:
      identityd.py demo
      identityd.py demo --port 9000 --data /tmp/identityd
      curl -u demo:$(cat .run/app-demo.secret) localhost:8888/session/check \\
        -H 'Content-Type: application/json' \\
        -d '{"cookie": "", "method": "GET", "url": "http://localhost:8887/", "navigation": true}'
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    taken = serve.handed_down()
    given = overrides(port, internal_port)
    config = prepare(folder, given)
    ready = partial(say, f"identityd demonstration: open {config.server.public_url}")
    serve.run(config, partial(read, folder, given), ready=ready, handed=taken)


def prepare(folder: Path, given: dict[str, str]) -> "Config":
    """Make what is missing in the folder and read the configuration. Raises ConfigError."""
    from identity.cli.files import new_ring_file, write_new
    from identity.errors import ConfigError

    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (folder / _KEYS).exists():
            new_ring_file(folder / _KEYS)
        if not (folder / _SECRET).exists():
            write_new(folder / _SECRET, os.urandom(24).hex() + "\n")
        if not (folder / _CONFIG).exists():
            write_new(folder / _CONFIG, _TEXT)
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise ConfigError((f"--data {folder}: cannot be used: {reason}; name another folder",)) from None
    return read(folder, given)


def read(folder: Path, given: dict[str, str]) -> "Config":
    """Read the configuration in the folder. Raises ConfigError."""
    from identity import config

    return config.load(folder / _CONFIG, environ=os.environ, overrides=given, demo=True)
