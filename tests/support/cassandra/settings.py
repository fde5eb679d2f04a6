"""How a node of the tests is set up: small, quick to start, otherwise as operators run it.

Pure: what a node is told, from a `Plan`. Numbers here were measured on Cassandra 5.0; the properties
only take away waiting that a cluster on one machine does not need.
"""

from dataclasses import dataclass
from typing import Final

from tests.support.cassandra.tls import ServerTls

HEAP: Final = "512m"
"""Each keyspace of a test takes five megabytes of it; it grows only as far as it is needed."""

_OPENED: Final = (
    *("java.io", "java.lang", "java.lang.module", "java.lang.reflect", "java.nio", "java.util"),
    *("jdk.internal.loader", "jdk.internal.math", "jdk.internal.module", "jdk.internal.ref", "jdk.internal.reflect"),
    *("jdk.internal.util.jar", "sun.nio.ch"),
)
_EXPORTED: Final = (
    *("java.base/jdk.internal.misc", "java.base/java.lang.ref", "java.sql/java.sql", "jdk.unsupported/sun.misc"),
    *("java.management.rmi/com.sun.jmx.remote.internal.rmi", "java.rmi/sun.rmi.registry", "java.rmi/sun.rmi.server"),
)

JAVA_OPTIONS: Final = (
    "-Xms64m",
    f"-Xmx{HEAP}",
    # One compiler stage and the plain collector: a node lives for seconds and shares the processors.
    *("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-XX:ActiveProcessorCount=2"),
    *("-Xss512k", "-XX:MaxDirectMemorySize=256m", "-XX:+ExitOnOutOfMemoryError"),
    *("-Djava.net.preferIPv4Stack=true", "-Djdk.attach.allowAttachSelf=true"),
    *("-Dio.netty.tryReflectionSetAccessible=true", "-Dio.netty.allocator.maxOrder=9"),
    *(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in _OPENED),
    "--add-opens=jdk.management/com.sun.management.internal=ALL-UNNAMED",
    *(f"--add-exports={package}=ALL-UNNAMED" for package in _EXPORTED),
)

PROPERTIES: Final = {
    # Without it standard output is closed after the start, and with it goes the log.
    "cassandra-foreground": "yes",
    "cassandra.skip_wait_for_gossip_to_settle": "0",
    "cassandra.ring_delay_ms": "1000",
    # At 0 the nodes of a cluster ask each other in a circle until all are up.
    "cassandra.superuser_setup_delay_ms": "100",
    "cassandra.auth_bcrypt_gensalt_log2_rounds": "4",
    "cassandra.shutdown_announce_in_ms": "0",
    "cassandra.consistent.rangemovement": "false",
    "cassandra.test.ignore_sigar": "true",
    "cassandra.ignore_kernel_bug_1057843_check": "true",
    "cassandra.disable_tcactive_openssl": "true",
    "cassandra.sstable_activity_tracking": "false",
    "cassandra.available_processors": "2",
    # Otherwise every start measures it, for nearly two seconds.
    "cassandra.memtable.row_overhead_size": "181",
}

LOG: Final = """<configuration scan="false">
  <statusListener class="ch.qos.logback.core.status.NopStatusListener"/>
  <appender name="out" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%d{ISO8601} %-5level [%thread] %logger{0}: %msg%n</pattern></encoder>
  </appender>
  <root level="WARN"><appender-ref ref="out"/></root>
</configuration>
"""

_SMALL: Final = {
    "commitlog_segment_size": "8MiB",
    "commitlog_total_space": "64MiB",
    "memtable_heap_space": "32MiB",
    "memtable_offheap_space": "32MiB",
    "memtable_flush_writers": 1,
    "concurrent_reads": 8,
    "concurrent_writes": 8,
    "concurrent_counter_writes": 4,
    "concurrent_compactors": 1,
    "native_transport_max_threads": 32,
    "key_cache_size": "4MiB",
    "counter_cache_size": "0MiB",
    "row_cache_size": "0MiB",
    "paxos_cache_size": "4MiB",
    "prepared_statements_cache_size": "4MiB",
    "file_cache_size": "16MiB",
    "networking_cache_size": "16MiB",
    "auto_snapshot": False,
    "dynamic_snitch": False,
}

_PERIODIC: Final = {"commitlog_sync": "periodic", "commitlog_sync_period": "1000ms"}
_BATCH: Final = {"commitlog_sync": "batch"}

_PASSWORDS: Final = {
    "authenticator": "PasswordAuthenticator",
    "authorizer": "CassandraAuthorizer",
    "role_manager": "CassandraRoleManager",
    "roles_validity": "1s",
    "permissions_validity": "1s",
    "credentials_validity": "1s",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What a cluster is to be: one data centre's name per node, and how clients get in."""

    data_centres: tuple[str, ...]
    cql_port: int
    storage_port: int
    durable: bool
    hints: bool
    auth: bool
    tls: ServerTls | None

    @property
    def hosts(self) -> tuple[str, ...]:
        """Addresses of the nodes."""
        return loopback(len(self.data_centres))


def loopback(nodes: int) -> tuple[str, ...]:
    """Return the addresses of so many nodes: they share ports, so each has an address of its own."""
    return tuple(f"127.0.0.{index + 1}" for index in range(nodes))


def server_settings(plan: Plan, index: int) -> dict[str, object]:
    """Return what goes into cassandra.yaml of a node."""
    nodes = len(plan.data_centres)
    seeds = ",".join(f"{host}:{plan.storage_port}" for host in plan.hosts)
    seed_provider = {"class_name": "org.apache.cassandra.locator.SimpleSeedProvider", "parameters": [{"seeds": seeds}]}
    return {
        "cluster_name": "identityd tests",
        "partitioner": "org.apache.cassandra.dht.Murmur3Partitioner",
        # Tokens dealt out beforehand, so that all nodes may start at once.
        "num_tokens": 1,
        "initial_token": str(-(2**63) + index * (2**64 // nodes)),
        "auto_bootstrap": False,
        "endpoint_snitch": "GossipingPropertyFileSnitch",
        "seed_provider": [seed_provider],
        "listen_address": plan.hosts[index],
        "rpc_address": plan.hosts[index],
        "storage_port": plan.storage_port,
        "start_native_transport": True,
        "native_transport_port": plan.cql_port,
        "paxos_variant": "v2",
        # The least allowed: a dead node is noticed soonest.
        "phi_convict_threshold": 5,
        "hinted_handoff_enabled": plan.hints,
        "disk_failure_policy": "die",
        "commit_failure_policy": "die",
        "storage_compatibility_mode": "NONE",
        "user_defined_functions_enabled": False,
        **_SMALL,
        **(_BATCH if plan.durable else _PERIODIC),
        **(_PASSWORDS if plan.auth else {}),
        **({"client_encryption_options": plan.tls.settings()} if plan.tls else {}),
    }
