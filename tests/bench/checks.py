"""What a session check costs: the decision, the service, and over HTTP, beside a bare memcached get.

CPU microseconds are this process's own, the best of several rounds in one thread. The rows over
HTTP count the daemon's CPU time from the kernel's books, so the load generator is not in them.
"""

import asyncio
import os
import sys
import time
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from pymemcache.client.base import PooledClient

from identity.sessions.check import Check, Mode, Opening
from identity.sessions.gathering import group
from identity.sessions.packing import pack
from identity.sessions.planning import Asked, Jar, Rules, plan
from identity.sessions.service import Opened
from identity.sessions.store import Found, Version
from identity.stores.alarm import CorruptAlarm
from identity.stores.records import SessionRecords, key_of
from identity.types import AccountId, IdentityKey, Username
from tests.bench.cache import cost, running_node
from tests.support.caches import account, memcached_cache, ring, servers, wall_clock
from tests.support.daemons import Heard, SessionDaemon
from tests.support.jars import AT, HOST, NAMES, NOW, BrowserJar, record, session, token
from tests.support.memcached import MemcachedNode, binary
from tests.support.running import Running

PEOPLE = 200
BATCH = 1_000
REQUESTS = 4_000
AT_ONCE = 32


def service_over(node: MemcachedNode) -> SessionDaemon:
    """Return a session service over a real memcached."""
    keys = ring()
    store = SessionRecords(
        memcached_cache(servers([node])), keys=lambda: keys, clock=wall_clock, alarm=CorruptAlarm(clock=wall_clock)
    )
    return SessionDaemon(
        store,
        keys=lambda: keys,
        names=NAMES,
        rules=Rules(),
        clock=wall_clock,
        chance=Random(1).random,
        random_bytes=os.urandom,
        watcher=Heard(),
    )


def log_in(service: SessionDaemon, number: int) -> Check:
    """Open a session and return the check its browser would be."""
    jar = BrowserJar()
    account_id = AccountId(account(number))
    opening = Opening(
        account_id, Username(f"user{number}"), 1, IdentityKey(f"demo:{number}"), wall_clock(), HOST, "Firefox", ""
    )
    opened = service.open(opening, ticket=service.ticket(account_id), jar=jar.check())
    if not isinstance(opened, Opened):
        raise TypeError("a race in a measurement")
    jar.apply(opened.set_cookies)
    return jar.check(mode=Mode.READ_ONLY)


def decision() -> None:
    """Measure the pure part alone."""
    jar = Jar(group([token(2, 1, 0), token(3, 2, 1)]))
    reads = {AT: Found(record(session()), Version(b"1"))}
    asked = Asked(now=NOW, host=HOST, chance=0.9)
    row("decision alone (groups, table, advance)", cost(lambda: plan(jar, reads, asked, Rules())).cpu)


def in_process(node: MemcachedNode) -> None:
    """Measure the service in one thread."""
    service = service_over(node)
    checks = [log_in(service, number) for number in range(PEOPLE)]
    many = [checks[n % PEOPLE] for n in range(BATCH)]
    client = PooledClient(node.address, no_delay=True, default_noreply=False)
    key = key_of(ring().locator(account(0)))
    bare = cost(lambda: client.get(key))
    one = cost(lambda: service.check_many(checks[:1]))
    batch = cost(lambda: service.check_many(many), calls=5, each=BATCH)
    client.close()
    row("bare memcached get (pymemcache, pooled)", bare.cpu)
    row("one check, one read trip", one.cpu, f"{one.cpu / bare.cpu:.1f} x the bare get; {1e6 / one.wall:,.0f}/s")
    row("check in a batch of 1,000, one read trip", batch.cpu, f"{1e6 / batch.wall:,.0f} checks/s in one thread")


async def load(port: int, request: bytes, *, requests: int) -> float:
    """Send requests over keep-alive connections; return how many were answered in a second."""

    async def client(share: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(share):
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(head[:200].decode())
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
            await reader.readexactly(length)
        writer.close()

    begin = time.perf_counter()
    await asyncio.gather(*(client(requests // AT_ONCE) for _ in range(AT_ONCE)))
    return requests / (time.perf_counter() - begin)


def cpu_seconds(pid: int) -> float:
    """Return the CPU time a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mib(pid: int) -> float:
    """Return the memory a process holds."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def over_http(node: MemcachedNode) -> None:
    """Measure `/auth` of a daemon process with memcached."""
    with TemporaryDirectory() as folder:
        sections = {"sessions": {"store": "memcached"}, "memcached": {"nodes": f"n1=127.0.0.1:{node.port}"}}
        daemon = Running(Path(folder), sections)
        begin = time.perf_counter()
        with daemon:
            start_s = time.perf_counter() - begin
            pid = daemon.pid
            request = auth_request(daemon)
            asyncio.run(load(daemon.internal_port, request, requests=AT_ONCE * 10))
            before = cpu_seconds(pid)
            rate = asyncio.run(load(daemon.internal_port, request, requests=REQUESTS))
            row(
                "GET /auth over HTTP, 32 at once", (cpu_seconds(pid) - before) / REQUESTS * 1e6, f"{rate:,.0f} checks/s"
            )
            say(f"{'cold start until both listeners answer':<52}{start_s:>9.2f} s")
            say(f"{'memory of the daemon after that':<52}{rss_mib(pid):>9.0f} MiB")


def auth_request(daemon: Running) -> bytes:
    """Return a forward-auth request of somebody who is logged in."""
    cookie = daemon.sign_up("bench")
    host = daemon.url.partition("://")[2]
    return (
        f"GET /auth HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-Host: {host}\r\nX-Forwarded-Proto: http\r\n"
        f"X-Forwarded-Method: GET\r\nX-Forwarded-Uri: /static/x.css\r\nX-Forwarded-For: 127.0.0.1\r\n"
        f"Cookie: {cookie}\r\n\r\n"
    ).encode()


def sizes() -> None:
    """Say how large records are."""
    login = session()
    small = record(login)
    say(f"{'record of 1 device, sealed':<52}{len(pack(small)) + 18:>9,} bytes")
    say(f"{'key of a record':<52}{len(key_of(AT)):>9,} bytes")


def row(name: str, cpu: float, more: str = "") -> None:
    """Print one cost."""
    say(f"{name:<52}{cpu:>9.1f} us CPU   {more}")


def say(line: str) -> None:
    """Print a line."""
    sys.stdout.write(line.rstrip() + "\n")


def main() -> None:
    """Print the table."""
    say("\nchecks")
    decision()
    sizes()
    if binary() is None:
        say("memcached is not installed: the rest needs it (apt-get install memcached)")
        return
    with running_node() as node:
        in_process(node)
    # A node remembers whose it is; the daemon makes a key ring of its own.
    with running_node() as node:
        over_http(node)
