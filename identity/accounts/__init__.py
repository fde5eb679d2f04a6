"""Accounts: who a `provider:subject` is.

This package owns the identity map (index rows, usernames, accounts) and the steps that keep it
whole when they are interrupted. It does not know providers or HTTP, and of sessions only why
they end. An account is found by an identity key and by nothing else; e-mail and names are
information.
"""
