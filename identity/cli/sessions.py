"""`sessions`: what an operator can do with sessions. Owns the group; each command has a module of its own."""

import click

from identity.cli import account_sessions
from identity.cli.ring import ring
from identity.cli.simulate import simulate


@click.group(no_args_is_help=True)
def sessions() -> None:
    """Look at the sessions of an account and end them; rerun the published claims about sessions."""


sessions.add_command(account_sessions.list_sessions)
sessions.add_command(account_sessions.show)
sessions.add_command(account_sessions.end)
sessions.add_command(simulate)
sessions.add_command(ring)
