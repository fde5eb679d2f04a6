"""What the daemon needs, asked how it is: its stores, its providers, its configuration file.

Owns what `/readyz` shows of them. Blocking; runs on a thread.
"""

from collections.abc import Iterator

from identity.config import Config
from identity.errors import StoreError
from identity.metrics import Metrics
from identity.opening import Accounts
from identity.outbound.client import OutboundClient
from identity.stores.cache import Cache
from identity.web.state.context import Probe


def providers(config: Config, client: OutboundClient) -> Iterator[Probe]:
    """Yield every provider; one in trouble is a warning, because the daemon is ready for all others."""
    troubles = client.troubles()
    for section in config.providers:
        if section.enabled:
            yield Probe(f"provider ({section.name})", warning=troubles.get(section.name, ""))


def stores(accounts: Accounts, cache: Cache, metrics: Metrics, config: Config) -> Iterator[Probe]:
    """Yield the account store and every memcached node; without one of them the daemon is not ready."""
    problem = ""
    try:
        accounts.probe()
    except StoreError as error:
        problem = error.detail or error.code
    metrics.set("identityd_accounts_up", 0 if problem else 1)
    yield Probe(f"accounts ({config.accounts.store.value})", problem)
    for node in cache.nodes():
        metrics.set("identityd_node_up", 0 if node.problem else 1, node=node.name)
        metrics.set("identityd_node_full", 1 if node.full else 0, node=node.name)
        yield Probe(f"sessions ({node.name})", node.problem, node.clock_ahead_ms, node.warning, full=node.full)


def configuration(doubts: str) -> Iterator[Probe]:
    """Yield the configuration file, if there is something to say of it."""
    if doubts:
        yield Probe("configuration", warning=doubts)
