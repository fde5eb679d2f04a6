"""The daemons that attacks are tried on."""

from tests.support.application_hosts import running_sites, sites  # noqa: F401 - fixtures
from tests.support.logins import logins, running_logins  # noqa: F401 - fixtures
