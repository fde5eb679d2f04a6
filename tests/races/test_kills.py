"""A daemon that is killed at every step of a change, and what the people meet afterwards.

A child process changes an account in a real file and sends itself SIGKILL at one checkpoint after
the other. Afterwards a login comes within the claims' 15 minutes, and one after them.
"""

import ast
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Final
from uuid import uuid5

import pytest

from identity.accounts.checking import REST_MS
from identity.accounts.linking import CLAIM_REST_MS, CLAIM_TTL_MS, Refusal, Refuse, SignIn, decide
from identity.accounts.mending import REPAIR_CHECKPOINTS
from identity.accounts.results import BeingFinished, Linked, Reached, SignedUp, Unlink
from identity.accounts.service import CHECKPOINTS
from identity.accounts.store import AccountStatus
from identity.stores.sqlite import SqliteAccounts
from identity.types import SECOND, Millis
from tests.support.accounts import Registry, key
from tests.support.clock import NOON, ManualClock
from tests.support.disorder import run
from tests.support.dying import BY, ENDED, REQUEST, change, owner
from tests.support.sources import ROOT
from tests.support.wholeness import disagreements

SIGN_UP: Final = (
    "sign-up.identity-claimed",
    "sign-up.name-claimed",
    "sign-up.committed",
    "complete.account-written",
    "complete.name-owned",
    "complete.finished",
)
LINK: Final = (
    "trail.begun",
    "link.identity-claimed",
    "link.committed",
    "complete.account-written",
    "complete.name-owned",
    "complete.finished",
    "trail.ended",
)
UNLINK: Final = (
    "trail.begun",
    "ending.revocation-kept",
    "ending.account-changed",
    "unlink.identity-deleted",
    "ending.sessions-ended",
    "ending.revocation-done",
    "trail.ended",
)
DISABLE: Final = tuple(name for name in UNLINK if not name.startswith("unlink."))
CHANGES: Final = {"sign-up": SIGN_UP, "link": LINK, "unlink": UNLINK, "disable": DISABLE}

FILE: Final = "accounts.sqlite"
TIMEOUT_S: Final = 30
AT_ONCE: Final[Millis] = SECOND

later = pytest.mark.parametrize("after", [AT_ONCE, CLAIM_TTL_MS], ids=["within-the-ttl", "after-the-ttl"])

Killed = Callable[[str, str, Millis], Registry]


@pytest.fixture(scope="module")
def remains(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """Give a function that has a change killed at a checkpoint, once, and names the folder it left."""

    @cache
    def kill(name: str, checkpoint: str) -> Path:
        path = tmp_path_factory.mktemp(name) / FILE
        store = SqliteAccounts(path, clock=ManualClock())
        if name != "sign-up":
            Registry(store, audit=store.audit).member("1", "alice", *(["2"] if name == "unlink" else []))
        store.close()
        command = [sys.executable, "-m", "tests.support.dying", str(path), name, checkpoint, str(NOON)]
        child = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=TIMEOUT_S)
        assert child.returncode == -signal.SIGKILL, child.stderr.decode()
        return path.parent

    return kill


@pytest.fixture
def killed(remains: Callable[[str, str], Path], tmp_path: Path) -> Iterator[Killed]:
    """Give a function that opens a copy of what a killed change left, some time later."""
    stores = []

    def opened(name: str, checkpoint: str, after: Millis) -> Registry:
        shutil.copytree(remains(name, checkpoint), tmp_path, dirs_exist_ok=True)
        clock = ManualClock(NOON + after)
        stores.append(SqliteAccounts(tmp_path / FILE, clock=clock))
        return Registry(stores[-1], audit=stores[-1].audit, clock=clock)

    yield opened
    for store in stores:
        store.close()


def pass_by(registry: Registry, by_ms: Millis) -> None:
    """Let time pass."""
    assert isinstance(registry.clock, ManualClock)
    registry.clock.advance(by_ms)


