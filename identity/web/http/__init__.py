"""What every request meets: framing, bodies, parameters, form tokens, handlers and pages as such.

Must not know an address of its own. Invariant: nothing reaches a handler that was not framed, bounded
and asked for under one of our names.
"""
