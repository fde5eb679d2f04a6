"""What the driver's errors mean to identityd.

Owns the one list of exceptions that are Cassandra's and not ours, and the words an operator reads.
The driver often wraps the real cause: NoHostAvailable holds one error for each node it tried.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

from cassandra import (
    AuthenticationFailed,
    ConsistencyLevel,
    DriverException,
    OperationTimedOut,
    Timeout,
    Unauthorized,
    Unavailable,
    UnresolvableContactPoints,
)
from cassandra.cluster import NoHostAvailable
from cassandra.connection import ConnectionBusy, ConnectionException
from cassandra.protocol import ErrorMessage

from identity.errors import StoreUnavailable

DRIVER_ERRORS: Final = (
    DriverException,
    NoHostAvailable,
    ErrorMessage,  # codes the driver does not know arrive as they are, for example CAS_WRITE_UNKNOWN
    ConnectionException,
    ConnectionBusy,
    OSError,
)
"""Everything a statement or a connection can fail with."""


def causes(error: BaseException) -> Iterator[tuple[str, BaseException]]:
    """Yield where it went wrong ("" if unknown) and why, without the wrapping."""
    if isinstance(error, NoHostAvailable) and error.errors:
        for host, cause in error.errors.items():
            for _, inner in causes(cause):
                yield str(host), inner
    else:
        yield "", error


def is_timeout(error: BaseException) -> bool:
    """Tell whether waiting a moment and asking again may help: some node was too slow to answer."""
    return any(isinstance(cause, OperationTimedOut | Timeout | ConnectionException) for _, cause in causes(error))


def unavailable(error: BaseException) -> StoreUnavailable:
    """Return what the caller may know: that the store is away, with the cause for the log."""
    return StoreUnavailable(detail=f"cassandra: {describe(error)}")


def describe(error: BaseException) -> str:
    """Say in one line what is wrong. Values of statements never appear in driver errors, and not here."""
    said = dict.fromkeys(f"{host}: {_words(cause)}" if host else _words(cause) for host, cause in causes(error))
    return "; ".join(said) or type(error).__name__


def _words(error: BaseException) -> str:
    return next((words(error) for kind, words in _WORDS if isinstance(error, kind)), str(error)) or type(error).__name__


def _too_few(error: Any) -> str:  # noqa: ANN401 - the driver is untyped
    level = ConsistencyLevel.value_to_name.get(error.consistency, error.consistency)
    return f"not enough replicas are up ({error.alive_replicas} of {error.required_replicas} for {level})"


def _too_slow(error: Any) -> str:  # noqa: ANN401 - the driver is untyped
    return f"replicas did not answer in time ({error.received_responses} of {error.required_responses})"


def _not_granted(error: BaseException) -> str:
    """Say which right is lacking: migrate needs others than the daemon."""
    said = str(error).partition('message="')[2].rstrip('"') or "the user may not do this"
    return f"{said}; docs/cassandra.md, Roles, has the GRANTs"


_WORDS: Final[tuple[tuple[type[BaseException], Callable[[Any], str]], ...]] = (
    (Unavailable, _too_few),
    (Timeout, _too_slow),
    (OperationTimedOut, lambda _: "no answer in time"),
    (AuthenticationFailed, lambda _: "the user or password is refused"),
    (Unauthorized, _not_granted),
    (UnresolvableContactPoints, lambda _: "no contact point has an address; correct [cassandra] contact_points"),
    (NoHostAvailable, lambda _: "no node answers"),
    # The driver puts the addresses it tried before the system's own words.
    (OSError, lambda error: (error.strerror or str(error)).rpartition("Last error: ")[2].lower()),
    (ErrorMessage, lambda error: f"{error.summary}: {error.message}"),
)
