"""The tables this release needs, as numbered files, and whether those of a keyspace fit.

Owns the files of `schema/` and the rule on versions. Append-only: a file that was released never
changes. Each says since which version daemons can work with its tables (`-- serves-from: n`), so
that a cluster is upgraded while daemons of the release before go on:

| the keyspace's tables            | a daemon of this release                        |
|----------------------------------|-------------------------------------------------|
| none                             | refuses: run migrate                            |
| older than this release's        | refuses: run migrate                            |
| the same                         | serves                                          |
| newer, serving this release too  | serves, beside daemons of the newer one         |
| newer, not serving this release  | refuses: start the newer release                |
"""

import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from cassandra import ConsistencyLevel, InvalidRequest
from cassandra.cluster import Session
from cassandra.query import SimpleStatement

from identity.errors import ConfigError
from identity.stores.cassandra import statements

FOLDER: Final = Path(__file__).resolve().parents[3] / "schema"

_FILE: Final = re.compile(r"\d{4}_[a-z0-9_]+\.cql")
_SERVES_FROM: Final = re.compile(r"^-- serves-from: (\d+)$", re.MULTILINE)
_COMMENT: Final = re.compile(r"--[^\n]*")
_CHECKSUM_DIGITS: Final = 16


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of `schema/`."""

    version: int
    name: str
    serves_from: int
    """The oldest version whose daemons still work once this is applied."""
    statements: tuple[str, ...]
    """Each can be repeated, so that a migration that was cut off is simply begun again."""
    checksum: str


@dataclass(frozen=True, slots=True)
class AppliedMigration:
    """A migration as the keyspace remembers it."""

    version: int
    serves_from: int
    checksum: str


class Migrations:
    """The files of a folder. Number 0 is what migrating itself needs and is no version.

    Raises:
        ValueError: a file's name or head is wrong, or a number is missing or stands twice.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        found = sorted((_read(path) for path in folder.glob("*.cql") if _FILE.fullmatch(path.name)), key=_version)
        if [each.version for each in found] != list(range(len(found))) or not found:
            raise ValueError(f"{folder}: the numbers of its .cql files are not 0, 1, 2 …")
        self.ground: Final = found[0]
        self.all: Final = tuple(found[1:])

    @property
    def latest(self) -> int:
        """The version this release needs."""
        return len(self.all)

    def check(self, session: Session, keyspace: str) -> None:
        """Raise ConfigError unless the keyspace is there and fits this release; driver errors as they come."""
        refuse_missing(session, keyspace)
        problem = self.problem_of(applied(session, keyspace), keyspace=keyspace)
        if problem:
            raise ConfigError((problem,))

    def problem_of(self, there: tuple[AppliedMigration, ...], *, keyspace: str) -> str:
        """Return what keeps this release from serving, "" if nothing does. Pure."""
        newest = max(there, key=_version, default=None)
        where = f"[cassandra] keyspace: {keyspace}"
        if newest is None:
            return f"{where} has no tables yet; run `identityd.py migrate`"
        if newest.version < self.latest:
            return (
                f"{where}: its tables are version {newest.version} and this release needs {self.latest}; run "
                "`identityd.py migrate`, daemons of the release before go on working meanwhile"
            )
        if newest.version > self.latest and newest.serves_from > self.latest:
            return (
                f"{where}: its tables are version {newest.version}, made by a newer release for daemons from version "
                f"{newest.serves_from} on, and this one knows {self.latest}; start the newer release"
            )
        return ""

    def changed(self, there: tuple[AppliedMigration, ...]) -> tuple[Migration, ...]:
        """Return the migrations whose file is not what was applied."""
        sums = {each.version: each.checksum for each in there}
        return tuple(each for each in self.all if sums.get(each.version, each.checksum) != each.checksum)

    def due(self, there: tuple[AppliedMigration, ...]) -> tuple[Migration, ...]:
        """Return what is still to be applied, in order."""
        done = {each.version for each in there}
        return tuple(each for each in self.all if each.version not in done)


def refuse_missing(session: Session, keyspace: str) -> None:
    """Raise ConfigError if there is no such keyspace."""
    if keyspace not in session.cluster.metadata.keyspaces:
        problem = (
            f"[cassandra] keyspace: there is no keyspace {keyspace}; `identityd.py migrate --create-keyspace` makes "
            "it, docs/cassandra.md says how to choose its replicas"
        )
        raise ConfigError((problem,))


def applied(session: Session, keyspace: str) -> tuple[AppliedMigration, ...]:
    """Return what was applied to a keyspace; nothing if it has no tables. Raises driver errors."""
    question = SimpleStatement(statements.READ_VERSIONS.text(keyspace), consistency_level=ConsistencyLevel.LOCAL_QUORUM)
    try:
        found = session.execute(question)
    except InvalidRequest:
        return ()
    return tuple(AppliedMigration(*row) for row in found)


def _version(migration: Migration | AppliedMigration) -> int:
    return migration.version


def _read(path: Path) -> Migration:
    text = path.read_text(encoding="utf-8")
    number, _, name = path.stem.partition("_")
    version = int(number)
    serves_from = _SERVES_FROM.search(text)
    if version and not serves_from:
        raise ValueError(f"{path}: has no line `-- serves-from: <version>`")
    bare = _COMMENT.sub("", text)
    return Migration(
        version,
        name,
        int(serves_from[1]) if serves_from else 0,
        tuple(" ".join(each.split()) for each in bare.split(";") if each.strip()),
        sha256(text.encode()).hexdigest()[:_CHECKSUM_DIGITS],
    )
