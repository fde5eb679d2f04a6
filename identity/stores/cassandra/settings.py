"""What it takes to reach a Cassandra cluster."""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from identity.types import SECOND, Millis
from options.secret import Secret

TIMEOUT_MS: Final = 3 * SECOND
CONNECT_TIMEOUT_MS: Final = 2 * SECOND


class Consistency(Enum):
    """How many replicas answer a read and acknowledge a write."""

    LOCAL_QUORUM = "local-quorum"
    QUORUM = "quorum"


class SerialConsistency(Enum):
    """Among which replicas a claim is decided."""

    SERIAL = "serial"
    """Among those of all data centres: a name is given once in the world."""
    LOCAL_SERIAL = "local-serial"
    """Among those of this data centre, for a keyspace that has only one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Files in PEM. `certificate` and `key` are ours, where the cluster asks for them."""

    ca: Path
    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One cluster and keyspace, as `[cassandra]` names them.

    `timeout_ms` is how long one try of one statement may take; `connect_timeout_ms` the same for
    a connection. `audit_days` is how long audit rows are kept; 0 is for good.
    """

    contact_points: tuple[tuple[str, int], ...]
    local_data_centre: str
    keyspace: str
    username: str = ""
    password: Secret | None = None
    tls: Tls | None = None
    consistency: Consistency = Consistency.LOCAL_QUORUM
    serial_consistency: SerialConsistency = SerialConsistency.SERIAL
    timeout_ms: Millis = TIMEOUT_MS
    connect_timeout_ms: Millis = CONNECT_TIMEOUT_MS
    audit_days: int = 0
