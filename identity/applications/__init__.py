"""Registered programs: who they are, on which hosts, and how they prove it.

Owns the record of an application and how one proves itself. Must not know where applications are
written down, nor a request beyond its `Authorization` header.
"""
