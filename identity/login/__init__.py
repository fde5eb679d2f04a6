"""Logins in progress: from "log in with X" to an opened session.

This package owns the flow records, the rules of each step, and the one service call a provider's
answer ends in. It does not speak HTTP and does not know any provider.
"""