@later
@pytest.mark.parametrize("checkpoint", SIGN_UP)
def test_after_a_killed_sign_up_the_person_has_the_account_or_can_make_it(
    killed: Killed, checkpoint: str, after: Millis
) -> None:
    """An identity or a name would be locked for ever, by a power failure in the wrong second."""
    registry = killed("sign-up", checkpoint, after)

    reached = registry.log_in("1")
    if reached is None:
        assert checkpoint in SIGN_UP[:2]
        if after == AT_ONCE:
            assert registry.sign_up("1", "alice") == BeingFinished()
            pass_by(registry, CLAIM_REST_MS)
        made = registry.sign_up("1", "alice")
        assert isinstance(made, SignedUp)
        reached = made.account_id

    assert registry.log_in("1") == reached
    assert registry.account(reached).username == "alice"
    assert len(list(registry.store.accounts.scan())) == 1
    assert disagreements(registry.store) == []


@pytest.mark.parametrize("checkpoint", SIGN_UP[:2])
def test_a_killed_sign_up_keeps_its_name_from_nobody(killed: Killed, checkpoint: str) -> None:
    """A stranger may have the name that nobody finished taking."""
    registry = killed("sign-up", checkpoint, CLAIM_TTL_MS)

    stranger = registry.sign_up("9", "alice")

    assert isinstance(stranger, SignedUp)
    assert isinstance(registry.sign_up("1", "alice2"), SignedUp)
    assert disagreements(registry.store) == []


@pytest.mark.parametrize("checkpoint", SIGN_UP[2:4])
def test_a_name_lost_to_a_stranger_is_asked_for_again(killed: Killed, checkpoint: str) -> None:
    """Killed after the commit, and somebody takes the name before the person comes back."""
    registry = killed("sign-up", checkpoint, CLAIM_TTL_MS)
    stranger = registry.sign_up("9", "alice")
    assert isinstance(stranger, SignedUp)

    assert registry.log_in("1") is None
    made = registry.sign_up("1", "alicia")

    assert isinstance(made, SignedUp)
    assert registry.log_in("1") == made.account_id != stranger.account_id
    assert disagreements(registry.store) == []


@later
@pytest.mark.parametrize("checkpoint", LINK)
def test_after_a_killed_link_the_identity_is_linked_or_can_be(killed: Killed, checkpoint: str, after: Millis) -> None:
    """The identity would be neither the person's nor anybody else's."""
    registry = killed("link", checkpoint, after)
    alice = registry.log_in("1")
    assert alice is not None

    if registry.log_in("2") is None:
        assert checkpoint in LINK[:2]
        pass_by(registry, CLAIM_REST_MS)
        assert registry.link(alice, "2") == Linked(alice)

    assert registry.log_in("2") == registry.log_in("1") == alice
    assert disagreements(registry.store) == []


@later
@pytest.mark.parametrize("checkpoint", LINK)
def test_a_killed_link_can_be_repeated(killed: Killed, checkpoint: str, after: Millis) -> None:
    """The person sees an error page and presses the button again."""
    registry = killed("link", checkpoint, after)

    assert change(registry.service, "link") == Linked(owner(registry.service))

    assert registry.log_in("2") == owner(registry.service)
    assert disagreements(registry.store) == []


@later
@pytest.mark.parametrize("checkpoint", UNLINK)
def test_after_a_killed_unlink_the_way_works_or_is_free(killed: Killed, checkpoint: str, after: Millis) -> None:
    """Half an unlink would let the thief in, or lock the identity for ever, or the person out."""
    registry = killed("unlink", checkpoint, after)
    alice = registry.log_in("1")
    assert alice is not None

    assert registry.log_in("2") == (alice if checkpoint in UNLINK[:2] else None)
    again = registry.service.unlink(Unlink(REQUEST, alice, key("2"), BY))

    assert again == (Reached(alice) if checkpoint in UNLINK[:2] else Refuse(Refusal.NOT_LINKED))
    assert registry.log_in("2") is None
    assert isinstance(registry.sign_up("2", "bob"), SignedUp)
    assert registry.log_in("1") == alice
    assert disagreements(registry.store) == []


