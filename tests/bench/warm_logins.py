"""What a whole login costs the daemon: CPU, calls and bytes to the provider, with warm caches.

The daemon is a process of its own over SQLite and sessions in its memory; the provider and the browser
are in this process. A login is two requests of the browser, each on a new connection: the one that leads
to the provider, and the one that comes back. People return in turn, so an account has a handful of open
sessions. CPU is the daemon's, all of its threads, user and system, by the kernel's clock of it.

Machines differ, and a shared one from minute to minute: what others do empties the caches of the processor, and
a login that costs 3 ms alone costs 6. So beside the mean stands what a tenth of the logins stayed below, and the
same run measures what a bare memcached get and the verification of an RSA signature cost in this process, and what
the daemon needs to answer a request that asks nothing of it (the stylesheet). That tenth is also given in gets and
in such requests.
"""

import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlencode, urljoin

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from identity.web.pages.style import PATH
from tests.bench.cache import bare_rows, cost, running_node
from tests.support.browser import Browser
from tests.support.clock import ManualClock
from tests.support.loopback import Loopback
from tests.support.memcached import binary
from tests.support.oauth1 import CONSUMER_KEY, CONSUMER_SECRET, VERIFY_CREDENTIALS
from tests.support.running import Running
from tests.support.upstream import CLIENT_ID, Upstream

PEOPLE = 40
LOGINS = 200
SECRET = "bench-secret-0123456789"


@dataclass(frozen=True, slots=True)
class Yardsticks:
    """What a login is compared with."""

    get_us: float
    """One value from memcached, by the bare client, in this process; 0 if memcached is not installed."""
    verification_us: float
    """One RSA signature of 2048 bits, in this process."""
    request_ms: float
    """One request of the daemon, on a new connection, that asks nothing of it."""


