"""What an operator reads of the driver's errors."""

from cassandra.protocol import UnauthorizedErrorMessage

from identity.stores.cassandra.faults import describe


def test_a_right_that_is_lacking_is_named() -> None:
    """Who runs migrate with the daemon's role would be told to grant what that role has."""
    said = "User identityd has no CREATE permission on <keyspace identityd> or any of its parents"

    words = describe(UnauthorizedErrorMessage(0x2100, said, None).to_exception())

    assert words == f"{said}; docs/cassandra.md, Roles, has the GRANTs"
