"""What the commands of `sessions ring` check and say.

Owns reading the configuration against the nodes, and the words. Must not write the configuration.
Invariant: nothing is changed before every node was looked at and the operator has agreed.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from identity import config
from identity.cli import prompts
from identity.cli.failing import NOT_CONFIRMED, CommandFailed, MisusedCommand
from identity.cli.saying import answer, counted, say
from identity.config import Config, MemcachedAddress, SessionStoreKind
from identity.config.values import read_node
from identity.errors import ConfigError, StoreError, StoreUnavailable
from identity.operating import node_list_change, open_node_console
from identity.stores.node_console import NodeConsole
from identity.upkeep.node_list import NodeListChange, NodeReport, NodeStanding

_NOT_AS_CONFIGURED = "ring-differs"
"""Configuration and nodes are not those that this change begins at."""


def configured(path: Path) -> Config:
    """Return a configuration whose sessions are in memcached. Raises ConfigError."""
    read = config.load(path, environ=os.environ, demo=True)
    if read.sessions.store is not SessionStoreKind.MEMCACHED:
        raise ConfigError(("[sessions] store: is not memcached; there are no nodes",))
    return read


def node(text: str) -> MemcachedAddress:
    """Return the node that is named. Raises UsageError."""
    try:
        return read_node(text)
    except ValueError as error:
        raise click.UsageError(f"NODE: {error}") from None


def must_list(read: Config, joining: MemcachedAddress) -> None:
    """See that the configuration has the node. Ends with exit code 1 and the lines to write."""
    there = {each.name: each for each in read.memcached.nodes}
    if joining.name not in there:
        _write([*read.memcached.nodes, joining], read.memcached.generation + 1)
    if there[joining.name] != joining:
        _refuse(f"[memcached] nodes has {there[joining.name]}, not {joining}. Nothing was changed.")
    if len(there) == 1:
        _refuse(f"{joining.name} is the only node: there is no ring to add it to. Nothing was changed.")


def must_not_list(read: Config, name: str) -> None:
    """See that the configuration does not have the node. Ends with exit code 1 and the lines to write."""
    left = [each for each in read.memcached.nodes if each.name != name]
    if not left:
        _refuse(f"{name} is the only node. Nothing was changed.")
    if len(left) < len(read.memcached.nodes):
        _write(left, read.memcached.generation + 1)


def _write(nodes: Iterable[MemcachedAddress], generation: int) -> None:
    lines = f"  [memcached]\n  nodes = {' '.join(map(str, nodes))}\n  generation = {generation}"
    _refuse(
        "Nothing was changed. Write this into the configuration of every daemon, restart none of them yet, "
        f"and give the command again:\n{lines}"
    )


def change(read: Config, before: Sequence[str], *, yes: bool, as_json: bool) -> None:
    """Look at the nodes, say what the change means, ask, and make it."""
    with _connected(read.memcached.nodes) as nodes:
        listed = node_list_change(read, nodes, before=before)
        with _trouble("Nothing was changed."):
            looks = listed.look()
        _judge(read, looks, before)
        if all(look.standing is NodeStanding.NEW for look in looks):
            # Strays may be left of a command that was killed.
            _carry_out(listed)
            words = "The ring is as configured already. Restart every daemon that does not have this configuration."
            answer({"changed": False, "effects": []}, words, as_json=as_json)
            return
        if not yes and not prompts.watched():
            raise MisusedCommand("nobody is at a terminal to confirm it: add --yes", NOT_CONFIRMED)
        effects = list(_meaning(read, looks, before))
        prompts.confirm("\n".join(effects), yes=yes)
        if yes and not as_json:
            say("\n".join(effects))
        _carry_out(listed)
    answer(
        {"changed": True, "effects": effects},
        "Done. Daemons with the old list answer `try again` and log nobody out: restart every daemon with this "
        "configuration now. Each is in order when its /readyz answers 200.",
        as_json=as_json,
    )


def _carry_out(listed: NodeListChange) -> None:
    with _trouble("Nobody is served an old record. Give the same command again, it goes on from there."):
        listed.carry_out()


def _judge(read: Config, looks: Sequence[NodeReport], before: Sequence[str]) -> None:
    """Refuse a change that does not begin at the ring that is there. Ends with exit code 1."""
    wrong = [f"memcached node {look.name}: {look.problem}" for look in looks if look.standing is NodeStanding.WRONG]
    if wrong:
        _refuse(
            "\n".join(wrong) + "\nNothing was changed: the ring is not the one that this change begins at. "
            "Look at `sessions ring show`; docs/memcached.md says how to begin anew."
        )
    generations = {look.generation for look in looks if look.standing is NodeStanding.OLD and look.name in before}
    if len(generations) > 1:
        _refuse("Nodes are of different generations: one came back with old data. Nothing was changed.")
    if generations and max(generations) >= read.memcached.generation:
        _write(read.memcached.nodes, max(generations) + 1)


def _meaning(read: Config, looks: Sequence[NodeReport], before: Sequence[str]) -> Iterator[str]:
    after = {each.name for each in read.memcached.nodes}
    staying = [look for look in looks if look.name in before]
    records, moving = sum(look.records for look in staying), sum(look.moving for look in staying)
    for name in sorted(after - set(before)):
        share = f" ({100 * moving // records} in 100)" if records else ""
        again = f"{counted(moving, 'account')} of {records:,}{share}"
        yield f"Node {name} joins: it is emptied. To log in again: {again}."
    for name in sorted(set(before) - after):
        yield f"Node {name} leaves: its accounts log in again, about 1 in {len(before)}. Those of other nodes do not."
    yield "Every daemon answers `try again` from now until it is restarted with this configuration."


def show(read: Config, *, as_json: bool) -> None:
    """Print a line for each node. Ends with exit code 1 if one cannot be used."""
    looked = [(each, *_looked(read, each)) for each in read.memcached.nodes]
    nodes = [
        {"node": str(each), "usable": usable, "state": state, "records": records}
        for each, usable, state, records in looked
    ]
    lines = [f"generation {read.memcached.generation}", *(f"{each}  {state}" for each, _, state, _ in looked)]
    answer({"generation": read.memcached.generation, "nodes": nodes}, "\n".join(lines), as_json=as_json)
    if not all(usable for _, usable, _, _ in looked):
        raise SystemExit(1)


def _looked(read: Config, address: MemcachedAddress) -> tuple[bool, str, int | None]:
    """Return whether daemons can use a node, its state in words, and how many records it holds, if it says."""
    names = [each.name for each in read.memcached.nodes]
    try:
        with _open(address) as node:
            [look] = node_list_change(read, [node], before=names).look()
    except StoreUnavailable as error:
        return False, str(error.detail).rpartition(": ")[2], None
    return look.standing in (NodeStanding.NEW, NodeStanding.EMPTY), _state(look), look.records


def _state(look: NodeReport) -> str:
    stray = f", {look.moving} of them out of place" if look.moving else ""
    records = f"{counted(look.records, 'account')}{stray}"
    match look.standing:
        case NodeStanding.NEW:
            return f"in use; {records}"
        case NodeStanding.EMPTY:
            return f"has no marker yet, the next daemon that meets it writes one; {records}"
        case NodeStanding.OLD:
            return f"is marked for generation {look.generation}: daemons do not use it; {records}"
        case NodeStanding.WRONG:
            return f"{look.problem}; {records}"


@contextmanager
def _open(node: MemcachedAddress) -> Iterator[NodeConsole]:
    opened = open_node_console(node)
    try:
        yield opened
    finally:
        opened.close()


@contextmanager
def _connected(nodes: Iterable[MemcachedAddress]) -> Iterator[list[NodeConsole]]:
    opened: list[NodeConsole] = []
    try:
        with _trouble("Nothing was changed: every node of the new list must answer."):
            for each in nodes:
                opened.append(open_node_console(each))  # noqa: PERF401 - what is open is closed when the next fails
        yield opened
    finally:
        for connection in opened:
            connection.close()


@contextmanager
def _trouble(rest: str) -> Iterator[None]:
    """End with exit code 1 when a node fails."""
    try:
        yield
    except StoreError as error:
        raise CommandFailed(f"{error.detail}. {rest}", error.code) from None


def _refuse(text: str) -> None:
    raise CommandFailed(text, _NOT_AS_CONFIGURED)
