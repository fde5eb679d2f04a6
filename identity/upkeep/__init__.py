"""Upkeep: what an operator does to the stores as a whole, beside the daemon or instead of it.

Owns finding and mending what a crash left (`fsck`, `diagnosis`, `mending`), copying one account
store into another (`copying`), and changing the list of memcached nodes (`node_list`). Must not
know the command line, nor any concrete store: stores are reached through their Protocols.
Invariant: each of these can be killed anywhere and run again.
"""
