"""Writes the archive of Cassandra's classes, by starting a node once: `python -m tests.support.cassandra.archive`.

`.ci/services` does it, with any Python; standard library only.
"""

import tempfile
from pathlib import Path

from tests.support.cassandra.cluster import CassandraCluster
from tests.support.cassandra.installation import ARCHIVE


def write() -> None:
    """Start a node, end it in order, and keep what Java wrote down meanwhile."""
    written = ARCHIVE.with_suffix(".new")
    written.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="identityd-cassandra-") as folder:
        cluster = CassandraCluster(Path(folder), java_options=(f"-XX:ArchiveClassesAtExit={written}",))
        try:
            cluster.start()
            cluster.nodes[0].stop()
        finally:
            cluster.stop()
    written.rename(ARCHIVE)


if __name__ == "__main__":
    write()
