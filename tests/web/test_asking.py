"""Gathering concurrent checks, and the bounded threads they run on."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from contextlib import closing
from contextvars import ContextVar
from typing import Any, TypeVar

import pytest
import uvloop

from identity.errors import StoreUnavailable
from identity.metrics import Metrics
from identity.sessions.check import Check, Outcome, Verdict
from identity.types import Host
from identity.web.state.gathering import ROUND, Asker
from identity.web.state.pool import Pool
from tests.support.waiting import let_others_run
from tests.support.web import LOCAL, Site

T = TypeVar("T")


def _run(main: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


def _check(number: int) -> Check:
    return Check(cookies=(str(number),), host=Host("login.example"))


def _numbered(checks: Sequence[Check]) -> list[Verdict]:
    return [Verdict(Outcome.OK, check.cookies[0]) for check in checks]


class Held:
    """Answers by number once it is let go, and remembers how many came together."""

    def __init__(self) -> None:
        self.rounds: list[int] = []
        self.let_go = threading.Event()
        self.entered = threading.Event()

    async def has_begun(self) -> None:
        """Wait until a round is on its thread."""
        await asyncio.get_running_loop().run_in_executor(None, self.entered.wait, 10)

    def __call__(self, checks: Sequence[Check]) -> list[Verdict]:
        """Wait, then answer."""
        self.rounds.append(len(checks))
        self.entered.set()
        self.let_go.wait(10)
        return _numbered(checks)


def _pool(metrics: Metrics, threads: int = 4, waiting: int = 16) -> Pool:
    return Pool("checks", threads=threads, waiting=waiting, observe=metrics.observe)


def _asker(
    check_many: Callable[[Sequence[Check]], list[Verdict]], pool: Pool, metrics: Metrics, **limits: int
) -> Asker:
    return Asker(check_many, pool, count=metrics.count, observe=metrics.observe, **limits)


def _with_asker(
    check_many: Callable[[Sequence[Check]], list[Verdict]],
    main: Callable[[Asker], Coroutine[Any, Any, T]],
    **limits: int,
) -> T:
    metrics = Metrics()
    with closing(_pool(metrics)) as pool:
        return _run(main(_asker(check_many, pool, metrics, **limits)))


class TestAsker:
    """One hop and one read for many requests."""

    def test_requests_of_one_turn_share_a_round(self) -> None:
        """Otherwise each request costs its own trip to the store."""
        held = Held()
        held.let_go.set()

        async def main(asker: Asker) -> list[Verdict]:
            return await asyncio.gather(*(asker.ask(_check(n)) for n in range(100)))

        verdicts = _with_asker(held, main)

        assert [verdict.reason for verdict in verdicts] == [str(n) for n in range(100)]
        assert held.rounds == [100]

    def test_a_lone_request_waits_for_nobody(self) -> None:
        """Otherwise an idle daemon is slower than a busy one."""
        held = Held()
        held.let_go.set()

        verdict = _with_asker(held, lambda asker: asker.ask(_check(1)))

        assert (verdict.reason, held.rounds) == ("1", [1])

    def test_a_round_has_a_limit(self) -> None:
        """Otherwise a burst makes one answer late for everybody."""
        held = Held()
        held.let_go.set()

        async def main(asker: Asker) -> list[Verdict]:
            return await asyncio.gather(*(asker.ask(_check(n)) for n in range(ROUND + 44)))

        verdicts = _with_asker(held, main)

        assert [verdict.reason for verdict in verdicts] == [str(n) for n in range(ROUND + 44)]
        assert sorted(held.rounds) == [44, ROUND]

    def test_while_all_rounds_are_out_requests_gather(self) -> None:
        """Otherwise a slow store gets more trips instead of larger ones."""
        held = Held()

        async def main(asker: Asker) -> None:
            first = asyncio.ensure_future(asker.ask(_check(0)))
            await held.has_begun()
            later = [asyncio.ensure_future(asker.ask(_check(n))) for n in range(1, 51)]
            await let_others_run(turns=5)
            held.let_go.set()
            await asyncio.gather(first, *later)

        _with_asker(held, main, rounds=1)

        assert held.rounds == [1, 50]

    def test_first_come_is_first_served(self) -> None:
        """Otherwise an unlucky request waits until its browser gives up."""
        held = Held()
        order: list[str] = []

        async def one(asker: Asker, number: int) -> None:
            order.append((await asker.ask(_check(number))).reason)

        async def main(asker: Asker) -> None:
            tasks = [asyncio.ensure_future(one(asker, 0))]
            await held.has_begun()
            tasks += [asyncio.ensure_future(one(asker, n)) for n in range(1, 2 * ROUND)]
            await let_others_run()
            held.let_go.set()
            await asyncio.gather(*tasks)

        _with_asker(held, main, rounds=1)

        assert order == [str(n) for n in range(2 * ROUND)]

    def test_an_error_reaches_everybody_who_asked(self) -> None:
        """Otherwise requests hang when the service fails."""

        def broken(checks: Sequence[Check]) -> list[Verdict]:
            raise StoreUnavailable(detail=str(len(checks)))

        async def main(asker: Asker) -> list[Verdict | BaseException]:
            return await asyncio.gather(*(asker.ask(_check(n)) for n in range(3)), return_exceptions=True)

        answers = _with_asker(broken, main)

        assert [type(answer) for answer in answers] == [StoreUnavailable] * 3

    def test_a_failed_round_leaves_the_next_one_working(self) -> None:
        """Otherwise one error stops all checks."""
        fails = [True]

        def once(checks: Sequence[Check]) -> list[Verdict]:
            if fails.pop() if fails else False:
                raise StoreUnavailable
            return _numbered(checks)

        async def main(asker: Asker) -> str:
            with pytest.raises(StoreUnavailable):
                await asker.ask(_check(1))
            return (await asker.ask(_check(2))).reason

        assert _with_asker(once, main) == "2"

    def test_who_stops_waiting_takes_nobody_along(self) -> None:
        """Otherwise one closed tab cancels the checks of others."""
        held = Held()

        async def main(asker: Asker) -> Verdict:
            leaving = asyncio.ensure_future(asker.ask(_check(1)))
            staying = asyncio.ensure_future(asker.ask(_check(2)))
            await held.has_begun()
            leaving.cancel()
            held.let_go.set()
            return await staying

        assert _with_asker(held, main).reason == "2"

    def test_too_many_waiting_are_refused_at_once(self) -> None:
        """Otherwise an outage fills memory with requests nobody waits for."""
        held = Held()

        async def main(asker: Asker) -> list[Verdict | BaseException]:
            tasks = [asyncio.ensure_future(asker.ask(_check(0)))]
            await held.has_begun()
            tasks += [asyncio.ensure_future(asker.ask(_check(n))) for n in range(4)]
            await let_others_run()
            held.let_go.set()
            return await asyncio.gather(*tasks, return_exceptions=True)

        answers = _with_asker(held, main, rounds=1, waiting=3)

        refused = [answer for answer in answers if isinstance(answer, StoreUnavailable)]
        assert [error.code for error in refused] == ["overloaded"]


class TestPool:
    """A bounded number of threads and waiting calls."""

    def test_a_full_pool_refuses_at_once_and_recovers(self) -> None:
        """Otherwise every answer gets late, for ever."""
        gate = threading.Event()

        async def main(pool: Pool) -> tuple[str, bool]:
            held = [asyncio.ensure_future(pool.run(gate.wait, 10)) for _ in range(3)]
            await let_others_run()
            with pytest.raises(StoreUnavailable) as refused:
                await pool.run(gate.wait, 10)
            gate.set()
            await asyncio.gather(*held)
            return refused.value.code, await pool.run(gate.wait, 10)

        with closing(_pool(Metrics(), threads=1, waiting=2)) as pool:
            assert _run(main(pool)) == ("overloaded", True)

    def test_a_call_sees_the_requests_variables(self) -> None:
        """Otherwise lines logged on a thread lose their request id."""
        name: ContextVar[str] = ContextVar("name", default="nothing")

        async def main(pool: Pool) -> str:
            name.set("this request")
            return await pool.run(name.get)

        with closing(_pool(Metrics())) as pool:
            assert _run(main(pool)) == "this request"

    def test_waiting_is_measured(self) -> None:
        """Otherwise an operator cannot see that a pool is too small."""
        metrics = Metrics()
        with closing(_pool(metrics)) as pool:
            _run(pool.run(len, "abc"))

        assert b'identityd_pool_wait_seconds_count{pool="checks"} 1.0' in metrics.render()

    def test_an_error_comes_back_as_itself(self) -> None:
        """Otherwise handlers cannot tell an outage from a bug."""

        def broken() -> None:
            raise StoreUnavailable("store-down")

        with closing(_pool(Metrics())) as pool, pytest.raises(StoreUnavailable, match="store-down"):
            _run(pool.run(broken))


def test_concurrent_requests_over_http_share_reads() -> None:
    """Otherwise the gathering works on paper and every request still costs a trip."""
    with Site(trusted=(LOCAL,)) as site:
        jars = [site.log_in(username=f"user{n}") for n in range(4)]
        trips = site.count_reads()
        barrier = threading.Barrier(24)
        statuses: list[int] = []

        def client(number: int) -> None:
            for _ in range(10):
                barrier.wait(10)
                statuses.append(site.auth(jar=jars[number % 4]).status)

        threads = [threading.Thread(target=client, args=(n,)) for n in range(24)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert statuses == [200] * 240
        assert len(trips) < 240
