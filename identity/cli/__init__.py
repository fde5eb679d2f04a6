"""The command line: what an operator types, and what comes back.

Owns the commands, their manual (`--help`) and the exit codes. Each command is imported when it is
asked for, and imports what it needs when it runs, so that help appears at once. Problems of the
configuration are printed one per line, never as a traceback. Nothing secret is ever printed.
"""

import logging
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final, NoReturn

import click

from identity import __version__
from identity.cli.failing import complain, wants_json
from identity.cli.saying import make_output_writable, say
from identity.errors import ConfigError

COMMANDS: Final = (
    "accounts",
    "applications",
    "backup",
    "check-config",
    "completion",
    "copy",
    "demo",
    "doctor",
    "fsck",
    "groups",
    "invite",
    "keys",
    "migrate",
    "providers",
    "restore",
    "serve",
    "sessions",
    "upgrade",
)
"""Each is in the file of its name, as the function of its name."""

MANUAL: Final = """
One login for any set of applications, with session tokens that rotate in use.

\b
Examples:
  identityd.py demo                        try it: prints one address to open
  identityd.py keys new                    make the key ring, once
  identityd.py keys --help                 change the key that signs; no session ends
  identityd.py check-config                say what is wrong, and what to do
  identityd.py doctor --url https://…      try an application's proxy, and say what it breaks
  identityd.py providers test              try the login providers, and say what is wrong
  identityd.py migrate                     bring the account store to this release's tables
  identityd.py serve --config my.ini       serve until told to stop
  identityd.py upgrade                     let another version take over, without a refused request
  identityd.py accounts list --prefix al   the accounts, by username
  identityd.py accounts show alice         an account, its ways to log in, its audit
  identityd.py sessions list alice         where an account is logged in
  identityd.py applications list           which programs are registered
  identityd.py groups add staff alice      let an account enter what its group may enter
  identityd.py invite new --for Ann        a link that lets one person sign up
  identityd.py sessions ring --help        change the list of memcached nodes
  identityd.py fsck                        find what a crash left in the account store
  identityd.py backup FILE                 copy the accounts while the daemon serves
  identityd.py restore FILE                put such a copy in their place
  identityd.py copy --help                 move all accounts to another store
  identityd.py sessions simulate           how long a stolen copy lives, played here
  identityd.py completion --help           let the shell complete all this
  identityd.py COMMAND --help              more about one command

\b
Files:
  identityd.ini                            the configuration (--config, IDENTITYD_CONFIG)
  config.example.ini                       every option, its default and what it does
  identityd.keys                           the key ring ([keys] file), mode 0600, the same on every daemon
  identityd.sqlite                         the accounts ([sqlite] file)
  .run/                                    all of these for the demonstration

\b
Environment:
  IDENTITYD_CONFIG                         the configuration file
  IDENTITYD_<SECTION>_<OPTION>             a secret, for example IDENTITYD_APP_WIKI_SECRET; with
                                           _FILE appended, the path of a file that holds it
  IDENTITYD_MIGRATE_PASSWORD               of the role that `migrate --username` names
  HTTPS_PROXY, NO_PROXY                    for calls to login providers

\b
Signals, to a serving daemon:
  SIGHUP                                   read the configuration, key ring and certificate again; what
                                           may change at once does, and the log says what changed
  SIGUSR2                                  let a successor take over, as `upgrade` does
  SIGTERM, SIGINT                          take no new requests, answer those under way, stop

\b
Exit codes:
  (the same with --json, which every command takes but serve, demo and completion; errors are then JSON, too)
  0                                        done, or stopped when asked to
  1                                        something failed that is not the configuration, or was refused
  2                                        the configuration or the command line is wrong
  3                                        accounts, sessions: done, but some sessions could not be reached yet
"""


class Commands(click.Group):
    """A group whose commands are imported when they are asked for, and may raise ConfigError."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Name them all."""
        return [*COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command; for a word that is none, all, among which click finds what was meant."""
        for name in (cmd_name,) if cmd_name in COMMANDS else COMMANDS:
            own = name.replace("-", "_")
            self.add_command(getattr(import_module(f"{__name__}.{own}"), own))
        return super().get_command(ctx, cmd_name)

    def main(self, args: Sequence[str] | None = None, *further: Any, **extra: Any) -> NoReturn:  # noqa: ANN401 - click's
        """Run the command and exit; what goes wrong is said as the command line asks for."""
        words = sys.argv[1:] if args is None else list(args)
        try:
            code = super().main(words, *further, **{**extra, "standalone_mode": False})
        except (ConfigError, click.ClickException, click.Abort) as error:
            code = complain(error, as_json=wants_json(words))
        sys.exit(code or 0)


@click.group(
    cls=Commands,
    help=MANUAL,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="identityd")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Show the manual when no command is given."""
    # What a command has to say it prints; the daemon configures its log itself.
    for name in ("identity", "cassandra"):
        logging.getLogger(name).addHandler(logging.NullHandler())
    if ctx.invoked_subcommand is None:
        say(ctx.get_help())


def main() -> None:
    """Run the command line and exit."""
    make_output_writable()
    cli(prog_name="identityd.py")
