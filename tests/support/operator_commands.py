"""A configuration as an operator has it, the store it names with people in it, and the command line.

The store is whatever the configuration says, opened as the daemon opens it, so that the same
tests hold for every store.
"""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias

from click.testing import CliRunner, Result

from identity import config
from identity.accounts.results import Linked
from identity.accounts.store import AccountRow
from identity.cli import cli
from identity.cli.files import new_ring_file
from identity.config import Config
from identity.opening import Accounts, now, open_accounts
from identity.stores.cassandra.settings import Settings
from identity.types import AccountId
from tests.support.accounts import Registry
from tests.support.memcached import MemcachedNode

PROVIDERS: Final = """
[provider:p]
kind = github
client_id = me
client_secret = 0123456789ab
"""
WHY: Final = ("--reason", "ticket 4711", "--as", "ann")


Sections: TypeAlias = Mapping[str, Mapping[str, str]]


def in_memcached(nodes: Sequence[MemcachedNode]) -> Sections:
    """Return the sections for sessions in these nodes."""
    names = " ".join(f"n{number}={node.name}" for number, node in enumerate(nodes))
    return {"sessions": {"store": "memcached"}, "memcached": {"nodes": names}}


def in_cassandra(reached: Settings) -> Sections:
    """Return the sections for accounts in a keyspace."""
    points = " ".join(f"{host}:{port}" for host, port in reached.contact_points)
    where = {"contact_points": points, "keyspace": reached.keyspace}
    return {
        "accounts": {"store": "cassandra"},
        "cassandra": {**where, "local_data_centre": reached.local_data_centre},
    }


def _written(sections: Sections) -> str:
    lines = []
    for name, options in sections.items():
        lines += [f"[{name}]", *(f"{option} = {value}" for option, value in options.items()), ""]
    return "\n".join(lines)


class OperatorCommands:
    """A folder with a configuration and a key ring, a registry over its store, and its commands.

    Args:
        folder: where everything is.
        sections: name the stores, options by section; what is left out is the default.
    """

    def __init__(self, folder: Path, sections: Sections | None = None) -> None:
        self.folder = folder
        self.file = folder / "identityd.ini"
        ring = folder / "identityd.keys"
        if not ring.exists():
            new_ring_file(ring)
        self.file.write_text(f"[keys]\nfile = identityd.keys\n{PROVIDERS}{_written(sections or {})}")
        self.file.chmod(0o600)
        self.config: Config = config.load(self.file, environ={})
        self.store: Accounts = open_accounts(self.config, now)
        self.registry = Registry(self.store, audit=self.store.audit, clock=now)

    def close(self) -> None:
        """Let go of the store."""
        self.store.close()

    def run(
        self,
        *arguments: str,
        typed: str | None = None,
        environ: Mapping[str, str] | None = None,
        group: str = "accounts",
    ) -> Result:
        """Give a command of `accounts`, or of another group; an unexpected exception fails the test."""
        words = [*arguments[:1], "--config", str(self.file), *arguments[1:]]
        with untouched_log():
            return CliRunner().invoke(
                cli, [group, *words], catch_exceptions=False, input=typed, env=dict(environ or {})
            )

    def told(self, *arguments: str) -> dict[str, Any]:
        """Return the object a command prints."""
        result = self.run(*arguments, "--json")
        assert result.exit_code == 0, result.stderr
        found: dict[str, Any] = json.loads(result.stdout)
        return found

    def member(self, subject: str = "1", username: str = "alice", *further: str) -> AccountId:
        """Make an account with one way to log in or more."""
        account_id = self.registry.member(subject, username)
        for each in further:
            assert isinstance(self.registry.link(account_id, each), Linked)
        return account_id

    def account(self, account_id: AccountId) -> AccountRow:
        """Return an account as it is stored."""
        return self.registry.account(account_id)

    def trail(self, account_id: AccountId) -> list[tuple[str, str, dict[str, str]]]:
        """Return action, actor and facts of what operators did to an account, oldest first."""
        events = self.store.audit.of_account(account_id)
        return [(e.action, e.actor, dict(e.facts)) for e in reversed(events) if e.actor.startswith("operator:")]


@contextmanager
def untouched_log() -> Iterator[None]:
    """Leave the process's log as it was: commands direct it to their standard error."""
    root = logging.getLogger()
    levels = {logger: logger.level for logger in (root, *map(logging.getLogger, ("identity", "providers")))}
    before = root.handlers[:], logging.raiseExceptions
    try:
        yield
    finally:
        root.handlers[:], logging.raiseExceptions = before
        for logger, level in levels.items():
            logger.setLevel(level)  # the attribute alone would leave others with what they remember of it
        logging.captureWarnings(capture=False)
