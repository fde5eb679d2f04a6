"""Pages and addresses that browsers open: logging in and out, the account, the way to an application.

One service call per request. Invariant: what takes effect is a POST with a token of our own form.
"""
