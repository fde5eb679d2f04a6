"""A provider that others wrote, as a process of its own on loopback: started, waited for, ended."""

import os
import ssl
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import httpx2

from tests.support.waiting import serving

_STARTS_WITHIN_S: Final = 120
"""Keycloak takes four seconds, and much longer on a machine that has better to do."""


class ProviderProcess:
    """A provider's program.

    Args:
        command: starts it in the foreground.
        log: the file for what it says.
        ready: an address that answers 200 as soon as people can log in.
        trust: for an address with TLS.
        environ: further environment variables.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        ready: str,
        trust: ssl.SSLContext | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._command = command
        self._log = log
        self._ready = ready
        self._trust = trust
        self._environ = {**os.environ, **(environ or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it is ready."""
        with self._log.open("ab") as log:
            process = subprocess.Popen(self._command, stdout=log, stderr=log, env=self._environ)
        self._process = process
        try:
            serving(
                lambda: httpx2.get(self._ready, verify=self._trust or True, trust_env=False).raise_for_status(),
                alive=lambda: process.poll() is None,
                within_s=_STARTS_WITHIN_S,
                failure=lambda: f"{self._command[0]} did not start:\n{self._log.read_text(errors='replace')[-3000:]}",
                busy=(httpx2.HTTPError,),
            )
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End it without warning, if it runs."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(timeout=10)
