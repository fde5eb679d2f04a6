"""A copy of many accounts from an account file into a real Cassandra, killed on the way and run again.

ACCOUNTS says how many (2,000 by default, for `make bench` to stay short), THREADS how
many rows are under way at once. The real command runs in a process of its own and is killed by
SIGKILL in three places. Afterwards every row of both stores is compared here, whatever the command said.
"""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from identity.cli.files import new_ring_file
from identity.stores.sqlite_tables import ACCOUNTS, IDENTITIES, USERNAMES
from identity.upkeep.copied_tables import TABLES, CopySide
from tests.support.cassandra import installation
from tests.support.cassandra.cluster import CassandraCluster
from tests.support.cassandra_accounts import migrated, opened
from tests.support.copies import person, side_of
from tests.support.sources import ROOT

KILLED_AT: Final = ("copying identities", "copying accounts", "copying audit")
"""Killed at the first line of the command that begins so: within ten seconds of it, or at the table's end."""
CONFIG: Final = """\
[keys]
file = identityd.keys

[cassandra]
contact_points = {host}:{port}
local_data_centre = {dc}
keyspace = {keyspace}
"""


def main() -> None:
    """Print what each run says, and what was found at the end."""
    number, threads = int(os.environ.get("ACCOUNTS", "2000")), os.environ.get("THREADS", "16")
    sys.stdout.write(f"\ncopies ({number:,} accounts from SQLite to one Cassandra node, {threads} threads)\n")
    if not installation.installed():
        sys.stdout.write("Cassandra is not installed; get it with: make services\n")
        return
    with TemporaryDirectory() as name:
        folder = Path(name)
        cluster = CassandraCluster(folder / "cassandra")
        try:
            cluster.start()
            _measure(cluster, folder, number, threads)
        finally:
            cluster.stop()


def _measure(cluster: CassandraCluster, folder: Path, number: int, threads: str) -> None:
    reached = migrated(cluster)
    (host, port), *_ = reached.contact_points
    text = CONFIG.format(host=host, port=port, dc=reached.local_data_centre, keyspace=reached.keyspace)
    (folder / "identityd.ini").write_text(text)
    new_ring_file(folder / "identityd.keys")
    source = folder / "identityd.sqlite"
    _settle(source, range(number))
    begin = time.perf_counter()
    for place in (*KILLED_AT, ""):
        _run(folder, threads, place)
    sys.stdout.write(f"all runs together: {time.perf_counter() - begin:,.0f} s\n")
    ours, there = side_of(source)[1], opened(reached)
    with closing(there):
        _compare(ours, CopySide("cassandra", there, there.audit))


def _settle(path: Path, numbers: Iterable[int]) -> None:
    """Write people straight into a new account file: through the store it would take longer than the copy."""
    side_of(path)[0].close()
    with closing(sqlite3.connect(path)) as connection, connection:
        for number in numbers:
            _insert(connection, number)


def _insert(connection: sqlite3.Connection, number: int) -> None:
    someone = person(number)
    tables: tuple[tuple[Any, Iterable[Any]], ...] = (
        (IDENTITIES, someone.identities),
        (USERNAMES, [someone.username]),
        (ACCOUNTS, [someone.account]),
    )
    for table, rows in tables:
        connection.executemany(table.insert, [(*table.pack(row), None) for row in rows])
    profile = someone.profile
    connection.execute(
        "INSERT INTO profiles VALUES (?, ?, ?, ?, ?, ?)",
        (str(profile.account_id), profile.name, profile.email, profile.email_verified, "", profile.seen_at),
    )
    connection.executemany(
        "INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (str(each.id), each.at, each.action, str(each.account_id), each.actor, "", each.request_id, "{}")
            for each in someone.events[:1]
        ],
    )


def _run(folder: Path, threads: str, place: str) -> None:
    """Run the command; kill it at a place, if one is named, and let it come to its end otherwise."""
    command = [sys.executable, str(ROOT / "identityd.py"), "copy", "--config", str(folder / "identityd.ini")]
    command += ["--from", "sqlite", "--to", "cassandra", "--daemons-stopped", "--threads", threads]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            if place and line.startswith(" ".join(place.split()[:1])) and line.split()[1] == place.split()[1]:
                child.kill()
                break
        ended = child.wait()
    if ended != (-signal.SIGKILL if place else 0):
        sys.exit(f"the copy ended with {ended}")
    sys.stdout.write(f"-- killed at: {place}\n" if place else "")


def _compare(ours: CopySide, theirs: CopySide) -> None:
    for table in TABLES:
        here = sorted(table.scan(ours, None), key=table.label)
        there = sorted(table.scan(theirs, None), key=table.label)
        verdict = "equal" if here == there else "DIFFERENT"
        sys.stdout.write(f"{table.name:<12} {len(here):>9,} and {len(there):>9,} rows: {verdict}\n")
