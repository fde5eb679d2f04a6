"""The command line: what an operator types, and what comes back.

Owns the commands, their manual (`--help`) and the exit codes. Each command is imported when it is
asked for, and imports what it needs when it runs, so that help appears at once. Problems of the
configuration are printed one per line, never as a traceback. Nothing secret is ever printed.
"""

import logging
import sys
from importlib import import_module
from typing import Any, Final

import click

from identity import __version__
from identity.cli.saying import make_output_writable, say
from identity.errors import ConfigError

PROBLEMS: Final = 2
"""Exit code when the configuration or the command line is wrong, as click uses it for the latter."""

COMMANDS: Final = (
    "accounts",
    "applications",
    "backup",
    "check-config",
    "copy",
    "demo",
    "doctor",
    "fsck",
    "groups",
    "keys",
    "migrate",
    "providers",
    "restore",
    "serve",
    "sessions",
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
  identityd.py accounts show alice         an account, its ways to log in, its audit
  identityd.py sessions list alice         where an account is logged in
  identityd.py applications list           which programs are registered
  identityd.py groups add staff alice      let an account enter what its group may enter
  identityd.py sessions ring --help        change the list of memcached nodes
  identityd.py fsck                        find what a crash left in the account store
  identityd.py backup FILE                 copy the accounts while the daemon serves
  identityd.py restore FILE                put such a copy in their place
  identityd.py copy --help                 move all accounts to another store
  identityd.py sessions simulate           how long a stolen copy lives, played here
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
  SIGTERM, SIGINT                          take no new requests, answer those under way, stop

\b
Exit codes:
  0                                        done, or stopped when asked to
  1                                        something failed that is not the configuration, or was refused
  2                                        the configuration or the command line is wrong
  3                                        accounts, sessions: done, but some sessions could not be reached yet
"""


class Commands(click.Group):
    """A group whose commands may raise ConfigError: every problem is a line on standard error."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Name them all."""
        return [*COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command; for a word that is none, all, among which click finds what was meant."""
        for name in (cmd_name,) if cmd_name in COMMANDS else COMMANDS:
            own = name.replace("-", "_")
            self.add_command(getattr(import_module(f"{__name__}.{own}"), own))
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's signature
        """Run the command."""
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            for problem in error.problems:
                say(problem, err=True)
            ctx.exit(PROBLEMS)
        except click.ClickException as error:
            # With a stream of its own it is escaped where it cannot be shown, as everything else is.
            error.show(file=sys.stderr)
            ctx.exit(error.exit_code)


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
