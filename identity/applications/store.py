"""What keeps the registered applications."""

from collections.abc import Sequence
from typing import Protocol

from identity.applications.application import Application
from identity.types import ClientId, Host


class ApplicationStore(Protocol):
    """The registered applications.

    Asked on the event loop, on every check: an answer is one look-up in memory. A store whose rows are
    elsewhere keeps a copy at hand.
    """

    def by_id(self, client_id: ClientId, /) -> Application | None:
        """Return the application with this id."""
        ...

    def by_host(self, host: Host, /) -> Application | None:
        """Return the application a host is registered to; of several the one registered first."""
        ...

    def all(self) -> Sequence[Application]:
        """Return them in the order of their registration."""
        ...
