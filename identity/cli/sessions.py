"""`sessions`: what an operator can do with sessions."""

import click

from identity.cli.simulate import simulate


@click.group(no_args_is_help=True)
def sessions() -> None:
    """Rerun the published claims about sessions."""


sessions.add_command(simulate)
