"""Every address, and the two applications that answer them.

Owns the gathering of the modules' ROUTES, the canonical spelling of addresses, and what happens
at an address that does not exist. A page has one spelling, without a slash at its end; any other
number of slashes is one permanent redirect to it, made from the path that was asked for and never
from the Host header. Programs may use both. Dot segments and escapes are not resolved: what is
not a route as it was sent is 404.
"""

import logging
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final

from tornado.web import Application

from identity.errors import NotFound
from identity.forward_auth.targets import ascii_uri
from identity.web.http.base import Handler, JsonHandler, Listener, Route, require_host
from identity.web.http.bodies import INTERNAL, PUBLIC, Bodies
from identity.web.http.page import PageHandler, Side
from identity.web.http.request_target import SERVER
from identity.web.operators import health
from identity.web.people import (
    account,
    ack,
    application_login,
    assets,
    invitation,
    login_begin,
    logout,
    notices,
    posted_answer,
    provider_logout,
    refused,
    security_events,
    sign_up,
    ways,
)
from identity.web.programs import checks, forward_auth, provider_tokens, session_start
from identity.web.state.context import Context
from identity.web.state.traffic import Traffic

ROUTES: Final[tuple[Route, ...]] = (
    *account.ROUTES,
    *logout.ROUTES,
    *application_login.ROUTES,
    *assets.ROUTES,
    *login_begin.ROUTES,
    *invitation.ROUTES,
    *posted_answer.ROUTES,
    *provider_logout.ROUTES,
    *security_events.ROUTES,
    *notices.ROUTES,
    *sign_up.ROUTES,
    *ways.ROUTES,
    *ack.ROUTES,
    *refused.ROUTES,
    *forward_auth.ROUTES,
    *checks.ROUTES,
    *provider_tokens.ROUTES,
    *session_start.ROUTES,
    *health.ROUTES,
)
_access: Final = logging.getLogger("identity.web.access")


class Canonical(PageHandler):
    """A page's address with slashes at its end."""

    side = Side.ANY
    documents_only = False
    cross_site_post = True

    def prepare(self) -> None:
        """Redirect, whatever the method, and keep the query."""
        self._harmless = True  # a form is judged where it is sent on to
        require_host(self.host, self.context.hosts)
        path = self.request.path.rstrip("/")
        query = f"?{self.request.query}" if self.request.query else ""
        self.go(ascii_uri(path + query), status=HTTPStatus.PERMANENT_REDIRECT)


class _Missing(Handler):
    """What both listeners say at an address that is not a route."""

    def no_route(self) -> None:
        """Raise NotFound; the server as a whole (`OPTIONS *`, RFC 9110 section 9.3.7) is there, and says no more."""
        if self.request.path != SERVER:
            raise NotFound
        self.set_status(HTTPStatus.NO_CONTENT)
        self.finish()


class MissingPage(PageHandler, _Missing):
    """An address of the public listener that is not a route."""

    side = Side.ANY
    documents_only = False
    cross_site_post = True

    def initialize(self) -> None:
        """Answer any method alike."""
        super().initialize()
        self.request.method = "HEAD" if self.request.method == "HEAD" else "GET"

    def prepare(self) -> None:
        """Say so, unless not even the host is ours."""
        require_host(self.host, self.context.hosts)
        self.no_route()


class MissingResource(JsonHandler, _Missing):
    """An address of the internal listener that is not a route."""

    def initialize(self) -> None:
        """Answer any method alike."""
        super().initialize()
        self.request.method = "HEAD" if self.request.method == "HEAD" else "GET"

    def prepare(self) -> None:
        """Say so."""
        self.require_own_host()
        self.no_route()


def public(context: Context, traffic: Traffic, *, more: Iterable[Route] = ()) -> Application:
    """Return the application people's browsers reach. `more` are routes of a demonstration."""
    routes = [route for route in (*ROUTES, *more) if route.listener is Listener.PUBLIC]
    slashed: list[tuple[str, type[Handler]]] = [
        (f"(?:{route.path})/+", Canonical) for route in routes if route.path != "/"
    ]
    rules = [*((route.path, route.handler) for route in routes), *slashed]
    return _application(rules, context, traffic, missing=MissingPage, listener=Listener.PUBLIC)


def internal(context: Context, traffic: Traffic, *, more: Iterable[Route] = ()) -> Application:
    """Return the application that proxies, applications and operators reach."""
    routes = [route for route in (*ROUTES, *more) if route.listener is Listener.INTERNAL]
    rules = [(f"{route.path}/?", route.handler) for route in routes]
    return _application(rules, context, traffic, missing=MissingResource, listener=Listener.INTERNAL)


def _application(
    rules: list[tuple[str, type[Handler]]],
    context: Context,
    traffic: Traffic,
    *,
    missing: type[Handler],
    listener: Listener,
) -> Application:
    def note(handler: Any) -> None:  # noqa: ANN401, tornado's signature
        _note(handler, context, listener)

    return Application(
        list(rules),
        default_handler_class=missing,
        context=context,
        traffic=traffic,
        listener=listener,
        bodies=Bodies(PUBLIC if listener is Listener.PUBLIC else INTERNAL),
        log_function=note,
    )


def _note(handler: Handler, context: Context, listener: Listener) -> None:
    """Count the request and write one line about it; never its query, headers or body."""
    status, seconds = handler.get_status(), handler.request.request_time()
    context.metrics.count("identityd_requests_total", listener=listener.value, status=str(status))
    context.metrics.observe("identityd_request_seconds", seconds, listener=listener.value)
    routine = listener is Listener.INTERNAL and status < HTTPStatus.BAD_REQUEST
    _access.log(
        logging.DEBUG if routine else logging.INFO,
        "%s %s %d",
        handler.request.method,
        handler.request.path,
        status,
        extra={
            "listener": listener.value,
            "milliseconds": round(seconds * 1_000, 1),
            "address": handler.address,
            "reason": handler.reason,
        },
    )
