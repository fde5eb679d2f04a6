"""Another configuration under requests that are being answered."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final

from identity.web.http.base import JsonHandler, Listener, Route
from tests.support.web import Site

_ENTERED: Final = threading.Event()
_OPENED: Final = threading.Event()


class Told(JsonHandler):
    """Says which login host it knows, before and after a while."""

    async def get(self) -> None:
        """Answer when the gate is open."""
        before = self.context.public_url
        _ENTERED.set()
        await asyncio.to_thread(_OPENED.wait, 10)
        self.answer({"told": [before, self.context.public_url]})


def test_a_request_under_way_ends_with_the_configuration_it_began_with() -> None:
    """Half of an answer would follow the old configuration, and half the new one."""
    with Site(routes=(Route("/test/told", Told, Listener.PUBLIC),)) as site, ThreadPoolExecutor(1) as pool:
        old, new = site.context.public_url, "https://login.example:444"
        answer = pool.submit(site.public, "GET", "/test/told")
        assert _ENTERED.wait(10)
        site.call(site.daemon.exchange, replace(site.context, public_url=new))
        site.call(_OPENED.set)

        assert answer.result(10).json() == {"told": [old, old]}
        assert site.public("GET", "/test/told").json() == {"told": [new, new]}
