"""What the daemon holds between requests, and every handler is given.

Must not answer anything. Invariant: whatever a stranger can make it hold has a bound.
"""
