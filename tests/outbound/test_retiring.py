"""A client to the outside that another configuration has replaced."""

import asyncio
import threading
from ipaddress import ip_network

from identity.outbound.allowed_addresses import AllowedAddresses
from identity.outbound.client import OutboundClient
from identity.outbound.rules import OutboundRules
from tests.support.origin import Answer, Asked, Origin


def test_it_finishes_its_calls_and_keeps_no_connection() -> None:
    """A reload would cut a call that carries a code, or leave connections open for each configuration there was."""
    inside, goes_on = threading.Event(), threading.Event()

    def answer(asked: Asked) -> Answer:
        if asked.target == "/slow":
            inside.set()
            goes_on.wait(10)
        return Answer()

    async def retired(origin: Origin) -> tuple[bool, list[int]]:
        client = OutboundClient(OutboundRules(allowed=AllowedAddresses(networks=(ip_network("127.0.0.0/8"),))))
        http = client.for_provider("acme")
        before = [(await http.fetch("GET", origin.url())).status for _ in range(2)]
        under_way = asyncio.create_task(http.fetch("POST", origin.url("/slow"), body=b"code"))
        await asyncio.to_thread(inside.wait, 10)
        await client.retire()
        cut = under_way.done()
        goes_on.set()
        during = (await under_way).status
        after = [(await http.fetch("GET", origin.url())).status for _ in range(2)]
        return cut, [*before, during, *after]

    with Origin(answer) as origin:
        assert asyncio.run(retired(origin)) == (False, [200] * 5)

    assert origin.connections == 4  # the first two shared one, and none of the others was kept
