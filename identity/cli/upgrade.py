"""`upgrade`: another version takes the sockets of the running daemon over, and no request is refused.

Owns finding the daemon, asking it for a successor, and the words for what comes of it. The takeover
itself is the daemon's (`web/process/successor.py`).
"""

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from identity import __version__
from identity.cli.failing import CommandFailed
from identity.cli.options import JSON, config_option, overrides, port_options
from identity.cli.saying import answer

if TYPE_CHECKING:
    from identity.config import Config

NO_DAEMON: Final = "no-daemon"
NOT_TAKEN_OVER: Final = "not-taken-over"
_WITHIN_S: Final = 90.0
"""More than a successor may take (`successor.WITHIN_S`), its stores included."""
_ASK_EVERY_S: Final = 0.1
_LOG: Final = "its log says why, in the lines before `takeover-failed` (journalctl -u identityd -n 20)"


@click.command()
@config_option
@port_options
@JSON
def upgrade(path: Path, port: int | None, internal_port: int | None, *, as_json: bool) -> None:
    """Let the version that is installed now take over from the running daemon.

    No request is refused and no session ends. The daemon starts its successor by the command line it
    was started with, so start it through a link: set the link to another version, and call this. To go
    back, set the link back and call it again. The configuration is checked first; a successor that
    does not come up changes nothing: the daemon goes on. Needs sessions in memcached.

    Call it as root or as the daemon's user, on the daemon's machine. With systemd too: it hears which
    process the daemon is. It does what SIGUSR2 to that process does, and waits for the outcome.
    Exit code 1 if nothing was taken over; 2 if the configuration is wrong.

    \b
    Examples:
      ln -sfn identityd-1.2.4 /usr/local/identityd
      /usr/local/identityd/identityd.py upgrade --config /etc/identityd/identityd.ini
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    from identity import config
    from identity.machine import hindrance

    read = config.load(path, environ=os.environ, overrides=overrides(port, internal_port), demo=True)
    if why := hindrance(read):
        raise CommandFailed(f"nothing was done: {why}", NOT_TAKEN_OVER)
    before = _daemon(read)
    _ask_for_successor(before["process"])
    after = _outcome(read, before)
    if after["version"] != __version__:
        raise CommandFailed(
            f"process {after['process']} serves version {after['version']}, and this program is {__version__}: the "
            f"daemon was started as `{_command_line(after['process'])}`; start it through the link, once, by a restart",
            NOT_TAKEN_OVER,
        )
    values = {"process": after["process"], "version": after["version"], "before": _identified(before)}
    text = f"process {after['process']} serves version {after['version']}; before it was {_of(before)}"
    answer(values, text, as_json=as_json)


def _identified(said: dict[str, Any]) -> dict[str, Any]:
    return {name: said[name] for name in ("process", "version")}


def _of(said: dict[str, Any]) -> str:
    return f"process {said['process']} with version {said['version']}"


def _daemon(read: "Config") -> dict[str, Any]:
    """Return what the daemon says of itself. Raises CommandFailed."""
    from identity.cli.doctor_visits import said_by

    said = said_by(read.server.internal_address, read.server.internal_port, "/healthz")
    if isinstance(said, str):
        raise CommandFailed(f"nothing was done: {said}", NO_DAEMON)
    if "process" not in said:
        raise CommandFailed("nothing was done: the running version cannot be taken over; restart it once")
    return said


def _ask_for_successor(process: int) -> None:
    """Send the signal, to a process that is an identityd."""
    if not {"serve", "demo"} & set(_command_line(process).split()):
        raise CommandFailed(
            f"nothing was done: process {process} is no identityd here; call this on its machine and in its container, "
            f"or send it SIGUSR2 yourself: `kill -USR2 {process}`"
        )
    try:
        os.kill(process, signal.SIGUSR2)
    except OSError as error:
        raise CommandFailed(
            f"nothing was done: process {process} cannot be signalled: {(error.strerror or '').lower()}; "
            "call this as root or as the daemon's user"
        ) from None


def _command_line(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def _outcome(read: "Config", before: dict[str, Any]) -> dict[str, Any]:
    """Wait until another process answers. Raises CommandFailed if none will."""
    from identity.cli.doctor_visits import said_by

    end = time.monotonic() + _WITHIN_S
    while time.monotonic() < end:
        said = said_by(read.server.internal_address, read.server.internal_port, "/healthz")
        if isinstance(said, dict) and said.get("process") != before["process"]:
            return said
        if isinstance(said, dict) and said["takeover"] == "failed" and said["takeovers"] > before["takeovers"]:
            raise CommandFailed(f"nothing was taken over: {_of(before)} goes on; {_LOG}", NOT_TAKEN_OVER)
        time.sleep(_ASK_EVERY_S)
    raise CommandFailed(f"no other process answers yet; {_of(before)} was asked for one; {_LOG}", NOT_TAKEN_OVER)
