"""The bytes of a login's records, and back.

Owns the format: canonical JSON (names sorted, no blanks, ASCII), the record's kind inside. Pure.
Invariant: only what a `pack_…` would write is read; a missing, further or
ill-typed field, another kind and another spelling of the same values are all refused. Whether the
bytes are ours at all is known before: they are sealed (`carrying.py`).
"""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from identity.login.codes import Destination, StartCode
from identity.login.flow import Flow, Person, Purpose, SignUpRecord, Step
from identity.types import AccountId, ClientId, Host, IdentityKey, SessionId


def pack_flow(flow: Flow) -> bytes:
    """Return the flow's bytes."""
    return _bytes(
        {
            "kind": "flow",
            "provider": flow.provider,
            "purpose": flow.purpose.value,
            "state": flow.state,
            "nonce": flow.nonce,
            "verifier": flow.verifier,
            "return_to": flow.return_to,
            "created_at": flow.created_at,
            "force_login": flow.force_login,
            "persistent": flow.persistent,
            "kept": dict(flow.kept),
            "answer": None if flow.answer is None else dict(flow.answer),
        }
    )


def unpack_flow(body: bytes) -> Flow:
    """Return the flow. Raises ValueError for anything `pack_flow` does not write."""
    fields = _Fields(body, kind="flow")
    flow = Flow(
        provider=fields.text("provider"),
        purpose=Purpose(fields.text("purpose")),
        state=fields.text("state"),
        nonce=fields.text("nonce"),
        verifier=fields.text("verifier"),
        return_to=fields.text("return_to"),
        created_at=fields.time("created_at"),
        force_login=fields.flag("force_login"),
        persistent=fields.flag("persistent"),
        kept=fields.texts("kept"),
        answer=None if fields.is_null("answer") else fields.texts("answer"),
    )
    fields.require(pack_flow(flow))
    return flow


def pack_sign_up(record: SignUpRecord) -> bytes:
    """Return the sign-up's bytes."""
    person = record.person
    return _bytes(
        {
            "kind": "sign-up",
            "reference": record.reference,
            "identity": record.identity,
            "provider": record.provider,
            "handle": person.handle,
            "name": person.name,
            "email": person.email,
            "email_verified": person.email_verified,
            "picture": person.picture,
            "auth_at": person.auth_at,
            "claim": str(record.claim),
            "return_to": record.return_to,
            "created_at": record.created_at,
            "persistent": record.persistent,
            "step": record.step.value,
        }
    )


def unpack_sign_up(body: bytes) -> SignUpRecord:
    """Return the sign-up. Raises ValueError for anything `pack_sign_up` does not write."""
    fields = _Fields(body, kind="sign-up")
    record = SignUpRecord(
        reference=fields.text("reference"),
        identity=IdentityKey(fields.text("identity")),
        provider=fields.text("provider"),
        person=Person(
            handle=fields.text("handle"),
            name=fields.text("name"),
            email=fields.text("email"),
            email_verified=fields.flag("email_verified"),
            picture=fields.text("picture"),
            auth_at=fields.time("auth_at"),
        ),
        claim=UUID(fields.text("claim")),
        return_to=fields.text("return_to"),
        created_at=fields.time("created_at"),
        persistent=fields.flag("persistent"),
        step=Step(fields.text("step")),
    )
    fields.require(pack_sign_up(record))
    return record


def pack_start(code: StartCode) -> bytes:
    """Return the start code's bytes."""
    wanted = code.destination
    return _bytes(
        {
            "kind": "start",
            "client": wanted.client,
            "host": wanted.host,
            "challenge": wanted.challenge,
            "path": wanted.path,
            "account": str(code.account_id),
            "login": code.login.hex(),
            "created_at": code.created_at,
        }
    )


def unpack_start(body: bytes) -> StartCode:
    """Return the start code. Raises ValueError for anything `pack_start` does not write."""
    fields = _Fields(body, kind="start")
    wanted = Destination(
        client=ClientId(fields.text("client")),
        host=Host(fields.text("host")),
        challenge=fields.text("challenge"),
        path=fields.text("path"),
    )
    code = StartCode(
        wanted,
        account_id=AccountId(UUID(fields.text("account"))),
        login=SessionId(bytes.fromhex(fields.text("login"))),
        created_at=fields.time("created_at"),
    )
    fields.require(pack_start(code))
    return code


class _Fields:
    """Typed reading of one JSON object; every method raises ValueError."""

    def __init__(self, body: bytes, *, kind: str) -> None:
        self._body = body
        fields = _parsed(body)
        if not isinstance(fields, dict) or fields.get("kind") != kind:
            raise ValueError(f"not a {kind} record")
        self._fields: Mapping[str, Any] = fields

    def text(self, name: str) -> str:
        return _text(self._fields.get(name))

    def texts(self, name: str) -> dict[str, str]:
        value = self._fields.get(name)
        if not isinstance(value, dict):
            raise ValueError(f"{name} is not a table")  # noqa: TRY004 - one error for everything unreadable
        return {key: _text(each) for key, each in value.items()}

    def time(self, name: str) -> int:
        value = self._fields.get(name)
        if type(value) is not int or value < 0:
            raise ValueError(f"{name} is not a time")
        return value

    def flag(self, name: str) -> bool:
        value = self._fields.get(name)
        if type(value) is not bool:
            raise ValueError(f"{name} is not yes or no")
        return value

    def is_null(self, name: str) -> bool:
        return self._fields.get(name) is None

    def require(self, canonical: bytes) -> None:
        """Refuse what reads the same but is spelt otherwise, or says more than was read."""
        if canonical != self._body:
            raise ValueError("not the canonical spelling")


def _parsed(body: bytes) -> object:
    try:
        return json.loads(body)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("a field is not text")  # noqa: TRY004 - the same
    value.encode()
    return value


def _bytes(fields: Mapping[str, object]) -> bytes:
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
