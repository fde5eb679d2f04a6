"""Somebody else can write to memcached: it must not make them anybody.

Every value here is put into a real memcached with its own protocol, past the daemon.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest

from identity.errors import StoreCorrupt, StoreUnavailable
from identity.keyring import KeyRing, Purpose
from identity.login.store import RecordKind
from identity.sessions.packing import pack
from identity.sessions.record import Ended, Tombstone
from identity.sessions.store import Found, Read, Unread, Written
from identity.stores.alarm import CorruptAlarm
from identity.stores.memcached import MemcachedCache
from identity.stores.records import OneTimeRecords, SessionRecords, key_of
from identity.stores.sealing import Sealer
from identity.types import HOUR, MINUTE, Locator, SessionId, Username
from tests.support.caches import account, memcached_cache, record_of, ring, servers, wall_clock
from tests.support.clock import ManualClock
from tests.support.guards import Expectation
from tests.support.memcached import MemcachedNode
from tests.support.planting import peek, plant

LOG = "identity.stores"
PICKLE = b"\x80\x04\x95" + bytes(8) + b"\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x02id\x94\x85\x94R\x94."
VICTIM, ATTACKER = 1, 2

ExpectLog = Callable[..., Expectation]


@dataclass(frozen=True)
class Scene:
    """A daemon with two accounts, and the node somebody else can write to."""

    node: MemcachedNode
    keys: KeyRing
    sessions: SessionRecords
    flows: OneTimeRecords
    counted: list[str]

    def locator(self, number: int) -> Locator:
        """Return where an account's record is."""
        return self.keys.locator(account(number))

    def key(self, number: int) -> str:
        """Return the record's key in memcached."""
        return key_of(self.locator(number))

    def read(self, number: int) -> Read:
        """Read a record as the daemon does."""
        return self.sessions.read_many([self.locator(number)])[self.locator(number)]

    def seal(self, number: int, body: bytes, *, kind: str = "s1", purpose: Purpose = Purpose.RECORD) -> bytes:
        """Seal with the daemon's own keys."""
        return Sealer(lambda: self.keys, purpose=purpose, clock=wall_clock).seal(kind, self.key(number), body)


@pytest.fixture
def cache(memcached: list[MemcachedNode]) -> Iterator[MemcachedCache]:
    """Give the daemon's cache."""
    made = memcached_cache(servers(memcached[:1]))
    yield made
    made.close()


@pytest.fixture
def scene(memcached: list[MemcachedNode], cache: MemcachedCache) -> Scene:
    """Give a daemon that holds the records of a victim and of an attacker."""
    keys, counted = ring(), list[str]()
    alarm = CorruptAlarm(clock=wall_clock, count=counted.append)
    sessions = SessionRecords(cache, keys=lambda: keys, clock=wall_clock, alarm=alarm)
    flows = OneTimeRecords(cache, keys=lambda: keys, clock=wall_clock, alarm=alarm)
    for number, name in ((VICTIM, "victim"), (ATTACKER, "attacker")):
        record = record_of(number, username=name)
        sessions.add(keys.locator(account(number)), record, expires_at=wall_clock() + HOUR)
    return Scene(memcached[0], keys, sessions, flows, counted)


def is_refused(scene: Scene, value: bytes) -> bool:
    """Put the value in place of the victim's record; tell whether it is an alarm and nothing else."""
    plant(scene.node, scene.key(VICTIM), value)
    return scene.read(VICTIM) is Unread.CORRUPT and scene.counted == ["s1"]


def test_the_scene_is_sound(scene: Scene) -> None:
    """Written back unchanged the value is believed: what follows is refused for what was changed."""
    value = peek(scene.node, scene.key(VICTIM))

    plant(scene.node, scene.key(VICTIM), value)

    read = scene.read(VICTIM)
    assert isinstance(read, Found)
    assert read.record == record_of(VICTIM, username="victim")


def test_a_record_under_another_key_is_refused(scene: Scene, expect_log: ExpectLog) -> None:
    """The attacker copies his own record over the victim's, or the victim's over his, to be the other."""
    expect_log(LOG, "store-corrupt")

    assert is_refused(scene, peek(scene.node, scene.key(ATTACKER)))


