"""The seal on stored values: what passes, what is corrupt, what is newer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.keyring import MAC_BYTES, SIGNS_AFTER_MS, KeyRing, Purpose, new_ring
from identity.sessions.store import Unread
from identity.stores.bounds import MAX_VALUE_BYTES
from identity.stores.sealing import VERSION, Sealer
from options.secret import Secret
from tests.support.caches import ring
from tests.support.clock import NOON, ManualClock

BODIES = st.binary(max_size=300)
WORDS = st.from_regex(r"[!-~]{1,20}", fullmatch=True)


def sealer(keys: KeyRing | None = None, *, purpose: Purpose = Purpose.RECORD, now: int = NOON) -> Sealer:
    """Return a sealer of one ring at one time."""
    keys = keys or ring()
    return Sealer(lambda: keys, purpose=purpose, clock=ManualClock(now))


@given(BODIES, WORDS, WORDS)
def test_what_was_sealed_comes_back(body: bytes, kind: str, key: str) -> None:
    """The seal must carry any body."""
    value = sealer().seal(kind, key, body)

    assert sealer().unseal(kind, key, value) == body
    assert len(value) == len(body) + 2 + MAC_BYTES


@given(BODIES, st.data())
def test_no_changed_bit_passes(body: bytes, data: st.DataObject) -> None:
    """Whoever can write to memcached changes what is useful to him."""
    value = bytearray(sealer().seal("s1", "key", body))
    bit = data.draw(st.integers(0, len(value) * 8 - 1))
    value[bit // 8] ^= 1 << bit % 8

    assert isinstance(sealer().unseal("s1", "key", bytes(value)), Unread)


@given(st.binary(max_size=200))
def test_random_bytes_never_pass(value: bytes) -> None:
    """Nothing but a seal is believed, whatever its length."""
    assert isinstance(sealer().unseal("s1", "key", value), Unread)


@given(WORDS, WORDS, WORDS, WORDS)
def test_a_seal_fits_its_own_kind_and_key_only(kind: str, key: str, other_kind: str, other_key: str) -> None:
    """Kind and key must not run into each other: ("f1", "1x") is not ("f11", "x")."""
    value = sealer().seal(kind, key, b"body")
    same = (kind, key) == (other_kind, other_key)

    assert sealer().unseal(other_kind, other_key, value) == (b"body" if same else Unread.CORRUPT)


@pytest.mark.parametrize(("kind", "key"), [("f1", "11x"), ("f", "111x"), ("f111", "x"), ("f111x", ""), ("", "f111x")])
def test_kind_and_key_do_not_run_into_each_other(kind: str, key: str) -> None:
    """The same characters, cut elsewhere, are another place."""
    value = sealer().seal("f11", "1x", b"body")

    assert sealer().unseal(kind, key, value) is Unread.CORRUPT


@pytest.mark.parametrize("purpose", [p for p in Purpose if p is not Purpose.RECORD])
def test_a_seal_for_another_purpose_is_corrupt(purpose: Purpose) -> None:
    """A form token or a bounce marker is a keyed hash too; none may seal a record."""
    value = sealer(purpose=purpose).seal("s1", "key", b"body")

    assert sealer().unseal("s1", "key", value) is Unread.CORRUPT


def test_an_older_key_still_opens() -> None:
    """Rotating the ring logs nobody out."""
    value = sealer().seal("s1", "key", b"body")
    grown = ring().with_key(Secret(bytes(32)), now=NOON)

    assert sealer(grown, now=NOON + SIGNS_AFTER_MS).unseal("s1", "key", value) == b"body"


def test_a_new_key_seals_once_every_daemon_has_it() -> None:
    """Ten minutes, so that no daemon meets a key it has not read."""
    grown = ring().with_key(Secret(bytes(32)), now=NOON)

    before = sealer(grown, now=NOON + SIGNS_AFTER_MS - 1).seal("s1", "key", b"")
    after = sealer(grown, now=NOON + SIGNS_AFTER_MS).seal("s1", "key", b"")

    assert (before[1], after[1]) == (1, 2)
    assert sealer().unseal("s1", "key", after) is Unread.NEWER


def test_a_value_under_a_pruned_key_is_corrupt() -> None:
    """Its number is below the newest: no daemon can be ahead with it."""
    value = sealer().seal("s1", "key", b"body")
    grown = ring().with_key(Secret(bytes(32)), now=NOON)
    pruned = KeyRing(grown.keys[1:], Secret(bytes(32)))

    assert sealer(pruned).unseal("s1", "key", value) is Unread.CORRUPT


def test_a_sealed_newer_version_is_newer(monkeypatch: pytest.MonkeyPatch) -> None:
    """An upgrade of one daemon must not raise an alarm in the others."""
    with monkeypatch.context() as later:
        later.setattr("identity.stores.sealing.VERSION", VERSION + 1)
        value = sealer().seal("s1", "key", b"body")

    assert sealer().unseal("s1", "key", value) is Unread.NEWER


def test_the_secret_decides() -> None:
    """Two installations have the same numbers and other secrets."""
    value = sealer().seal("s1", "key", b"body")
    other = new_ring(secret=Secret(bytes(32)), locator=Secret(bytes(32)), now=0)

    assert sealer(other).unseal("s1", "key", value) is Unread.CORRUPT


def test_an_oversized_value_is_refused_before_it_is_hashed() -> None:
    """A planted megabyte must not cost a hash of a megabyte per check."""
    asked = []

    def counting() -> KeyRing:
        asked.append(1)
        return ring()

    value = b"\x01\x01" + bytes(MAX_VALUE_BYTES)

    assert Sealer(counting, purpose=Purpose.RECORD, clock=ManualClock()).unseal("s1", "k", value) is Unread.CORRUPT
    assert asked == []


def test_outdated_is_what_the_signing_key_did_not_seal() -> None:
    """Node markers are sealed anew so that they outlive their first key."""
    value = sealer().seal("n1", "key", b"body")
    grown = ring().with_key(Secret(bytes(32)), now=NOON)

    assert not sealer(grown, now=NOON).is_outdated(value)
    assert sealer(grown, now=NOON + SIGNS_AFTER_MS).is_outdated(value)
