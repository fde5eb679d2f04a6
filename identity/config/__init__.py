"""The configuration: an INI file to frozen values, or to every problem at once.

Owns every option's name, type, default and sentence (`model.py`, and each provider's own class of options),
how they are read (`load.py`), and what refuses to start (`rules.py`, `files.py`). Only the
composition root and the command line use it. Invariant: a configuration with any problem,
unknown names included, gives no `Config`.
"""

from identity.config.cassandra import CassandraSection
from identity.config.files import load_ring, require_certificate
from identity.config.load import load, parse
from identity.config.model import (
    AccountStoreKind,
    Config,
    LogFormat,
    LogLevel,
    ProviderSection,
    SessionStoreKind,
)
from identity.config.values import ContactPoint, MemcachedAddress, WebOrigin

__all__ = [
    "AccountStoreKind",
    "CassandraSection",
    "Config",
    "ContactPoint",
    "LogFormat",
    "LogLevel",
    "MemcachedAddress",
    "ProviderSection",
    "SessionStoreKind",
    "WebOrigin",
    "load",
    "load_ring",
    "parse",
    "require_certificate",
]
