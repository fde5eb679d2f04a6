"""The stores: every driver of memcached, SQLite and (later) Cassandra, behind the domains' Protocols.

Owns all traffic with them. Must not decide anything about sessions or accounts. Driver exceptions
never leave this package: an outage is StoreUnavailable or a typed value.
"""
