"""`check-config`: what `serve` would refuse, and what it would find, without starting anything."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from identity.cli.options import config_option, overrides, port_options
from identity.cli.saying import say
from identity.errors import ConfigError

if TYPE_CHECKING:
    from identity.cli.findings import Finding


@click.command(name="check-config", short_help="Say what is wrong, and what to do about it.")
@config_option
@port_options
@click.option("--offline", is_flag=True, help="Read and check only; ask no other machine.")
def check_config(path: Path, port: int | None, internal_port: int | None, *, offline: bool) -> None:
    """Say what is wrong with the configuration, and what to do about it.

    Reads it as `serve` does, then asks what it names: key ring, certificate, memcached nodes,
    account file or Cassandra cluster, login providers. Starts and changes nothing, also while a daemon is running.

    One line for each thing: "ok", "warning" (works, probably not meant) or "problem".
    Exit code 2 if there is a problem.

    \b
    Examples:
      identityd.py check-config
      identityd.py check-config --config /etc/identityd/identityd.ini --offline
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    from identity import config
    from identity.cli import probes
    from identity.cli.findings import Level, problem, warning

    try:
        read = config.load(path, environ=os.environ, overrides=overrides(port, internal_port))
    except ConfigError as error:
        found = [problem(text) for text in error.problems]
    else:
        found = [warning(text) for text in read.warnings]
        found += probes.of_files(path, read)
        found += [] if offline else probes.of_servers(read)
    _print(found)
    if any(finding.level is Level.PROBLEM for finding in found):
        raise SystemExit(2)


def _print(found: "list[Finding]") -> None:
    for finding in found:
        say(f"{finding.level.value:<8} {finding.text}")
