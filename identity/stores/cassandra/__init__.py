"""Accounts in Cassandra: key look-ups only, several data centres, no single machine to lose.

Owns everything that knows the driver; no other module imports it. Rows that can be raced are
written by lightweight transactions only, all others plainly: `statements.py` lists every
statement the daemon ever sends. Invariant: no driver exception leaves this package, and a write
whose outcome is unknown is looked up before its caller gets an answer.
"""