def main() -> None:
    """Print the table."""
    with Upstream(ManualClock(time.time_ns() // 1_000_000), secret=SECRET) as upstream, TemporaryDirectory() as folder:
        client = {"client_id": CLIENT_ID, "client_secret": SECRET}
        sections = {
            "server": {"logins_per_minute": "0"},
            "outbound": {"allow_networks": "127.0.0.0/8"},
            "provider:oidc": {"kind": "oidc", "issuer": upstream.url, **client},
            "provider:github": {"kind": "github", "url": upstream.url, **client},
            "provider:twitter": {"kind": "twitter1", "url": upstream.url, "consumer_key": CONSUMER_KEY},
        }
        environ = {"IDENTITYD_PROVIDER_TWITTER_CONSUMER_SECRET": CONSUMER_SECRET}
        with Running(Path(folder), sections, demo=False, environ=environ) as daemon:
            yardsticks = measured(daemon)
            say(f"\nlogins of {PEOPLE} people who return in turn, the daemon as a process, caches warm")
            say(
                f"  for comparison: a bare memcached get {yardsticks.get_us:.1f} µs, an RSA-2048 verification "
                f"{yardsticks.verification_us:.0f} µs, a request for the stylesheet {yardsticks.request_ms:.2f} ms CPU"
            )
            say("  provider   CPU ms   tenth  in gets  in requests  wall ms  calls  bytes sent and received")
            for provider in ("oidc", "github", "twitter"):
                row(provider, daemon, upstream, yardsticks)


def measured(daemon: Running) -> Yardsticks:
    """Measure the yardsticks."""
    gets = 0.0
    if binary() is not None:
        with running_node() as node:
            gets = dict(bare_rows(node, "bench"))["bare pymemcache PooledClient.get"].cpu
    key = rsa.generate_private_key(65_537, 2_048)
    signature, public = key.sign(b"bench", padding.PKCS1v15(), SHA256()), key.public_key()
    verification = cost(lambda: public.verify(signature, b"bench", padding.PKCS1v15(), SHA256())).cpu

    def ask() -> None:
        Browser(Loopback()).load("GET", f"{daemon.url}{PATH}")

    # The mean: the kernel may book so short a request with the next one, and the cheapest tenth is then nothing.
    mean, _ = each_cpu(daemon, cycle([ask]))
    return Yardsticks(gets, verification, mean)


def row(provider: str, daemon: Running, upstream: Upstream, yardsticks: Yardsticks) -> None:
    """Print what a login through one provider costs."""
    for number in range(PEOPLE):
        be(number, upstream)
        sign_up(provider, number, daemon, upstream)
    turns = cycle(range(PEOPLE))

    def logins() -> Iterator[Callable[[], None]]:
        for number in turns:
            be(number, upstream)
            yield lambda: log_in(provider, daemon, upstream)

    upstream.seen.clear()
    moved, began = moved_bytes(provider, daemon), time.perf_counter()
    mean, cpu = each_cpu(daemon, logins())
    wall = (time.perf_counter() - began) * 1_000 / LOGINS
    calls, each = len(upstream.seen) / LOGINS, (moved_bytes(provider, daemon) - moved) / LOGINS
    gets = cpu * 1_000 / yardsticks.get_us if yardsticks.get_us else 0.0
    requests = cpu / yardsticks.request_ms
    say(f"  {provider:<8} {mean:8.2f} {cpu:7.2f} {gets:8.0f} {requests:12.1f} {wall:8.2f} {calls:6.2f} {each:8.0f}")


def each_cpu(daemon: Running, calls: Iterator[Callable[[], None]]) -> tuple[float, float]:
    """Return the daemon's CPU milliseconds for a call: the mean, and what a tenth of the calls stayed below."""
    took = []
    for call in islice(calls, LOGINS):
        before = cpu_ms(daemon.pid)
        call()
        took.append(cpu_ms(daemon.pid) - before)
    return sum(took) / LOGINS, sorted(took)[LOGINS // 10]


def be(number: int, upstream: Upstream) -> None:
    """Let the person of this number be the one who answers at the provider."""
    subject = 1_000 + number
    upstream.person["sub"] = str(subject)
    upstream.user["id"] = subject
    upstream.oauth1.documents[VERIFY_CREDENTIALS] |= {"id": subject, "id_str": str(subject)}


def log_in(provider: str, daemon: Running, upstream: Upstream) -> None:
    """Log in with a new browser, as somebody who has an account."""
    browser = Browser(Loopback())
    reply = browser.load("GET", answered(provider, browser, daemon, upstream))
    assert reply.status in {302, 303}, (reply.status, reply.body)
    assert "welcome" not in (reply.one("Location") or "")


def sign_up(provider: str, number: int, daemon: Running, upstream: Upstream) -> None:
    """Make an account."""
    browser = Browser(Loopback())
    page = browser.go(answered(provider, browser, daemon, upstream))
    browser.submit(page, {"username": f"bench-{provider}-{number}"})


def answered(provider: str, browser: Browser, daemon: Running, upstream: Upstream) -> str:
    """Begin a login and let the person agree; where the browser is sent back to."""
    begun = browser.load("GET", f"{daemon.url}/login/{provider}")
    location = begun.one("Location")
    assert location is not None, begun.body
    if provider == "twitter":
        reply = browser.load("GET", f"{location}&choice=allow", headers=(("X-Browser", "yes"),))
        return urljoin(location, reply.one("Location") or "")
    return f"{daemon.url}/login/{provider}/callback?{urlencode(upstream.visit(location))}"


def cpu_ms(pid: int) -> float:
    """Return the CPU time that a process has used, threads that ended included."""
    process_clock = (~pid << 3) | 2  # what clock_getcpuclockid(3) returns; Python has no name for it
    return time.clock_gettime_ns(process_clock) / 1_000_000


def moved_bytes(provider: str, daemon: Running) -> float:
    """Return what was sent to and received from a provider, as the daemon counts it."""
    text = daemon.ask("GET", "/metrics")[2].decode()
    found = re.search(rf'^identityd_provider_bytes_sum{{provider="{provider}"}} (\S+)$', text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def say(line: str) -> None:
    """Print a line."""
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()
