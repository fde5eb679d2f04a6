"""The daemon beside a memcached whose connections fall silent, and one that hangs: what people and operators see."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.memcached import MemcachedNode
from tests.support.proxy import Proxy
from tests.support.racing import race
from tests.support.running import Running
from tests.support.waiting import until

pytestmark = pytest.mark.memcached
AT_ONCE = 12


def part(daemon: Running, name: str) -> dict[str, Any]:
    """Return what /readyz says of a part."""
    _, _, body = daemon.ask("GET", "/readyz")
    found: dict[str, Any] = next(each for each in json.loads(body)["parts"] if each["name"] == name)
    return found


def test_people_notice_nothing_when_a_firewall_forgets_and_wait_only_while_a_node_hangs(
    tmp_path: Path, memcached: list[MemcachedNode]
) -> None:
    """They were put off for a time-out and a rest per connection, and nobody could see why."""
    with Proxy(memcached[0].address) as proxy:
        # The proxy and a busy machine take their time; a time-out is what is looked for.
        patient = {"nodes": f"one=127.0.0.1:{proxy.port}", "connect_timeout_s": "5", "timeout_s": "2"}
        sections = {"sessions": {"store": "memcached"}, "memcached": patient}
        with Running(tmp_path / "run", sections) as daemon:
            cookie = daemon.sign_up("alice")
            race(AT_ONCE, lambda _: daemon.check(cookie))
            proxy.silence()

            forgotten = race(AT_ONCE, lambda _: daemon.check(cookie)["verdict"])

            assert forgotten == ["ok"] * AT_ONCE
            assert daemon.metric('identityd_node_silent_total{node="one"}') >= 1
            assert daemon.metric('identityd_node_up{node="one"}') == 1
            assert "fell silent" in part(daemon, "sessions (one)")["warning"]

            memcached[0].freeze()
            assert daemon.check(cookie)["verdict"] == "retry"
            assert daemon.metric('identityd_node_up{node="one"}') == 0
            assert part(daemon, "sessions (one)")["problem"] == "does not answer within 2000 ms"

            memcached[0].thaw()
            until(lambda: bool(daemon.check(cookie)["verdict"] == "ok"))
            assert daemon.metric('identityd_node_up{node="one"}') == 1
