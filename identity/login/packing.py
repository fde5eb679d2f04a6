"""The bytes of a login's records, and back.

Owns the format: canonical JSON (names sorted, no blanks), the record's kind beside the record; the
fields are the records' own, read by msgspec as strictly as they are typed. Pure. Invariant: only what
a `pack_…` would write is read; a missing, further, repeated or ill-typed field, another kind and
another spelling of the same values are all refused. Whether the bytes are ours at all is known
before: they are sealed (`carrying.py`).
"""

from typing import Final, TypeVar

import msgspec

from identity.login.codes import StartCode
from identity.login.flow import Flow, FollowedLink, SignUpRecord, ToldOnce
from identity.login.link_record import LinkRecord


class _Packed(msgspec.Struct, forbid_unknown_fields=True, tag_field="kind"):
    """A record of one kind."""


class _PackedFlow(_Packed, tag="flow"):
    record: Flow


class _PackedSignUp(_Packed, tag="sign-up"):
    record: SignUpRecord


class _PackedLink(_Packed, tag="link"):
    record: LinkRecord


class _PackedTold(_Packed, tag="told"):
    record: ToldOnce


class _PackedStart(_Packed, tag="start"):
    record: StartCode


class _PackedFollowed(_Packed, tag="followed"):
    record: FollowedLink


P = TypeVar("P", bound=_Packed)

_ENCODER: Final = msgspec.json.Encoder(order="sorted")
_FLOW: Final = msgspec.json.Decoder(_PackedFlow)
_SIGN_UP: Final = msgspec.json.Decoder(_PackedSignUp)
_LINK: Final = msgspec.json.Decoder(_PackedLink)
_TOLD: Final = msgspec.json.Decoder(_PackedTold)
_FOLLOWED: Final = msgspec.json.Decoder(_PackedFollowed)
_START: Final = msgspec.json.Decoder(_PackedStart)


def pack_flow(flow: Flow) -> bytes:
    """Return the flow's bytes."""
    return _ENCODER.encode(_PackedFlow(flow))


def unpack_flow(body: bytes) -> Flow:
    """Return the flow. Raises ValueError for anything `pack_flow` does not write."""
    flow = _unpacked(body, _FLOW, "flow").record
    _require_times(flow.created_at)
    return flow


def pack_sign_up(record: SignUpRecord) -> bytes:
    """Return the sign-up's bytes."""
    return _ENCODER.encode(_PackedSignUp(record))


def unpack_sign_up(body: bytes) -> SignUpRecord:
    """Return the sign-up. Raises ValueError for anything `pack_sign_up` does not write."""
    record = _unpacked(body, _SIGN_UP, "sign-up").record
    _require_times(record.created_at, record.person.auth_at)
    return record


def pack_link(record: LinkRecord) -> bytes:
    """Return the bytes of a link in progress."""
    return _ENCODER.encode(_PackedLink(record))


def unpack_link(body: bytes) -> LinkRecord:
    """Return the link in progress. Raises ValueError for anything `pack_link` does not write."""
    record = _unpacked(body, _LINK, "link").record
    _require_times(record.created_at)
    return record


def pack_told(told: ToldOnce) -> bytes:
    """Return the bytes of what was told once."""
    return _ENCODER.encode(_PackedTold(told))


def unpack_told(body: bytes) -> ToldOnce:
    """Return what was told once. Raises ValueError for anything `pack_told` does not write."""
    told = _unpacked(body, _TOLD, "told").record
    _require_times(told.created_at)
    return told


def pack_start(code: StartCode) -> bytes:
    """Return the start code's bytes."""
    return _ENCODER.encode(_PackedStart(code))


def unpack_start(body: bytes) -> StartCode:
    """Return the start code. Raises ValueError for anything `pack_start` does not write."""
    code = _unpacked(body, _START, "start").record
    _require_times(code.created_at)
    return code


def pack_followed(followed: FollowedLink) -> bytes:
    """Return the bytes of a link that was opened."""
    return _ENCODER.encode(_PackedFollowed(followed))


def unpack_followed(body: bytes) -> FollowedLink:
    """Return the link that was opened. Raises ValueError for anything `pack_followed` does not write."""
    followed = _unpacked(body, _FOLLOWED, "followed").record
    _require_times(followed.created_at)
    return followed


def _unpacked(body: bytes, decoder: msgspec.json.Decoder[P], kind: str) -> P:
    try:
        packed = decoder.decode(body)
    except (msgspec.MsgspecError, RecursionError):
        raise ValueError(f"not a {kind} record") from None
    # The decoder skips names it does not know, takes the last of two, and fills in what is missing.
    if _ENCODER.encode(packed) != body:
        raise ValueError("not the canonical spelling")
    return packed


def _require_times(*times: int) -> None:
    if min(times) < 0:
        raise ValueError("not a time")
