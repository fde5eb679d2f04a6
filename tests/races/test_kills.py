"""A daemon that is killed at every step of a change, and what the people meet afterwards.

A child process changes an account in a real file and sends itself SIGKILL at one checkpoint after
the other. Afterwards a login comes within the claims' 15 minutes, and one after them. The same in a
cluster: test_kills_in_cassandra.py.
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

import pytest

from identity.accounts.linking import CLAIM_TTL_MS
from identity.accounts.service import CHECKPOINTS
from identity.stores.sqlite import SqliteAccounts
from identity.types import SECOND
from identity.upkeep.diagnosis import REST_MS
from identity.upkeep.mending import REPAIR_CHECKPOINTS
from tests.contracts.kills import Kill, KillsContract, Left, make_victim
from tests.support.accounts import Registry
from tests.support.clock import NOON, ManualClock
from tests.support.disorder import run
from tests.support.dying import CHANGES, ENDED, Victim, change
from tests.support.sources import ROOT, files, tree
from tests.support.wholeness import disagreements

FILE: Final = "accounts.sqlite"
TIMEOUT_S: Final = 30
ALICE: Final = Victim()


@pytest.fixture(scope="module")
def remains(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """Give a function that has a change killed at a checkpoint, once, and names the folder it left."""

    @cache
    def kill(name: str, checkpoint: str) -> Path:
        path = tmp_path_factory.mktemp(name) / FILE
        store = SqliteAccounts(path, clock=ManualClock())
        make_victim(Registry(store, audit=store.audit), name, ALICE)
        store.close()
        command = [sys.executable, "-m", "tests.support.dying", str(path), name, checkpoint, str(NOON)]
        child = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=TIMEOUT_S)
        assert child.returncode == -signal.SIGKILL, child.stderr.decode()
        return path.parent

    return kill


class TestKilledOnAFile(KillsContract):
    """What one machine's people rest on."""

    @pytest.fixture
    def left(
        self, request: pytest.FixtureRequest, remains: Callable[[str, str], Path], tmp_path: Path
    ) -> Iterator[Left]:
        """Open a copy of what a killed change left, some time later."""
        kill: Kill = request.param
        shutil.copytree(remains(kill.change, kill.checkpoint), tmp_path, dirs_exist_ok=True)
        clock = ManualClock(NOON + kill.after)
        store = SqliteAccounts(tmp_path / FILE, clock=clock)
        yield Left(kill, ALICE, Registry(store, audit=store.audit, clock=clock))
        store.close()

    @pytest.mark.parametrize(
        "left",
        [Kill(name, each, CLAIM_TTL_MS + SECOND) for name in ("unlink", "disable", "groups") for each in CHANGES[name]],
        ids=str,
        indirect=True,
    )
    def test_sessions_that_a_killed_change_did_not_end_are_ended_later(self, left: Left, tmp_path: Path) -> None:
        """The thief would stay logged in because the power failed at the right moment."""
        changed = left.kill.checkpoint not in CHANGES[left.kill.change][:2]
        ended_before = tmp_path.joinpath(ENDED).exists()

        assert left.registry.service.retry_revocations() == 0

        assert bool(left.registry.ended or ended_before) == changed
        assert left.registry.store.revocations.open() == ()

    @pytest.mark.parametrize(
        "left",
        [Kill(name, each, REST_MS + SECOND) for name in CHANGES for each in CHANGES[name]],
        ids=str,
        indirect=True,
    )
    def test_a_repair_leaves_nothing_of_a_killed_change(self, left: Left) -> None:
        """What nobody logs in to would stay half done for ever."""
        assert not any(finding.left for finding in run(left.registry, repair=True))

        assert disagreements(left.registry.store) == []
        left.registry.service.retry_revocations()
        assert run(left.registry) == []


@pytest.mark.parametrize("name", list(CHANGES))
def test_the_changes_reach_the_checkpoints_listed_here(name: str) -> None:
    """A step without a kill test is a step nobody knows to be safe."""
    registry = Registry()
    make_victim(registry, name, ALICE)
    registry.passed.clear()

    change(registry.service, name, ALICE)

    assert tuple(registry.passed) == CHANGES[name]


def test_the_checkpoints_in_the_code_are_those_that_are_killed() -> None:
    """A new step must not be added without a kill at it."""
    called = {
        node.args[0].value
        for path in files("*.py", "identity/accounts", "identity/upkeep")
        for node in ast.walk(tree(path))
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