def test_the_victims_record_under_the_attackers_key_is_refused(scene: Scene, expect_log: ExpectLog) -> None:
    """The attacker's cookie finds the record at his own key: it must not be the victim's."""
    expect_log(LOG, "store-corrupt")

    plant(scene.node, scene.key(ATTACKER), peek(scene.node, scene.key(VICTIM)))

    assert scene.read(ATTACKER) is Unread.CORRUPT


def test_a_record_sealed_for_the_key_of_another_account_is_refused(scene: Scene, expect_log: ExpectLog) -> None:
    """Should the daemon ever seal a record for the wrong key, the account in it must still be the one asked for."""
    expect_log(LOG, "store-corrupt")
    wrong = scene.seal(VICTIM, pack(record_of(ATTACKER, username="attacker")))

    assert is_refused(scene, wrong)


def test_an_altered_username_is_refused(scene: Scene, expect_log: ExpectLog) -> None:
    """One byte decides who an application believes it talks to."""
    expect_log(LOG, "store-corrupt")
    value = peek(scene.node, scene.key(VICTIM))
    assert b"victim" in value

    assert is_refused(scene, value.replace(b"victim", b"wictim"))


def test_no_byte_of_a_record_can_be_changed(scene: Scene, expect_log: ExpectLog) -> None:
    """Times, hosts, flags and lineage are as good as a name to whoever wants a session."""
    expect_log(LOG, "store-corrupt")
    value = peek(scene.node, scene.key(VICTIM))

    for at in range(len(value)):
        plant(scene.node, scene.key(VICTIM), value[:at] + bytes((value[at] ^ 1,)) + value[at + 1 :])
        assert scene.read(VICTIM) is Unread.CORRUPT


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\x01",
        b"\x01\x01" + bytes(15),
        b"\x01\x01" + bytes(16),
        b"\x01\x01" + bytes(200),
        b"\x00\x01" + bytes(200),
        b"\x01\x00" + bytes(200),
        PICKLE,
        b'{"username": "victim", "admin": true}',
        b"None",
        b"\x1f\x8b\x08" + bytes(100),
        b"x" * 1_000_000,
        b"\x01\x01" + bytes(1_000_000),
    ],
    ids=[
        "empty",
        "one byte",
        "too short for a mac",
        "empty body",
        "zeroes",
        "version 0",
        "key number 0",
        "pickle",
        "JSON",
        "a client's repr of nothing",
        "gzip",
        "1 MB of text",
        "1 MB that begins well",
    ],
)
def test_foreign_bytes_are_refused(scene: Scene, expect_log: ExpectLog, value: bytes) -> None:
    """Nothing that is not sealed is parsed, executed or believed."""
    expect_log(LOG, "store-corrupt")

    assert is_refused(scene, value)


@pytest.mark.parametrize("cut", [1, 8, 16, 17, 100])
def test_a_truncated_record_is_refused(scene: Scene, expect_log: ExpectLog, cut: int) -> None:
    """Cutting off sessions must not bring back an earlier state."""
    expect_log(LOG, "store-corrupt")

    assert is_refused(scene, peek(scene.node, scene.key(VICTIM))[:-cut])


def test_bytes_behind_a_record_are_refused(scene: Scene, expect_log: ExpectLog) -> None:
    """Nothing may ride behind the seal."""
    expect_log(LOG, "store-corrupt")

    assert is_refused(scene, peek(scene.node, scene.key(VICTIM)) + b"\0")


def test_a_sealed_body_that_is_no_record_is_refused(scene: Scene, expect_log: ExpectLog) -> None:
    """A fault of our own must be an alarm, not a crash of every check of that account."""
    expect_log(LOG, "store-corrupt")

    assert is_refused(scene, scene.seal(VICTIM, b"not a packed record"))


def test_the_key_ring_of_another_installation_seals_nothing_here(scene: Scene, expect_log: ExpectLog) -> None:
    """Staging and production on one memcached must not share sessions."""
    expect_log(LOG, "store-corrupt")
    foreign = Sealer(lambda: ring(2), purpose=Purpose.RECORD, clock=wall_clock)

    assert is_refused(scene, foreign.seal("s1", scene.key(VICTIM), pack(record_of(VICTIM))))


