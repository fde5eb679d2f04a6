"""Keycloak, the OpenID provider in Java: what `.ci/services nightly` installed, started on loopback."""
