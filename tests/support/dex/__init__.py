"""Dex, the OpenID provider in Go: what `.ci/services nightly` built, started on loopback."""