@pytest.mark.threat(5)
@pytest.mark.parametrize(
    ("kind", "purpose"),
    [("f1", Purpose.ONE_TIME), ("u1", Purpose.ONE_TIME), ("n1", Purpose.NODE), ("f1", Purpose.RECORD)],
)
def test_a_value_sealed_as_another_kind_is_no_record(
    scene: Scene, expect_log: ExpectLog, *, kind: str, purpose: Purpose
) -> None:
    """Better-auth CVE-2026-110862: values of one kind accepted as another."""
    expect_log(LOG, "store-corrupt")

    assert is_refused(scene, scene.seal(VICTIM, pack(record_of(VICTIM)), kind=kind, purpose=purpose))


@pytest.mark.threat(5)
@pytest.mark.parametrize("kind", RecordKind)
def test_a_one_time_record_of_one_kind_is_refused_as_another(
    scene: Scene, expect_log: ExpectLog, kind: RecordKind
) -> None:
    """A sign-up record moved to a login's key, and the other way round, must not be taken there."""
    expect_log(LOG, "store-corrupt")
    other = next(each for each in RecordKind if each is not kind)
    scene.flows.put(other, "name", b"body", expires_at=wall_clock() + HOUR)

    plant(scene.node, f"{kind.value}:name", peek(scene.node, f"{other.value}:name"))

    with pytest.raises(StoreCorrupt):
        scene.flows.peek(kind, "name")
    with pytest.raises(StoreCorrupt):
        scene.flows.take(kind, "name")
    assert scene.flows.take(other, "name") == b"body"


def test_a_flow_under_another_name_is_refused(scene: Scene, expect_log: ExpectLog) -> None:
    """The attacker gives his own login the victim's state."""
    expect_log(LOG, "store-corrupt")
    scene.flows.put(RecordKind.FLOW, "attackers", b"body", expires_at=wall_clock() + HOUR)

    plant(scene.node, "f1:victims", peek(scene.node, "f1:attackers"))

    with pytest.raises(StoreCorrupt):
        scene.flows.take(RecordKind.FLOW, "victims")


def test_an_altered_flow_is_refused(scene: Scene, expect_log: ExpectLog) -> None:
    """Its return address, provider and purpose are in there."""
    seen = expect_log(LOG, "store-corrupt")
    scene.flows.put(RecordKind.FLOW, "secret-state", b"https://login.example.com/", expires_at=wall_clock() + HOUR)
    value = peek(scene.node, "f1:secret-state")

    plant(scene.node, "f1:secret-state", value.replace(b"example", b"examplf"))

    with pytest.raises(StoreCorrupt) as caught:
        scene.flows.take(RecordKind.FLOW, "secret-state")
    assert "secret-state" not in str(caught.value)
    assert "secret-state" not in "".join(record.getMessage() + repr(vars(record)) for record in seen.records)


def test_an_old_flow_written_back_is_worth_nothing_after_its_time(scene: Scene, cache: MemcachedCache) -> None:
    """Its end is inside the seal: who writes to memcached can delay it no longer than it was meant to live."""
    clock = ManualClock(wall_clock())
    flows = OneTimeRecords(cache, keys=lambda: scene.keys, clock=clock, alarm=CorruptAlarm(clock=clock))
    flows.put(RecordKind.FLOW, "name", b"body", expires_at=clock() + 10 * MINUTE)
    value = peek(scene.node, "f1:name")
    assert flows.take(RecordKind.FLOW, "name") == b"body"
    clock.advance(10 * MINUTE)

    plant(scene.node, "f1:name", value)

    assert flows.peek(RecordKind.FLOW, "name") is None
    assert flows.take(RecordKind.FLOW, "name") is None


def test_a_newer_key_number_is_a_retry_without_alarm(scene: Scene) -> None:
    """During the roll-out of a key the other daemons are ahead for a moment: that is no attack."""
    value = peek(scene.node, scene.key(VICTIM))

    plant(scene.node, scene.key(VICTIM), value[:1] + b"\x02" + value[2:])

    assert scene.read(VICTIM) is Unread.NEWER
    assert scene.counted == []


def test_a_reason_of_a_newer_release_is_a_retry_without_alarm(scene: Scene) -> None:
    """It is sealed, so one of us wrote it: an older daemon waits, and neither alarms nor replaces it at a login."""
    known = bytes([Ended.IDLE])
    ended = replace(record_of(VICTIM), tombstones=(Tombstone(SessionId(b"E" * 16), Ended.IDLE, 1),))
    body = pack(ended).replace(b"E" * 16 + known, b"E" * 16 + b"\xc8")

    plant(scene.node, scene.key(VICTIM), scene.seal(VICTIM, body))

    assert scene.read(VICTIM) is Unread.NEWER
    assert scene.counted == []


