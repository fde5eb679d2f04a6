"""Choosing a username at the first login.

Owns the form and its answer. The form adds a name to a sign-up that the server keeps, and nothing
else: a field too many is refused (THREATS 20). It needs the binding cookie of its sign-up, and its
form token derives from that cookie, because there is no session yet.
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from identity.errors import BadInput, FlowInvalid
from identity.login.flow import SignUpRecord
from identity.login.results import AskAgain, LoginBusy, LoginDenied
from identity.login.returning import FALLBACK
from identity.sessions.check import Outcome
from identity.types import Username
from identity.web.http import parameters
from identity.web.http.base import Listener, Route
from identity.web.people import way_pages
from identity.web.people.login import LoginHandler, welcome_path

FIELDS: Final = frozenset({"csrf", "s", "username"})
TAKEN: Final = "name-taken"


class Welcome(LoginHandler):
    """The username form."""

    async def get(self) -> None:
        """Show it with a name to start from; a reload after it was sent leads to the account."""
        reference = parameters.required(self.request.query_arguments, "s", limit=64)
        context, binding = self.context, self.binding(self.context.names.sign_up(reference))
        try:
            welcome = await context.durable.run(context.login.welcome, reference, binding)
        except FlowInvalid:
            if (await self.glance()).outcome is not Outcome.OK:
                raise
            self.go(FALLBACK)
            return
        self._ask(welcome.record, binding, username=welcome.suggestion or "")

    async def post(self) -> None:
        """Take the name that was typed."""
        reference, username = self.field("s", limit=64) or "", self.field("username") or ""
        if set(self.form) - FIELDS:
            raise BadInput("field-unknown", public="The form holds a field that this page does not have.")
        context, cookie = self.context, self.context.names.sign_up(reference)
        binding = self.binding(cookie)
        if binding:
            self.check_form(binding.encode())
        self.again = welcome_path(reference) if binding else ""
        chosen = await context.durable.run(context.login.choose_username, reference, binding, username, self.visit())
        if isinstance(chosen, AskAgain):
            self._ask_again(chosen, binding, username=username)
            return
        if isinstance(chosen, LoginBusy):
            self.refuse(chosen)
        self.spend(cookie)
        if isinstance(chosen, LoginDenied):
            self.refuse(chosen)
        self.enter(chosen)

    def _ask_again(self, asked: AskAgain, binding: str | None, *, username: str) -> None:
        problem = asked.problem.value if asked.problem else TAKEN
        status = HTTPStatus.UNPROCESSABLE_ENTITY if asked.problem else HTTPStatus.CONFLICT
        self._ask(asked.record, binding, username=username, problem=problem, free=asked.alternatives, status=status)

    def _ask(
        self,
        record: SignUpRecord,
        binding: str | None,
        *,
        username: str,
        problem: str = "",
        free: Sequence[Username] = (),
        status: HTTPStatus = HTTPStatus.OK,
    ) -> None:
        names = self.context.login.rules.names
        self.show(
            "welcome",
            status=status,
            action="/welcome",
            csrf=self.csrf_token((binding or "").encode()),
            existing=f"{way_pages.EXISTING}?s={record.reference}",
            provider=self.provider(record.person.provider).label,
            handle=record.person.handle,
            username=username,
            problem=problem,
            free=free,
            hidden=(("s", record.reference),),
            waits=self.context.login.rules.admission.approval and not record.invitation,
            shortest=names.min_length,
            longest=names.max_length,
        )


ROUTES: Final = (Route("/welcome", Welcome, Listener.PUBLIC),)
