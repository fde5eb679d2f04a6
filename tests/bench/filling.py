"""What strangers leave behind: 20,000 logins that are begun and never finished, beside people who log in.

One client begins them as fast as it can, with addresses of all lengths; five people a second log in to
the end meanwhile. Printed is what the store holds afterwards beyond what those people caused. The pace
of the client is not limited here (`[server] logins_per_minute = 0`), or little would arrive.
"""

import http.client
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from random import Random
from statistics import median
from string import ascii_letters
from threading import Event
from typing import cast
from urllib.parse import unquote

from identity.stores.memory_cache import MemoryCache
from tests.support.caches import memcached_cache, servers
from tests.support.logins import LoginSite, location, query_of
from tests.support.memcached import MemcachedNode, binary
from tests.support.scripted import person
from tests.support.web import LOCAL

STARTS = 20_000
LOGINS_A_SECOND = 5
PEOPLE = 20
LONGEST = 2_000


class Watched(LoginSite):
    """A daemon whose store can be another one."""

    node: MemcachedNode | None = None

    def made_cache(self) -> MemoryCache:
        """Return the store that is measured."""
        if self.node is None:
            return super().made_cache()
        return cast("MemoryCache", memcached_cache(servers([self.node], ("a",))))


def main() -> None:
    """Print what is left, for both stores."""
    measure("sessions in the process", None)
    if binary() is None:
        sys.stdout.write("memcached is not installed: no figures for it (make services)\n")
        return
    node = MemcachedNode("-m", "16", "-M")
    node.start()
    try:
        measure("memcached of 16 MB", node)
    finally:
        node.stop()


def measure(name: str, node: MemcachedNode | None) -> None:
    """Print the figures of one store."""
    Watched.node = node
    with Watched(trusted=(LOCAL,)) as site:
        for number in range(PEOPLE):
            site.github.people[f"person{number}"] = person(f"person{number}")
            site.browser().sign_up(f"person{number}")
        before = held(site)
        over = Event()
        with ThreadPoolExecutor(1) as people:
            honest = people.submit(log_in, site, over)
            began = time.perf_counter()
            begin(site)
            took = time.perf_counter() - began
            over.set()
            passed, waits = honest.result()
        after = held(site)
    left = tuple(now - then for now, then in zip(after, before, strict=True))
    sys.stdout.write(
        f"{name:<26}{STARTS:>7,} starts, {STARTS / took:,.0f}/s; honest logins {passed} of {len(waits)} passed, "
        f"p50 {median(waits) * 1000:.0f} ms\n"
        f"{'':<26}values kept: {left[0]} for {passed} logins that were finished, "
        f"{(left[0] - passed) / STARTS:g} for each start\n"
        f"{'':<26}bytes kept: {left[1]:,} for those logins ({left[1] / max(passed, 1):.0f} each)\n"
    )


def begin(site: LoginSite) -> None:
    """Begin logins and never come back: one client, one connection."""
    chance = Random(1)
    path = "/" + "".join(chance.choices(ascii_letters, k=LONGEST))
    client = http.client.HTTPConnection(LOCAL, site.ports.public)
    for _ in range(STARTS):
        asked = f"/login/github?return_to={path[: chance.randrange(1, LONGEST)]}"
        client.request("GET", asked, headers={"Host": "login.example", "X-Forwarded-For": "198.51.100.7"})
        reply = client.getresponse()
        reply.read()
        if reply.status != http.client.FOUND:
            raise RuntimeError(reply.status)
    client.close()


def log_in(site: LoginSite, over: Event) -> tuple[int, list[float]]:
    """Let people log in, so many a second, until it is over; return how many did, and how long each took."""
    passed, waits = 0, list[float]()
    until = time.perf_counter()
    while not over.wait(max(0.0, until - time.perf_counter())):
        until += 1 / LOGINS_A_SECOND
        at = time.perf_counter()
        browser = site.browser()
        with suppress(AssertionError, OSError):
            state = query_of(location(browser.get("/login/github", X_Forwarded_For="203.0.113.9")))["state"]
            passed += browser.come_back(state, code=f"person{len(waits) % PEOPLE}").status == http.client.SEE_OTHER
        waits.append(time.perf_counter() - at)
    return passed, waits


def held(site: Watched) -> tuple[int, int]:
    """Return how many values and bytes the store holds beside session records."""
    sizes = _in_process(site) if site.node is None else _in_memcached(site.node)
    others = {key: size for key, size in sizes if not key.startswith(("s1:", "n1:"))}
    return len(others), sum(others.values())


def _in_process(site: Watched) -> list[tuple[str, int]]:
    return [(key, len(key) + len(item.value.data)) for key, item in site.cache._items.items()]


def _in_memcached(node: MemcachedNode) -> list[tuple[str, int]]:
    with socket.create_connection(node.address) as connection, connection.makefile("rb") as lines:
        connection.sendall(b"lru_crawler metadump all\r\n")
        dumped = iter(lines.readline, b"END\r\n")
        told = [dict(word.split("=", 1) for word in line.decode().split()) for line in dumped]
    return [(unquote(each["key"]), int(each["size"])) for each in told]
