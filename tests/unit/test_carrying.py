"""What a browser carries: readable by nobody, alterable by nobody, good for one kind under one tag."""

import json
import os
import secrets
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.keyring import Key, KeyRing, Purpose
from identity.login.carrying import _KNOWN_WORDS, LONGEST, Carrying
from identity.login.flow import Flaw
from identity.login.store import RecordKind
from options.secret import Secret
from tests.support.caches import ring
from tests.support.clock import NOON, ManualClock

BODY = b'{"kind":"flow","verifier":"the-verifier"}'
BODIES = st.binary(max_size=3_000)
KINDS = st.sampled_from(RecordKind)
TAGS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def carrying(keys: KeyRing | None = None) -> Carrying:
    """Return what seals under a key ring."""
    given = keys or ring()
    return Carrying(lambda: given, clock=ManualClock(NOON), random_bytes=os.urandom)


@given(BODIES, KINDS, TAGS)
def test_what_was_sealed_opens(body: bytes, kind: RecordKind, tag: str) -> None:
    """Otherwise logins would be lost on their way."""
    assert carrying().open(kind, tag, carrying().seal(kind, tag, body)) == body


@pytest.mark.threat(5)
@given(KINDS, KINDS, TAGS, TAGS)
def test_it_opens_as_its_own_kind_under_its_own_tag_only(
    kind: RecordKind, other: RecordKind, tag: str, another: str
) -> None:
    """Otherwise a login that proved nobody would pass for a proven identity, or for another login."""
    text = carrying().seal(kind, tag, BODY)

    opened = carrying().open(other, another, text)

    assert opened == (BODY if (other, another) == (kind, tag) else Flaw.FORGED)


@pytest.mark.threat(1, 9)
@given(st.text(max_size=200) | st.text(ALPHABET, max_size=400))
def test_what_was_not_sealed_here_does_not_open(text: str) -> None:
    """Otherwise a planted cookie could finish an attacker's login in a victim's browser."""
    assert carrying().open(RecordKind.FLOW, "", text) is Flaw.FORGED


@pytest.mark.threat(1, 9)
def test_another_installations_seal_does_not_open() -> None:
    """Otherwise whoever runs an identityd could write logins for every other."""
    assert carrying(ring(2)).open(RecordKind.FLOW, "t", carrying().seal(RecordKind.FLOW, "t", BODY)) is Flaw.FORGED


@pytest.mark.threat(1, 9)
@given(st.data())
def test_one_changed_character_is_enough_to_refuse(data: st.DataObject) -> None:
    """Otherwise the address a login leads to could be changed on the way."""
    text = carrying().seal(RecordKind.FLOW, "t", BODY)
    at = data.draw(st.integers(0, len(text) - 1))
    character = data.draw(st.sampled_from(ALPHABET).filter(lambda each: each != text[at]))

    opened = carrying().open(RecordKind.FLOW, "t", text[:at] + character + text[at + 1 :])

    assert opened in (Flaw.FORGED, Flaw.NEWER_KEY)


@pytest.mark.threat(10)
@pytest.mark.parametrize("spelling", ["{}=", "{}==", " {}", "{}\n", "{}A"], ids=ascii)
def test_there_is_one_spelling(spelling: str) -> None:
    """Otherwise a start code that was used would be another one with a sign more."""
    text = carrying().seal(RecordKind.START, "", BODY)

    assert carrying().open(RecordKind.START, "", spelling.format(text)) is Flaw.FORGED


@pytest.mark.threat(10)
@given(BODIES)
def test_the_last_character_has_no_twin(body: bytes) -> None:
    """Otherwise the unused bits of base64 would make two texts of one code, each good once."""
    text = carrying().seal(RecordKind.START, "", body)

    twins = [text[:-1] + each for each in ALPHABET if each != text[-1]]

    assert {carrying().open(RecordKind.START, "", twin) for twin in twins} == {Flaw.FORGED}


def test_nothing_of_it_can_be_read() -> None:
    """Otherwise a token secret that a provider gave us would lie in people's browsers."""
    text = carrying().seal(RecordKind.FLOW, "t", BODY)

    assert "verifier" not in text
    assert carrying().seal(RecordKind.FLOW, "t", BODY) != text


def test_a_key_that_is_not_known_yet_is_another_try() -> None:
    """Otherwise a login begun on a daemon that read the new key first would be refused by the others."""
    old = ring()
    new = KeyRing((*old.keys, Key(2, NOON - 9_999_999, Secret(b"n" * 32))), Secret(bytes((101,)) * 32))
    text = carrying(new).seal(RecordKind.FLOW, "t", BODY)

    assert carrying(old).open(RecordKind.FLOW, "t", text) is Flaw.NEWER_KEY
    assert carrying(new).open(RecordKind.FLOW, "t", text) == BODY


def test_a_key_that_left_the_ring_is_a_refusal() -> None:
    """Otherwise such a login would be told to try again for ever."""
    keys = ring()
    new = KeyRing((Key(2, NOON, Secret(b"n" * 32)),), Secret(bytes((101,)) * 32))

    assert carrying(new).open(RecordKind.FLOW, "t", carrying(keys).seal(RecordKind.FLOW, "t", BODY)) is Flaw.FORGED


def test_its_key_is_nobody_elses() -> None:
    """Otherwise what another part of the daemon signs could be opened as a login."""
    assert len({ring().mac(1, purpose, b"salt") for purpose in Purpose}) == len(Purpose)


def test_what_expands_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a mistake of ours could fill the memory of the daemon that opens it."""
    monkeypatch.setattr("identity.login.carrying._compressed", lambda _: _bomb())

    assert carrying().open(RecordKind.FLOW, "t", carrying().seal(RecordKind.FLOW, "t", b"")) is Flaw.FORGED


def test_a_usual_login_is_small() -> None:
    """Otherwise a few tabs would fill a jar that proxies refuse."""
    body = {
        "answer": None, "created_at": NOON, "force_login": False, "kept": {}, "kind": "flow",
        "nonce": _random(), "persistent": False, "provider": "google", "purpose": "sign-in",
        "return_to": "/continue?host=wiki.example&start=" + _random() + "&path=/wiki/Main_Page?a=1",
        "state": _random(), "verifier": _random(),
    }  # fmt: skip

    text = carrying().seal(RecordKind.FLOW, "t", json.dumps(body, sort_keys=True, separators=(",", ":")).encode())

    assert len(text) < LONGEST // 4


def _bomb() -> bytes:
    packer = zlib.compressobj(9, zdict=_KNOWN_WORDS)
    return packer.compress(bytes(10_000_000)) + packer.flush()


def _random() -> str:
    return secrets.token_urlsafe(32)
