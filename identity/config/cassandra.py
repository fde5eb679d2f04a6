"""The options of the account store in Cassandra.

Owns the section `[cassandra]`, one part of `model.py` in a file of its own. Must not know the
driver or any other option.
"""

from dataclasses import dataclass
from pathlib import Path

from identity.config import values
from identity.config.values import ContactPoint
from identity.stores.cassandra.settings import CONNECT_TIMEOUT_MS, TIMEOUT_MS, Consistency, SerialConsistency
from identity.types import Millis
from options import types
from options.option import option
from options.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class CassandraSection:
    """The accounts' cluster, for `[accounts] store = cassandra`."""

    contact_points: tuple[ContactPoint, ...] = option(
        values.contact_points,
        (),
        "Nodes asked first, as host or host:port with 9042 left out; all others are found through them.",
        live=False,
    )
    local_data_centre: str = option(
        types.text(empty=True),
        "",
        "Data centre this daemon is in, spelt as `nodetool status` spells it; its nodes are asked before all others.",
        live=False,
    )
    keyspace: str = option(
        types.text(
            pattern=r"[a-z][a-z0-9_]{0,47}",
            instead="must be 1 to 48 of a-z, 0-9 and _, beginning with a letter, like identityd",
        ),
        "identityd",
        "Keyspace that holds the accounts; docs/cassandra.md says how to make it.",
        live=False,
    )
    username: str = option(
        types.text(empty=True), "", "Role the daemon logs in as; empty if the cluster asks for none.", live=False
    )
    password: Secret | None = option(types.optional_password, None, "Password of that role.", live=False)
    tls_ca: Path | None = option(
        types.optional_path,
        None,
        "Certificates (PEM) that vouch for the nodes; given, every connection is TLS and each node's name is checked.",
        live=False,
    )
    tls_certificate: Path | None = option(
        types.optional_path, None, "Certificate (PEM) the daemon shows to nodes that ask for one.", live=False
    )
    tls_key: Path | None = option(
        types.optional_path, None, "Private key (PEM, not encrypted) of that certificate.", live=False
    )
    consistency: Consistency = option(
        types.choice(Consistency),
        Consistency.LOCAL_QUORUM,
        "Replicas that take part in reads and plain writes: a majority of the local data centre's, or of all.",
        live=False,
    )
    serial_consistency: SerialConsistency = option(
        types.choice(SerialConsistency),
        SerialConsistency.SERIAL,
        "With serial, names and identities are unique across all data centres; local-serial is right only where the "
        "keyspace has a single one.",
        live=False,
    )
    timeout_ms: Millis = option(
        types.seconds(0.1, 60), TIMEOUT_MS, "A request that is not answered within this is given up.", live=False
    )
    connect_timeout_ms: Millis = option(
        types.seconds(0.1, 60),
        CONNECT_TIMEOUT_MS,
        "A node that does not accept a connection within this is down.",
        live=False,
    )
    audit_days: int = option(
        types.whole(0, 36_500), 0, "Days for which audit rows are kept; 0 keeps them for good.", live=False
    )
