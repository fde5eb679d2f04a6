"""Tokens of providers, kept so that applications can work there for their signed-in people.

Owns what is kept, how long it is good, who refreshes it, and taking it back. Must not call a provider:
that is async, and for the edge. Off unless an operator switches it on for a provider (ADR 22).
"""
