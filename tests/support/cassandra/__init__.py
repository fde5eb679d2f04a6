"""A real Cassandra 5 for tests: what `.ci/services` installed, started on loopback.

For a test module of one's own::

    @pytest.fixture(scope="module")
    def keyspace(cassandra: CassandraCluster) -> str:
        return cassandra.fresh_keyspace()        # empty; 0.1 s on one node

- `cassandra.contact_points` is a list of (host, port), `cassandra.local_dc` the data centre to name.
- `cassandra.session()` is the administrator's driver session (as the superuser, where there are passwords);
  `tests.support.cassandra.driver.connected(cluster, login=…, context=…)` is one with another log-in or
  another TLS context.
- The node of `cassandra` is shared by all modules of a worker and may lose its last second when killed.
  What kills or freezes takes `start_cassandra(durable=True)`: 3 s of processor time for a node, 14 s for three.
- `start_cassandra(dcs=["DC1", "DC1", "DC2"], auth=True, tls="server" or "mutual")`; the cluster's
  `client_context()` is what a client needs then, and `tls.ca_file`, `tls.client` are the files for a
  configuration.
- One node or three: two alone never see each other here (`Seeds list is now empty!` in their logs).
- `restart` waits until the whole cluster serves again; after `thaw`, `settle()` does.
- A kill is seen by the other nodes after 10 to 25 s; until then writes that need it time out after 2 s,
  reads after 5 s.
- The driver's warnings are tolerated in all tests that use these fixtures, its errors are not.
- Tests with several nodes, or of more than some seconds, are marked `nightly`; `-m nightly` runs them.
"""
