"""What holds for every test: the guards, the servers, the rule on skips.

The parts are plugins under tests/support; each says what it owns. How many workers `-n auto` means stands here.
"""

import os
from collections.abc import Generator

# Authlib puts a filter "always" in front of ours when it is first imported; importing it here,
# before pytest sets `filterwarnings`, lets its deprecations be errors like all others.
import authlib.deprecate  # noqa: F401
import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.support.guards", "tests.support.skips", "tests.support.services"]

# No test may depend on how fast the machine is.
settings.register_profile("identityd", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("identityd")


@pytest.hookimpl(optionalhook=True, wrapper=True)
def pytest_xdist_auto_num_workers() -> Generator[None, int, int]:
    """Let `-n auto` be two workers more than there are processors, unless the environment says how many.

    Most of a run is spent waiting for daemons, proxies, browsers and Cassandra to start and to answer, and
    leaves the processors to other workers. Not a multiple: each worker may start servers of its own.
    """
    processors = yield
    return processors if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ else processors + 2
