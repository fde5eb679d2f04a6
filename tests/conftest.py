"""What holds for every test: the guards, the servers, the rule on skips.

The parts are plugins under tests/support; each says what it owns.
"""

# Authlib puts a filter "always" in front of ours when it is first imported; importing it here,
# before pytest sets `filterwarnings`, lets its deprecations be errors like all others.
import authlib.deprecate  # noqa: F401
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.support.guards", "tests.support.skips", "tests.support.services"]

# No test may depend on how fast the machine is.
settings.register_profile("identityd", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("identityd")
