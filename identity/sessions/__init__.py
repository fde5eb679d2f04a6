"""Sessions whose token rotates in use.

This package owns the token and its cookie, the record in memcached, and the decision what a
shown set of tokens means. It does not know accounts, providers or HTTP. Start reading at
`rotation.py`; docs/sessions.md gives the reasons.
"""