def test_a_newer_format_is_a_retry_without_alarm(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """During an upgrade too."""
    with monkeypatch.context() as newer:
        newer.setattr("identity.stores.sealing.VERSION", 2)
        value = scene.seal(VICTIM, b"a body of the next release")

    plant(scene.node, scene.key(VICTIM), value)

    assert scene.read(VICTIM) is Unread.NEWER
    assert scene.counted == []


def test_a_format_that_only_claims_to_be_newer_is_an_alarm(scene: Scene, expect_log: ExpectLog) -> None:
    """Otherwise one changed byte would keep an intruder quiet."""
    expect_log(LOG, "store-corrupt")

    assert is_refused(scene, b"\x02" + peek(scene.node, scene.key(VICTIM))[1:])


def test_a_newer_flow_is_a_retry(scene: Scene) -> None:
    """The login is not refused for having been begun on a daemon that was upgraded first."""
    scene.flows.put(RecordKind.FLOW, "name", b"body", expires_at=wall_clock() + HOUR)
    value = peek(scene.node, "f1:name")

    plant(scene.node, "f1:name", value[:1] + b"\x02" + value[2:])

    with pytest.raises(StoreUnavailable):
        scene.flows.take(RecordKind.FLOW, "name")


def test_a_corrupt_record_is_replaced_only_while_it_is_corrupt(scene: Scene, expect_log: ExpectLog) -> None:
    """The victim can log in again; a newer daemon's record is never overwritten by that door."""
    expect_log(LOG, "store-corrupt")
    value = peek(scene.node, scene.key(VICTIM))
    fresh = replace(record_of(VICTIM), username=Username("fresh"))

    def repair() -> Written:
        return scene.sessions.replace_corrupt(scene.locator(VICTIM), fresh, expires_at=wall_clock() + HOUR)

    plant(scene.node, scene.key(VICTIM), value[:1] + b"\x02" + value[2:])
    assert repair() is Written.LOST
    plant(scene.node, scene.key(VICTIM), PICKLE)
    assert scene.read(VICTIM) is Unread.CORRUPT
    assert repair() is Written.APPLIED
    assert repair() is Written.LOST

    read = scene.read(VICTIM)
    assert isinstance(read, Found)
    assert read.record == fresh


def test_a_batch_with_a_corrupt_record_answers_the_others(scene: Scene, expect_log: ExpectLog) -> None:
    """One planted value must not stop a gateway's thousand checks."""
    expect_log(LOG, "store-corrupt")
    plant(scene.node, scene.key(VICTIM), PICKLE)

    reads = scene.sessions.read_many([scene.locator(n) for n in (VICTIM, ATTACKER)])

    assert reads[scene.locator(VICTIM)] is Unread.CORRUPT
    assert isinstance(reads[scene.locator(ATTACKER)], Found)


def test_a_forged_node_marker_takes_the_node_out_of_use(
    scene: Scene, cache: MemcachedCache, expect_log: ExpectLog
) -> None:
    """Whoever can write there can stop the node, but cannot make it pass for another."""
    expect_log("identity.stores.memcached", "holds a marker that this key ring did not write")
    plant(scene.node, "n1:node", b"\x01\x01" + bytes(12) + b"a" + bytes(16))

    assert scene.read(VICTIM) is Unread.DOWN

    assert cache.nodes()[0].problem.startswith("holds a marker that this key ring did not write")


def test_a_value_replayed_at_its_own_key_is_believed(scene: Scene) -> None:
    """The known limit, stated in docs/threats.md: a seal cannot tell an older value of the same key."""
    old = peek(scene.node, scene.key(VICTIM))
    read = scene.read(VICTIM)
    assert isinstance(read, Found)
    newer = replace(read.record, sessions=())
    expires_at = wall_clock() + HOUR
    scene.sessions.swap(scene.locator(VICTIM), newer, version=read.version, expires_at=expires_at)

    plant(scene.node, scene.key(VICTIM), old)

    again = scene.read(VICTIM)
    assert isinstance(again, Found)
    assert again.record == read.record
