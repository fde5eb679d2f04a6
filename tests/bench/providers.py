"""Logins through one provider while another one hangs: the median beside what it is without.

Everything but the person is real: the client, sockets, codes, calls. In one process, so the machine
is the same for both; medians of blocks that alternate, because a shared machine drifts.
"""

import asyncio
import sys
import time
from statistics import median

from providers.base import Http
from tests.support.bench import Bench, bench
from tests.support.origin import Answer, Origin
from tests.support.upstream import CLIENT_ID, CLIENT_SECRET
from tests.support.waiting import RealClock, delay

LOGINS = 50
CROWD = 60
"""People who wait at the provider that hangs; the limit is 64."""


def main() -> None:
    """Print the table."""
    with bench() as on, Origin(lambda _: Answer(hang=True)) as hanging:
        options = {"url": on.upstream.url, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        on.build("github", options, name="healthy")
        logins(on)
        alone, beside = [], []
        for _ in range(3):
            alone += logins(on)
            crowd = on.run(arrive(on.http.client.for_provider("hanging"), hanging.url("/token")))
            beside += logins(on)
            waiting = on.run(leave(crowd))
    without, with_crowd = median(alone), median(beside)
    sys.stdout.write(
        f"\n{len(beside)} logins of 3 calls, one after the other; {waiting} people waiting at a provider that hangs\n"
        f"  without   {without:7.2f} ms in the median\n"
        f"  beside    {with_crowd:7.2f} ms\n"
        f"  ratio     {with_crowd / without:7.2f}\n"
    )


def logins(on: Bench) -> list[float]:
    """Log people in, one after the other; the milliseconds of each way back from the provider."""
    http, took = on.http.client.for_provider("healthy"), []
    for _ in range(LOGINS):
        login = on.begin()
        answer = on.callback(login, on.come_back(login))
        began = time.perf_counter()
        on.run(on.provider.finish(answer, http))
        took.append((time.perf_counter() - began) * 1_000)
    return took


async def arrive(http: Http, url: str) -> list["asyncio.Task[object]"]:
    """Let a crowd begin to wait."""
    crowd: list[asyncio.Task[object]] = [asyncio.create_task(http.fetch("POST", url)) for _ in range(CROWD)]
    await delay(0.5, RealClock.ARRIVALS)
    return crowd


async def leave(crowd: list["asyncio.Task[object]"]) -> int:
    """Let those who still wait go; how many that were."""
    waiting = sum(not task.done() for task in crowd)
    for task in crowd:
        task.cancel()
    await asyncio.gather(*crowd, return_exceptions=True)
    return waiting


if __name__ == "__main__":
    main()
