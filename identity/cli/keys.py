"""`keys`: making and looking at the key ring. Numbers and times are shown, secrets never."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from identity.keyring import KeyRing
    from identity.types import Millis

_FILE = click.option(
    "--file",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    default="identityd.keys",
    show_default=True,
    help="The key ring, [keys] file of the configuration.",
)


@click.group(no_args_is_help=True)
def keys() -> None:
    """Make and list the keys that sign session tokens.

    The key ring is one file, the same on every daemon. Whoever can read it can be anybody, and
    without it every session is lost, so keep it secret and keep a copy.
    """


@keys.command()
@_FILE
def new(path: Path) -> None:
    """Make a new key ring with one key, readable by its owner only.

    An existing file is never touched: replacing it would end every session.

    \b
    Example:
      identityd.py keys new --file /etc/identityd/identityd.keys
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    from identity.cli.files import new_ring_file
    from identity.errors import ConfigError

    try:
        new_ring_file(path)
    except FileExistsError:
        raise ConfigError(
            (f"{path}: is there already and was not touched; replacing it would end every session",)
        ) from None
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise ConfigError((f"{path}: cannot be made: {reason}",)) from None
    click.echo(f"{path}: made, with key 1. Keep a copy in a safe place.")


@keys.command(name="list")
@_FILE
def list_keys(path: Path) -> None:
    """Show the keys of the ring: number, age, and which one signs. Shows no secret.

    \b
    Example:
      identityd.py keys list --file /etc/identityd/identityd.keys
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    from identity.cli.files import now
    from identity.config import load_ring

    ring, at = load_ring(path), now()
    click.echo("number  created               state")
    for number, created, state in _states(ring, at):
        click.echo(f"{number:>6}  {created}  {state}")


def _states(ring: "KeyRing", now: "Millis") -> list[tuple[int, str, str]]:
    from identity.cli.files import moment
    from identity.keyring import SIGNS_AFTER_MS

    signing = ring.signing_number(now)
    found = []
    for key in ring.keys:
        if key.number == signing:
            state = "signs and verifies"
        elif key.number < signing:
            state = "verifies"
        else:
            state = f"verifies, and signs from {moment(key.created_at + SIGNS_AFTER_MS)}"
        found.append((key.number, moment(key.created_at), state))
    return found
