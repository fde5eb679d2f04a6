"""HTTP: requests to plain values, one service call, outcomes to pages or JSON.

Owns both listeners. The only place that knows tornado, and with `outbound` and providers the only
one that is asynchronous; it reaches stores through services, never itself.
"""
