"""`sessions`: what an operator can do with sessions. Owns the group; each command has a module of its own."""

import click

from identity.cli import session_commands
from identity.cli.node_list import ring
from identity.cli.simulate import simulate


@click.group(no_args_is_help=True, short_help="Show and end sessions; look after memcached nodes.")
def sessions() -> None:
    """Look at the sessions of an account and end them, change the memcached nodes, rerun the published claims.

    \b
    Examples:
      identityd.py sessions list alice         where an account is logged in
      identityd.py sessions end alice --all    log an account out everywhere
      identityd.py sessions clear              log every person out, for example after a restore
      identityd.py sessions ring show          the state of each memcached node
      identityd.py sessions simulate           how long a stolen copy lives, played here
    """  # noqa: D301 - click knows a paragraph to keep by this very character


sessions.add_command(session_commands.list_sessions)
sessions.add_command(session_commands.show)
sessions.add_command(session_commands.end)
sessions.add_command(session_commands.clear)
sessions.add_command(simulate)
sessions.add_command(ring)
