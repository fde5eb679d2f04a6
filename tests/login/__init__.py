"""Tests of logins in progress as services: no sockets, the real stores."""
