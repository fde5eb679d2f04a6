"""The applications of the configuration, held to the contract of all stores of applications."""

import pytest

from identity.applications.store import ApplicationStore
from identity.stores.configured_applications import ConfiguredApplications
from tests.contracts.applications import OTHER, SHOP, WIKI, ApplicationContract


class TestConfiguredApplications(ApplicationContract):
    """The store the daemon has."""

    @pytest.fixture
    def store(self) -> ApplicationStore:
        """Give the store with the contract's applications."""
        return ConfiguredApplications((WIKI, SHOP, OTHER))
