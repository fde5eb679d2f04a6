"""What calls to login providers stand on: the providers that are configured, and the limits of the calls.

Owns the reading of both from the configuration, for the daemon and for the commands that ask a provider. Makes
no call.
"""

import os
from collections.abc import Mapping

from identity.config import Config
from identity.config.entry import facts_asked
from identity.config.model import ProviderSection
from identity.membership.facts import names_asked
from identity.opening import now
from identity.outbound.allowed_addresses import AllowedAddresses
from identity.outbound.rules import OutboundRules, proxy_of
from identity.types import Clock
from providers import build
from providers.base import Provider
from providers.kind import ProviderSite


def site(config: Config, clock: Clock = now) -> ProviderSite:
    """Return what providers are told of this daemon."""
    return ProviderSite(str(config.server.public_url), clock=clock, random_bytes=os.urandom, demo=config.demo)


def configured_providers(config: Config, clock: Clock) -> Mapping[str, Provider]:
    """Return the enabled providers by name."""
    told, asked = site(config, clock), facts_asked(config)
    return {
        section.name: built(section, told, facts=names_asked(asked, section.name))
        for section in config.providers
        if section.enabled
    }


def built(section: ProviderSection, told: ProviderSite, *, facts: frozenset[str] = frozenset()) -> Provider:
    """Make a configured provider; `facts` are the names of what rules ask about. Raises BadOptions."""
    keep, label = section.keep_tokens, section.label
    return build(section.kind, section.name, section.options, site=told, label=label, keep_tokens=keep, facts=facts)


def outbound_rules(config: Config) -> OutboundRules:
    """Return the limits of calls to providers."""
    given = config.outbound
    proxy, direct = proxy_of(given.proxy.text() if given.proxy else "", os.environ)
    return OutboundRules(
        allowed=AllowedAddresses(networks=given.allow_networks, hosts=frozenset(given.allow_hosts)),
        total_ms=given.timeout_ms,
        connect_ms=given.connect_timeout_ms,
        calls=given.calls,
        proxy=proxy,
        ca_file=str(given.ca_file or ""),
        direct=direct,
    )
