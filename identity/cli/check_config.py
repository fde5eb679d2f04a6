"""`check-config`: what `serve` would refuse, and what it would find, without starting anything."""

import os
from pathlib import Path

import click

from identity.cli.failing import PROBLEMS
from identity.cli.options import JSON, config_option, overrides, port_options
from identity.errors import ConfigError


@click.command(name="check-config", short_help="Say what is wrong, and what to do about it.")
@config_option
@port_options
@click.option(
    "--offline",
    is_flag=True,
    help="Read and check only, and say what to register at each provider; ask no other machine.",
)
@JSON
def check_config(path: Path, port: int | None, internal_port: int | None, *, offline: bool, as_json: bool) -> None:
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
    from identity.cli.findings import problem, report, warning

    try:
        read = config.load(path, environ=os.environ, overrides=overrides(port, internal_port))
    except ConfigError as error:
        found = [problem(text) for text in error.problems]
    else:
        found = [warning(text) for text in read.warnings]
        found += probes.of_files(path, read)
        found += probes.of_registrations(read) if offline else probes.of_servers(read)
    if report(found, as_json=as_json):
        raise SystemExit(PROBLEMS)
