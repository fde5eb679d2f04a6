"""`sessions ring`: the list of memcached nodes: looking at it, and changing it.

Owns the commands and their manual; `node_list_steps.py` owns what they check and say, and
`identity/upkeep/node_list.py` the change itself. The configuration file is the operator's: it is
read, never written.
"""

from pathlib import Path

import click

from identity.cli.options import JSON, YES, config_option


@click.group(no_args_is_help=True)
def ring() -> None:
    """Change the list of memcached nodes ([memcached] nodes), and look at the nodes.

    Accounts whose records move to another node log in again, all others notice nothing but some
    seconds of "try again". No record is ever looked for at a node where it does not belong.

    \b
    To add or remove a node:
      1. Give the command. It prints the lines to write. Nothing is changed yet.
      2. Write them into the configuration of every daemon. Restart no daemon yet.
      3. Give the command again. It changes the ring; daemons answer "try again" from now on.
      4. Restart every daemon.
    docs/memcached.md says how to do it with several daemons, and why it is safe.
    """  # noqa: D301 - click knows a paragraph to keep by this very character


@ring.command(short_help="Add a node, or bring one back.")
@config_option
@click.argument("node", metavar="NODE")
@YES
@JSON
def add(path: Path, node: str, *, yes: bool, as_json: bool) -> None:
    """Add NODE, which is name=host:port as in the configuration. It is emptied first.

    If [memcached] nodes does not have it yet, the lines to write are printed and nothing is done.
    A node that only moved to another machine keeps its name and needs none of this.

    \b
    Exit codes:
      0    done, or it was done already
      1    not done: write the lines, or mend what the message says
      2    the configuration or the command line is wrong; nothing was changed

    \b
    Example:
      identityd.py sessions ring add three=10.0.0.13:11211
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    from identity.cli import node_list_steps as steps

    read = steps.configured(path)
    joining = steps.node(node)
    steps.must_list(read, joining)
    before = [each.name for each in read.memcached.nodes if each.name != joining.name]
    steps.change(read, before, yes=yes, as_json=as_json)


@ring.command(short_help="Remove a node, alive or dead.")
@config_option
@click.argument("name")
@YES
@JSON
def remove(path: Path, name: str, *, yes: bool, as_json: bool) -> None:
    """Remove the node called NAME. It may be dead; all others must answer.

    If [memcached] nodes still has it, the lines to write are printed and nothing is done. Exit
    codes are those of `add`.

    \b
    Example:
      identityd.py sessions ring remove three
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    from identity.cli import node_list_steps as steps

    read = steps.configured(path)
    steps.must_not_list(read, name)
    steps.change(read, [*(each.name for each in read.memcached.nodes), name], yes=yes, as_json=as_json)


@ring.command()
@config_option
@JSON
def show(path: Path, *, as_json: bool) -> None:
    """Show each node: its marker, its session records, and values that do not belong there.

    Exit code 1 if a node cannot be used by daemons with this configuration.

    \b
    Example:
      identityd.py sessions ring show
    """  # noqa: D301 - click knows a paragraph to keep by this very character
    from identity.cli import node_list_steps as steps

    steps.show(steps.configured(path), as_json=as_json)
