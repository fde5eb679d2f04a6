"""The one client to the outside: what may be called, what a call may take, and what one destination may hold of us.

Owns the network of outgoing requests; the only home of httpx2. It knows no domain and no web
framework: the composition root hands it, as `providers.base.Http`, to the code that calls.
"""
