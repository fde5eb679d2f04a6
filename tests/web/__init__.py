"""Tests of the HTTP layer over real sockets and the real session service."""
