"""What proxies and registered applications ask: whose session is it?

Invariant: every way of asking ends in the one checker, and an application sees only its own hosts.
"""