@later
@pytest.mark.parametrize("checkpoint", DISABLE)
def test_after_a_killed_disable_the_account_is_as_it_was_or_disabled(
    killed: Killed, checkpoint: str, after: Millis
) -> None:
    """Something in between would be an account nobody can explain."""
    registry = killed("disable", checkpoint, after)
    row = registry.service.find(key("1"))
    assert row is not None

    decision = decide(row, registry.service.account(row.account_id))

    if checkpoint in DISABLE[:2]:
        assert isinstance(decision, SignIn)
    else:
        assert decision == Refuse(Refusal.DISABLED)
    assert change(registry.service, "disable") == Reached(row.account_id)
    assert registry.account(row.account_id).status is AccountStatus.DISABLED
    assert disagreements(registry.store) == []


@pytest.mark.parametrize(
    ("name", "checkpoint"), [(name, each) for name in ("unlink", "disable") for each in CHANGES[name]]
)
def test_sessions_that_a_killed_change_did_not_end_are_ended_later(
    killed: Killed, tmp_path: Path, name: str, checkpoint: str
) -> None:
    """The thief would stay logged in because the power failed at the right moment."""
    registry = killed(name, checkpoint, CLAIM_TTL_MS + SECOND)
    changed = checkpoint not in CHANGES[name][:2]
    ended_before = tmp_path.joinpath(ENDED).exists()

    assert registry.service.retry_revocations() == 0

    assert bool(registry.ended or ended_before) == changed
    assert registry.store.revocations.open() == ()


@pytest.mark.parametrize(("name", "checkpoint"), [(name, each) for name in CHANGES for each in CHANGES[name]])
def test_a_repair_leaves_nothing_of_a_killed_change(killed: Killed, name: str, checkpoint: str) -> None:
    """What nobody logs in to would stay half done for ever."""
    registry = killed(name, checkpoint, REST_MS + SECOND)

    assert not any(finding.left for finding in run(registry, repair=True))

    assert disagreements(registry.store) == []
    registry.service.retry_revocations()
    assert run(registry) == []


@pytest.mark.parametrize("name", ["link", "unlink", "disable"])
def test_a_killed_change_left_its_trace_before_it_changed_anything(killed: Killed, name: str) -> None:
    """An operator must see what was being done when the machine died."""
    registry = killed(name, "trail.begun", AT_ONCE)

    newest, *_ = registry.audit.of_account(owner(registry.service))

    assert (newest.action, newest.id) == (f"{name}-begun", uuid5(REQUEST, f"{name}:"))


@pytest.mark.parametrize("name", list(CHANGES))
def test_the_changes_reach_the_checkpoints_listed_here(name: str) -> None:
    """A step without a kill test is a step nobody knows to be safe."""
    registry = Registry()
    if name != "sign-up":
        registry.member("1", "alice", *(["2"] if name == "unlink" else []))
    registry.passed.clear()

    change(registry.service, name)

    assert tuple(registry.passed) == CHANGES[name]


def test_the_checkpoints_in_the_code_are_those_that_are_killed() -> None:
    """A new step must not be added without a kill at it."""
    called = {
        node.args[0].value
        for path in (ROOT / "identity").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute | ast.Name)
        and (node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id).endswith("checkpoint")
        and isinstance(node.args[0], ast.Constant)
    }

    # Those of a repair are killed in tests/races/test_fsck.py.
    assert (
        called - set(REPAIR_CHECKPOINTS) == set(CHECKPOINTS) == {each for names in CHANGES.values() for each in names}
    )
    assert called >= set(REPAIR_CHECKPOINTS)
    assert len(CHECKPOINTS) == len(set(CHECKPOINTS))


def test_every_sign_up_that_was_answered_survives_a_kill(tmp_path: Path) -> None:
    """A person would be welcomed, and be a stranger after the restart."""
    path = tmp_path / "accounts.sqlite"
    command = [sys.executable, "-m", "tests.support.dying", str(path), "sign-ups", "", str(NOON)]
    enough = 200
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        answered = [child.stdout.readline() for _ in range(enough)]
        child.kill()
        answered += child.stdout.readlines()
    store = SqliteAccounts(path, clock=ManualClock())
    registry = Registry(store, audit=store.audit)

    lost = [line for line in answered if registry.log_in(line.decode().strip()) is None]

    assert len(answered) >= enough
    assert lost == []
    store.close()
