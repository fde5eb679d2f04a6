"""Composing the keeping of providers' tokens: the service that hands them out, and what lets go of them.

Letting go asks a provider, which is async, in the middle of ending sessions, which is not. So it has a thread of
its own in the daemon, where no session may wait for a provider, and in a command it is done before the command ends.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import BoundedSemaphore
from typing import Final
from uuid import uuid4

from identity.accounts.store import AccountStore, Revocation
from identity.config import Config
from identity.encryption import Encryption
from identity.keyring import Purpose
from identity.opening import Wiring
from identity.outside import built, outbound_rules, site
from identity.types import SECOND
from identity.upstream_tokens.letting_go import LettingGo, TakeBack
from identity.upstream_tokens.sealing import GrantSeal
from identity.upstream_tokens.service import TokenRules, UpstreamTokens
from providers.base import KeepsTokens

AROUND_A_CALL_MS: Final = 20 * SECOND
"""What a claim lasts beyond the longest call: waiting for it, for threads, and for the store."""
MOST_WAITING: Final = 1_000
"""Revocations whose tokens wait; those of more stay for `fsck`."""


def keeping(config: Config) -> frozenset[str]:
    """Return the providers whose tokens are kept."""
    return frozenset(section.name for section in config.providers if section.keep_tokens)


def token_rules(config: Config) -> TokenRules:
    """Return what the operator decided about kept tokens."""
    return TokenRules(keeping(config), config.outbound.timeout_ms + AROUND_A_CALL_MS)


def kept_tokens(wiring: Wiring, store: AccountStore) -> UpstreamTokens:
    """Compose the service."""
    return UpstreamTokens(
        store,
        _seal(wiring),
        rules=token_rules(wiring.config),
        clock=wiring.clock,
        new_uuid=uuid4,
        count=wiring.metrics.count,
        checkpoint=wiring.checkpoint,
    )


def letting_go(
    wiring: Wiring,
    store: AccountStore,
    *,
    end: Callable[[Revocation], None],
    take_back: TakeBack,
    closing: ExitStack | None = None,
) -> Callable[[Revocation], None]:
    """Return what ends the sessions of a revocation, and then lets go of the tokens it leaves.

    With `closing`, which stops it, on a thread of its own; without, before it returns.
    """
    let_go = LettingGo(
        store,
        _seal(wiring),
        take_back=take_back,
        pause=lambda ms: time.sleep(ms / SECOND),
        note=wiring.note,
        clock=wiring.clock,
        new_uuid=uuid4,
        checkpoint=wiring.checkpoint,
    )
    follow = _Behind(let_go, closing) if closing else let_go

    def carry_out(revocation: Revocation) -> None:
        end(revocation)
        follow(revocation)

    return carry_out


class TakingBack:
    """Asks providers to take tokens back.

    Args:
        config: the providers, and the limits of calls.
    """

    def __init__(self, config: Config) -> None:
        self._config = config

    def __call__(self, provider: str, tokens: tuple[str, ...]) -> bool | None:
        """Return whether the provider has an address for it; None if it is not configured. Raises ProviderBroken."""
        section = next((each for each in self._config.providers if each.name == provider), None)
        made: object = section and built(section, site(self._config))
        if not isinstance(made, KeepsTokens):
            return None
        from identity.outbound.taking_back import take_back  # noqa: PLC0415 - commands that ask no provider need no client

        return take_back(made, provider, tokens, rules=outbound_rules(self._config))


class _Behind:
    """Does it on one thread, in order, without keeping the caller waiting."""

    def __init__(self, let_go: LettingGo, closing: ExitStack) -> None:
        self._let_go = let_go
        self._room = BoundedSemaphore(MOST_WAITING)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="idd-letting-go")
        closing.callback(self._thread.shutdown, wait=True, cancel_futures=True)

    def __call__(self, revocation: Revocation) -> None:
        if self._room.acquire(blocking=False):
            self._thread.submit(self._let_go, revocation).add_done_callback(lambda _: self._room.release())


def _seal(wiring: Wiring) -> GrantSeal:
    return GrantSeal(
        Encryption(wiring.ring, purpose=Purpose.KEPT, clock=wiring.clock, random_bytes=wiring.random_bytes)
    )
