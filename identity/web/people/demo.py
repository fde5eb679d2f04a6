"""The page of the demonstration provider: who would you like to be?

Owns the other side of `providers.demo`, at `/demo/<provider>`, as a real provider's pages would be
on a site of its own. It answers only browsers that hold the binding cookie of the login they came
with, and its form is bound to that cookie. Its routes are added by the composition root only when
the daemon runs as a demonstration.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from identity.errors import FlowInvalid, NotFound
from identity.web.http import parameters
from identity.web.http.base import Listener, Route
from identity.web.http.page import PageHandler
from identity.web.people import binding_cookies
from providers.demo import CARRIED, PEOPLE, DemoProvider, DemoRequest

_NAME_LIMIT: Final = 200


class Demo(PageHandler):
    """Asks who to be, and sends the browser back with a code or a refusal."""

    async def get(self, name: str) -> None:
        """Show the people."""
        provider = self._provider(name)
        request = self._request(provider, parameters.Sent(self.request.query_arguments))
        self._ask(provider, request)

    async def post(self, name: str) -> None:
        """Take the choice."""
        provider = self._provider(name)
        request = self._request(provider, {each: self.field(each) or "" for each in CARRIED})
        self.check_form(self._binding(request))
        if self.field("choice") == "deny":
            self.go_out(provider.refuse(request))
            return
        location = provider.allow(request, self.field("person", limit=_NAME_LIMIT) or "")
        if location is None:
            self._ask(provider, request, problem="empty")
        else:
            self.go_out(location)

    def _ask(self, provider: DemoProvider, request: DemoRequest, *, problem: str = "") -> None:
        self.show(
            "demo",
            status=HTTPStatus.BAD_REQUEST if problem else HTTPStatus.OK,
            action=self.request.path,
            csrf=self.csrf_token(self._binding(request)),
            hidden=tuple(request.carried().items()),
            people=PEOPLE,
            provider=provider.label,
            problem=problem,
        )

    def _provider(self, name: str) -> DemoProvider:
        provider = self.context.providers.get(name)
        if not isinstance(provider, DemoProvider):
            raise NotFound
        return provider

    def _request(self, provider: DemoProvider, params: Mapping[str, str]) -> DemoRequest:
        request = provider.asked(params)
        if request is None:
            raise FlowInvalid(detail="the demonstration page without a login of its provider")
        return request

    def _binding(self, request: DemoRequest) -> bytes:
        """Return what binds this login to this browser. Raises FlowInvalid."""
        secret = binding_cookies.secret_of(self.own_cookie(self.context.names.flow(request.state)))
        if secret is None:
            raise FlowInvalid(detail="the demonstration page without the cookie of a login")
        return secret.encode()


ROUTES: Final = (Route(r"/demo/([a-z0-9-]{1,32})", Demo, Listener.PUBLIC),)
