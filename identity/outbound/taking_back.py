"""Taking kept tokens back at a provider, for callers without an event loop: it is rare, so each call has its own."""

import asyncio

from identity.outbound.client import OutboundClient
from identity.outbound.rules import OutboundRules
from providers.base import KeepsTokens


def take_back(provider: KeepsTokens, name: str, tokens: tuple[str, ...], *, rules: OutboundRules) -> bool:
    """Return whether the provider has an address for it. Must not be called on an event loop. Raises ProviderBroken."""
    return asyncio.run(_taken_back(provider, name, tokens, rules))


async def _taken_back(provider: KeepsTokens, name: str, tokens: tuple[str, ...], rules: OutboundRules) -> bool:
    client = OutboundClient(rules)
    try:
        return await provider.revoke(tokens, client.for_provider(name))
    finally:
        await client.aclose()
