"""What a provider's server says of its people's accounts (RFC 8935; Apple's server-to-server notifications).

    POST /login/<provider>/events   a token in the body is all that proves the request; no cookie counts

Owns the translation between that request and the service that does what it asks for. Whatever is refused
is told in the words of RFC 8935, §2.3 and §2.4; trouble of ours is 503 or 502, so that it is sent again.
"""

import json
import logging
from functools import partial
from http import HTTPStatus
from typing import Final

from tornado.web import RequestHandler

from identity.accounts.results import By
from identity.errors import BadInput, IdentityError, ProviderAway, ProviderTrouble, TooOften
from identity.login.pacing import Counted
from identity.login.rules import provider_unknown
from identity.web.http.base import Handler, Listener, Route
from identity.web.http.refusals import WrongMediaType
from identity.web.people.login import PROVIDER, LoginHandler
from providers.base import NoticeRefused, ProviderBroken, ProviderSlow
from providers.security_notices import SecurityEventReceiver, SecurityNotice, TellsSecurityEvents

log = logging.getLogger("identity.web.people.security_events")

_REFUSED: Final = "invalid_request"
_NOT_ABOUT_THE_SET: Final = frozenset({HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.MISDIRECTED_REQUEST})


class SecurityEvents(LoginHandler):
    """A provider's server brings a notice. Answers in JSON, because no person asks."""

    documents_only = False
    cross_site_post = True
    max_body = 32_768
    head = RequestHandler.head
    _err: str = _REFUSED

    async def post(self, name: str) -> None:
        """Do what the notice asks for."""
        provider: object = self.context.providers.get(name)
        receiver = provider.security_events if isinstance(provider, TellsSecurityEvents) else None
        if receiver is None:
            raise provider_unknown()
        kind = self.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind != receiver.media_type:
            raise WrongMediaType(public=f"Send the security event as {receiver.media_type}.")
        notice = await self._verified(receiver, name)
        by = By("system", address=self.address, request_id=self.request_id)
        done = await self.context.durable.run(partial(self.context.events.heed, name, notice, by=by))
        log.info("%s told of security events: %s", name, done)
        self.set_status(receiver.accepted)
        await self.finish()

    async def _verified(self, receiver: SecurityEventReceiver, name: str) -> SecurityNotice:
        try:
            return await receiver.read(self.body, self.context.http(name))
        except NoticeRefused as fault:
            # Only what is refused is counted: a provider tells of all its people from one address.
            await self.keep_pace(Counted.NOTICE, name)
            self._err = fault.said or _REFUSED
            raise self.context.events.refused(name, str(fault)) from fault
        except ProviderBroken as fault:
            trouble = ProviderAway if isinstance(fault, ProviderSlow) else ProviderTrouble
            raise trouble(detail=f"{name}: {fault}") from fault

    def answer_error(self, error: IdentityError) -> None:
        """Say it as to a program: what is wrong with the notice in the form of RFC 8935 §2.3."""
        about_the_set = isinstance(error, BadInput) and not isinstance(error, TooOften)
        if not about_the_set or error.status in _NOT_ABOUT_THE_SET:
            Handler.answer_error(self, error)
            return
        self.set_header("Content-Type", "application/json")
        self.set_header("Content-Language", "en")
        self.finish(json.dumps({"err": self._err, "description": error.public}))


ROUTES: Final = (Route(f"{PROVIDER}/events", SecurityEvents, Listener.PUBLIC),)
