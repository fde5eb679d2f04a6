"""Session checks of concurrent requests, gathered: one thread hop and one read for all of them.

Owns the queue between handlers and `Checker.check_many`. While a round is on a thread,
requests that arrive wait for the next one, so the load itself makes the rounds larger: no timer,
no added wait when idle. First come, first served; a round takes at most `ROUND` checks and at
most `rounds` run at once.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from identity.errors import StoreUnavailable
from identity.sessions.check import Check, Verdict
from identity.types import Count
from identity.web.state.pool import Observe, Pool

ROUND: Final = 256
CheckMany: TypeAlias = Callable[[Sequence[Check]], list[Verdict]]
_Waiting: TypeAlias = tuple[Check, "asyncio.Future[Verdict]"]


class Asker:
    """Gathers checks into rounds.

    Args:
        check_many: answers in order; blocking.
        pool: where it runs.
        rounds: how many rounds may be under way at once.
        waiting: how many checks may wait; one more is refused at once (`overloaded`).
        count, observe: told what became of each check, and how many went together.
        heard: told the application and the verdict of each check.
    """

    def __init__(
        self,
        check_many: CheckMany,
        pool: Pool,
        *,
        count: Count,
        observe: Observe,
        heard: Callable[[str, Verdict], None] = lambda _app, _verdict: None,
        rounds: int = 4,
        waiting: int = 4_096,
    ) -> None:
        self._count = count
        self._heard = heard
        self._observe = observe
        self._check_many = check_many
        self._pool = pool
        self._rounds = rounds
        self._room = waiting
        self._running: set[asyncio.Task[None]] = set()
        self._waiting: deque[_Waiting] = deque()

    async def ask(self, check: Check) -> Verdict:
        """Return the verdict. Raises what the service raised, and StoreUnavailable when too many wait."""
        if len(self._waiting) >= self._room:
            raise StoreUnavailable("overloaded", detail="too many session checks wait")
        answer: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        self._waiting.append((check, answer))
        # The next turn of the loop starts the round, so that requests of one turn share it.
        asyncio.get_running_loop().call_soon(self._start)
        verdict = await answer
        self.note(check, verdict)
        return verdict

    def note(self, check: Check, verdict: Verdict) -> None:
        """Count what became of a check; `ask` does it by itself."""
        app = check.client or "login"
        self._count("identityd_checks_total", app=app, verdict=verdict.outcome.value, reason=verdict.reason)
        if verdict.minted:
            self._count("identityd_tokens_minted_total", app=app)
        self._heard(app, verdict)

    def _start(self) -> None:
        if not self._waiting or len(self._running) >= self._rounds:
            return
        taken = [self._waiting.popleft() for _ in range(min(ROUND, len(self._waiting)))]
        asked = [(check, answer) for check, answer in taken if not answer.cancelled()]
        task = asyncio.get_running_loop().create_task(self._round(asked))
        self._running.add(task)
        task.add_done_callback(self._next)

    def _next(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._start()

    async def _round(self, asked: Sequence[_Waiting]) -> None:
        self._observe("identityd_gathered_checks", len(asked))
        try:
            verdicts = await self._pool.run(self._check_many, [check for check, _ in asked])
        except Exception as error:  # noqa: BLE001, whatever it was belongs to each who asked
            for _, answer in asked:
                _settle(answer, error)
            return
        for (_, answer), verdict in zip(asked, verdicts, strict=True):
            _settle(answer, verdict)


def _settle(answer: "asyncio.Future[Verdict]", outcome: Verdict | Exception) -> None:
    if answer.done():
        return
    if isinstance(outcome, Exception):
        answer.set_exception(outcome)
    else:
        answer.set_result(outcome)
