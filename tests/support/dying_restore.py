"""A process that restores a backup and kills itself at a checkpoint.

Run as `python -m tests.support.dying_restore CONFIGURATION BACKUP CHECKPOINT`.
"""

import subprocess
import sys
from pathlib import Path
from typing import Final
from uuid import uuid4

from identity import config
from identity.audit import Event
from identity.opening import now
from identity.restoring import prepared
from tests.support.dying import kill_at
from tests.support.sources import ROOT

CHECKPOINTS: Final = (
    "restore.begun",
    "restore.sessions-forgotten",
    "restore.log-moved",
    "restore.old-moved",
    "restore.done",
)
"""In their order; the log of changes is moved only if SQLite could not bring it into its file."""


def killed(configuration: Path, backup: Path, checkpoint: str) -> int:
    """Run a restore in a process of its own; return how it ended, below 0 if it was killed."""
    command = [sys.executable, "-m", "tests.support.dying_restore", str(configuration), str(backup), checkpoint]
    return subprocess.run(command, cwd=ROOT, check=False, timeout=60, capture_output=True).returncode


def main(configuration: str, backup: str, checkpoint: str) -> None:
    """Restore, and die on the way."""
    read = config.load(Path(configuration), environ={})
    with prepared(read, Path(backup), told=lambda *_: None, checkpoint=kill_at(checkpoint)) as ready:
        ready.carry_out(Event(uuid4(), now(), action="restored", account_id=None, actor="operator:ann"))


if __name__ == "__main__":
    main(*sys.argv[1:])
