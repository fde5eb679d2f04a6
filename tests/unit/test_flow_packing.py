"""The bytes of login records: only what was written is read."""

import json
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.accounts.cases import LoginPurpose
from identity.login.flow import Flow, ProvenPerson, SignUpRecord
from identity.login.packing import pack_flow, pack_sign_up, unpack_flow, unpack_sign_up
from identity.types import IdentityKey
from providers.base import Profile
from tests.unit.test_flow import FLOW, SIGN_UP

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
TABLE = st.dictionaries(TEXT, TEXT, max_size=4)
TIME = st.integers(0, 2**45)
FLOWS = st.builds(
    Flow,
    provider=TEXT,
    purpose=st.sampled_from(LoginPurpose),
    state=TEXT,
    nonce=TEXT,
    verifier=TEXT,
    return_to=TEXT,
    created_at=TIME,
    force_login=st.booleans(),
    kept=TABLE,
    answer=st.none() | TABLE,
)
SIGN_UPS = st.builds(
    SignUpRecord,
    reference=TEXT,
    person=st.builds(
        ProvenPerson,
        identity=TEXT.map(IdentityKey),
        provider=TEXT,
        auth_at=TIME,
        handle=TEXT,
        said=st.builds(Profile, name=TEXT, email=TEXT, email_verified=st.booleans(), picture=TEXT),
    ),
    claim=st.uuids(),
    return_to=TEXT,
    created_at=TIME,
)


def changed(body: bytes, **fields: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """Return a record's bytes with some fields put in, spelt as `pack` spells."""
    whole = json.loads(body)
    for name, value in fields.items():
        next((table for table in tables(whole) if name in table), whole["record"])[name] = value
    return spelt(whole)


def without(body: bytes, name: str) -> bytes:
    """Return a record's bytes without one field."""
    whole = json.loads(body)
    for table in tables(whole):
        if name in table:
            del table[name]
    return spelt(whole)


def names(body: bytes) -> list[str]:
    """Return the names of all fields, at any depth."""
    return sorted({name for table in tables(json.loads(body)) for name in table})


def tables(value: object) -> list[dict[str, Any]]:
    """Return an object and all that are in it, the outermost first."""
    return [value, *(table for each in value.values() for table in tables(each))] if isinstance(value, dict) else []


def spelt(whole: object) -> bytes:
    """Return the canonical spelling."""
    return json.dumps(whole, sort_keys=True, separators=(",", ":")).encode()


@given(FLOWS)
def test_a_flow_comes_back_as_it_was(flow: Flow) -> None:
    """Otherwise a login would be finished with another verifier, or for another address."""
    assert unpack_flow(pack_flow(flow)) == flow


@given(SIGN_UPS)
def test_a_sign_up_comes_back_as_it_was(record: SignUpRecord) -> None:
    """Otherwise an account would be made for another identity than the one proven."""
    assert unpack_sign_up(pack_sign_up(record)) == record


@pytest.mark.threat(5)
def test_a_record_of_one_kind_is_not_read_as_another() -> None:
    """Otherwise a mere flow could pass for a proven identity."""
    with pytest.raises(ValueError, match="not a sign-up record"):
        unpack_sign_up(pack_flow(FLOW))
    with pytest.raises(ValueError, match="not a flow record"):
        unpack_flow(pack_sign_up(SIGN_UP))


@pytest.mark.threat(45)
@pytest.mark.parametrize("name", names(pack_flow(FLOW)))
def test_a_flow_without_one_of_its_fields_is_not_read(name: str) -> None:
    """Otherwise a default would stand where a decision was made."""
    with pytest.raises(ValueError, match=r"\w"):
        unpack_flow(without(pack_flow(FLOW), name))


@pytest.mark.threat(45)
@pytest.mark.parametrize("name", names(pack_sign_up(SIGN_UP)))
def test_a_sign_up_without_one_of_its_fields_is_not_read(name: str) -> None:
    """Otherwise a default would stand where an identity was proven."""
    with pytest.raises(ValueError, match=r"\w"):
        unpack_sign_up(without(pack_sign_up(SIGN_UP), name))


@pytest.mark.threat(45)
@pytest.mark.parametrize(
    "fields",
    [
        {"purpose": "merge"},
        {"purpose": 1},
        {"created_at": True},
        {"created_at": -1},
        {"created_at": 1.0},
        {"force_login": 1},
        {"kept": []},
        {"kept": {"a": 1}},
        {"answer": "code"},
        {"state": None},
        {"state": "\ud800"},
        {"further": "field"},
    ],
    ids=str,
)
def test_a_flow_with_an_ill_typed_field_is_not_read(fields: dict[str, object]) -> None:
    """Otherwise a record of a newer release, or of nobody, would be acted upon half understood."""
    with pytest.raises(ValueError, match=r"\w"):
        unpack_flow(changed(pack_flow(FLOW), **fields))


@pytest.mark.threat(45)
@pytest.mark.parametrize(
    "fields",
    [
        {"step": "done"},
        {"claim": "1"},
        {"claim": "00000000000000000000000000000001"},
        {"email_verified": "false"},
        {"auth_at": None},
        {"further": "field"},
    ],
    ids=str,
)
def test_a_sign_up_with_an_ill_typed_field_is_not_read(fields: dict[str, object]) -> None:
    """Otherwise a step this release does not know would be treated as the one it knows."""
    with pytest.raises(ValueError, match=r"\w"):
        unpack_sign_up(changed(pack_sign_up(SIGN_UP), **fields))


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"kind":"flow"}', b'{"kind":["flow"]}'],
    ids=["empty", "cut", "list", "null", "not UTF-8", "deep", "bare", "odd kind"],
)
def test_what_is_no_record_is_not_read(body: bytes) -> None:
    """Otherwise rubbish in the store would be a crash, not a refusal."""
    with pytest.raises(ValueError, match=r"\w"):
        unpack_flow(body)


def test_another_spelling_of_the_same_record_is_not_read() -> None:
    """Otherwise two values could stand for one record, which hides changes."""
    body = pack_flow(FLOW)
    twice = body.replace(b'"provider":"github"', b'"provider":"evil","provider":"github"')
    beside = body.replace(b'"kind":"flow"', b'"further":1,"kind":"flow"')

    assert len({body, twice, beside}) == 3
    with pytest.raises(ValueError, match="canonical"):
        unpack_flow(twice)
    with pytest.raises(ValueError, match="not a flow record"):
        unpack_flow(beside)
    with pytest.raises(ValueError, match="canonical"):
        unpack_flow(body + b" ")
    with pytest.raises(ValueError, match="canonical"):
        unpack_flow(body.replace(b'"kind":"flow"', b'"kind":"flow","kind":"flow"'))


def test_a_claim_keeps_its_value_through_the_store() -> None:
    """Otherwise a second attempt at a name would be blocked by the first one's own claim."""
    assert unpack_sign_up(pack_sign_up(SIGN_UP)).claim == UUID(int=1)
