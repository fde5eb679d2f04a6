"""Account stores on the tests' Cassandra: a keyspace with this release's tables, and what opens it."""

import random
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final
from uuid import uuid4

from identity.errors import StoreUnavailable
from identity.stores.cassandra.migrating import Migrator
from identity.stores.cassandra.migrations import Migrations
from identity.stores.cassandra.settings import Settings
from identity.stores.cassandra.statements import CONDITIONAL_TABLES, StatementKind
from identity.stores.cassandra.store import CassandraAccounts
from identity.types import Clock, Millis
from tests.support.cassandra.cluster import CassandraCluster

PATIENCE_MS: Final = 20_000
"""A node that has just started on a busy machine answers its first questions slowly."""
_CONNECTS_WITHIN_MS: Final = 8_000
"""To connect is to read the schema, which is long in a node that holds the keyspaces of many tests."""


def now() -> Millis:
    """Return the real time: Cassandra's clock cannot be advanced."""
    return time.time_ns() // 1_000_000


def settings(cluster: CassandraCluster, keyspace: str, **changes: Any) -> Settings:  # noqa: ANN401 - of any field
    """Return how to reach a keyspace of the cluster."""
    return Settings(
        contact_points=tuple(cluster.contact_points),
        local_data_centre=cluster.local_dc,
        keyspace=keyspace,
        **{"connect_timeout_ms": _CONNECTS_WITHIN_MS, **changes},
    )


def sections(cluster: CassandraCluster, keyspace: str) -> dict[str, dict[str, str]]:
    """Return what a configuration file says of a keyspace of the cluster."""
    nodes = " ".join(f"{host}:{port}" for host, port in cluster.contact_points)
    reached = {
        "contact_points": nodes,
        "local_data_centre": cluster.local_dc,
        "keyspace": keyspace,
        "connect_timeout_s": str(_CONNECTS_WITHIN_MS // 1_000),
    }
    return {"accounts": {"store": "cassandra"}, "cassandra": reached}


def migrated(cluster: CassandraCluster) -> Settings:
    """Make a keyspace with this release's tables; return how to reach it."""
    reached = settings(cluster, cluster.fresh_keyspace())
    patient = replace(reached, connect_timeout_ms=PATIENCE_MS, timeout_ms=PATIENCE_MS)
    Migrator(patient, Migrations(), clock=now, owner=uuid4(), who="a test").migrate(lambda _: None)
    return reached


def opened(
    reached: Settings,
    *,
    clock: Clock = now,
    count: Callable[[StatementKind], None] = lambda _: None,
    to_copy: bool = False,
) -> CassandraAccounts:
    """Open the keyspace; the caller closes it."""
    return CassandraAccounts(
        reached, migrations=Migrations(), clock=clock, chance=random.random, count=count, to_copy=to_copy
    )


def emptied(cluster: CassandraCluster, reached: Settings) -> Settings:
    """Empty the tables that fsck looks at, so that a test may count rows; return the settings."""
    session = cluster.session()
    for table in (*(table.name for table in CONDITIONAL_TABLES), "revocations"):
        session.execute(f"TRUNCATE {reached.keyspace}.{table}")
    return reached


def answers(store: CassandraAccounts) -> bool:
    """Tell whether the store answers."""
    try:
        store.probe()
    except StoreUnavailable:
        return False
    return True
