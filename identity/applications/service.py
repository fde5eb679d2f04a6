"""Which application asks, whose a host is, and which there are.

Owns no rule of its own: proofs are judged in `authentication`. Safe on any thread.
"""

from collections.abc import Sequence

from identity.applications.application import Application
from identity.applications.authentication import authenticate, claimed
from identity.applications.store import ApplicationStore
from identity.types import ClientId, Host


class ApplicationService:
    """The registered applications, for listeners and operators."""

    def __init__(self, store: ApplicationStore) -> None:
        self._store = store

    def authenticate(self, authorization: str) -> Application:
        """Return the application whose id and secret an `Authorization` header shows. Raises ClientUnknown."""
        return authenticate(authorization, self._store.by_id)

    def claimed(self, authorization: str) -> ClientId | None:
        """Return the id of the registered application that a header names, proven or not; None if none is."""
        return claimed(authorization, self._store.by_id)

    def of_host(self, host: Host) -> Application | None:
        """Return the application a host is registered to."""
        return self._store.by_host(host)

    def called(self, host: Host) -> str:
        """Return what people call the application of a host: its label, otherwise the host."""
        app = self.of_host(host)
        return app.label if app and app.label else host

    def get(self, client_id: ClientId) -> Application | None:
        """Return the application with this id."""
        return self._store.by_id(client_id)

    def all(self) -> Sequence[Application]:
        """Return all applications in the order of their registration."""
        return self._store.all()
