"""The daemons that attacks are tried on."""

from tests.support.logins import logins, running_logins  # noqa: F401 - fixtures
from tests.support.realm import realm, running_realm  # noqa: F401 - fixtures
