"""Simulated browsers and thieves against the production decision.

This package owns the model of networks, traffic and theft. It calls `identity.sessions.planning`
itself, not a copy, so that what it measures is what runs. It does no network I/O. The figures in
docs/sessions.md are its output.
"""
