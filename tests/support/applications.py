"""Registered applications for tests."""

from collections.abc import Iterable

from identity.applications.application import Application
from identity.applications.service import ApplicationService
from identity.stores.configured_applications import ConfiguredApplications
from identity.types import ClientId, Host
from options.secret import Secret


def application(client_id: str, *secrets: str, hosts: Iterable[Host]) -> Application:
    """Return an application with no settings of its own."""
    return Application(id=ClientId(client_id), secrets=tuple(map(Secret, secrets)), hosts=tuple(hosts))


def registered(*applications: Application) -> ApplicationService:
    """Return the service over these applications."""
    return ApplicationService(ConfiguredApplications(applications))
