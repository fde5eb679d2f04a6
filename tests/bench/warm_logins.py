"""What a whole login costs the daemon: CPU, calls and bytes to the provider, with warm caches.

The daemon is a process of its own over SQLite and sessions in its memory; the provider is the signing
upstream in this process. A login is two requests of the browser: the one that leads to the provider,
and the one that comes back. CPU is the daemon's, user and system, from the kernel's account of it.
"""

import os
import re
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlencode, urljoin

from tests.support.browser import Browser
from tests.support.clock import ManualClock
from tests.support.loopback import Loopback
from tests.support.oauth1 import CONSUMER_KEY, CONSUMER_SECRET
from tests.support.running import Running
from tests.support.upstream import CLIENT_ID, Upstream

LOGINS = 200
WARM = 10
SECRET = "bench-secret-0123456789"
_TICKS_S = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Print the table."""
    sys.stdout.write(f"\n{LOGINS} returning logins each, through the daemon as a process, caches warm\n")
    sys.stdout.write("  provider     CPU ms  wall ms  calls  bytes sent and received\n")
    with Upstream(ManualClock(time.time_ns() // 1_000_000), secret=SECRET) as upstream, TemporaryDirectory() as folder:
        client = {"client_id": CLIENT_ID, "client_secret": SECRET}
        sections = {
            "server": {"logins_per_minute": "0"},
            "outbound": {"allow_networks": "127.0.0.0/8"},
            "provider:oidc": {"kind": "oidc", "issuer": upstream.url, **client},
            "provider:github": {"kind": "github", "url": upstream.url, **client},
            "provider:twitter": {
                "kind": "twitter1",
                "url": upstream.url,
                "consumer_key": CONSUMER_KEY,
                "consumer_secret": CONSUMER_SECRET,
            },
        }
        # Typed into a file, a secret is ASCII, which the upstream's own for tests is not.
        environ = {"IDENTITYD_PROVIDER_TWITTER_CONSUMER_SECRET": CONSUMER_SECRET}
        del sections["provider:twitter"]["consumer_secret"]
        with Running(Path(folder), sections, demo=False, environ=environ) as daemon:
            for provider in ("oidc", "github", "twitter"):
                _row(provider, daemon, upstream)


def _row(provider: str, daemon: Running, upstream: Upstream) -> None:
    process = daemon._process
    assert process is not None
    _sign_up(provider, daemon, upstream)
    for _ in range(WARM):
        _log_in(provider, daemon, upstream)
    upstream.seen.clear()
    before, moved = _cpu_s(process.pid), _bytes(provider, daemon)
    began = time.perf_counter()
    for _ in range(LOGINS):
        _log_in(provider, daemon, upstream)
    wall = (time.perf_counter() - began) * 1_000 / LOGINS
    cpu = (_cpu_s(process.pid) - before) * 1_000 / LOGINS
    calls = len(upstream.seen) / LOGINS
    each = (_bytes(provider, daemon) - moved) / LOGINS
    sys.stdout.write(f"  {provider:<10} {cpu:8.2f} {wall:8.2f} {calls:6.2f} {each:8.0f}\n")


def _log_in(provider: str, daemon: Running, upstream: Upstream) -> Browser:
    browser = Browser(Loopback())
    back = _answered(provider, browser, daemon, upstream)
    reply = browser.load("GET", back)
    assert reply.status in {302, 303}, (reply.status, reply.body)
    assert "welcome" not in (reply.one("Location") or "")
    return browser


def _sign_up(provider: str, daemon: Running, upstream: Upstream) -> None:
    browser = Browser(Loopback())
    page = browser.go(_answered(provider, browser, daemon, upstream))
    browser.submit(page, {"username": f"bench-{provider}"})


def _answered(provider: str, browser: Browser, daemon: Running, upstream: Upstream) -> str:
    """Begin a login and let the person agree; where the browser is sent back to."""
    begun = browser.load("GET", f"{daemon.url}/login/{provider}")
    location = begun.one("Location")
    assert location is not None, begun.body
    if provider == "twitter":
        reply = browser.load("GET", f"{location}&choice=allow", headers=(("X-Browser", "yes"),))
        return urljoin(location, reply.one("Location") or "")
    return f"{daemon.url}/login/{provider}/callback?{urlencode(upstream.visit(location))}"


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_S


def _bytes(provider: str, daemon: Running) -> float:
    """Return what was sent to and received from a provider, as the daemon counts it."""
    text = daemon.ask("GET", "/metrics")[2].decode()
    found = re.search(rf'^identityd_provider_bytes_sum{{provider="{provider}"}} (\S+)$', text, re.MULTILINE)
    return float(found[1]) if found else 0.0


if __name__ == "__main__":
    main()
