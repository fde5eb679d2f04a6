"""A release in a jail: nothing but a Python and the release, no network, no users, no certificates, no environment.

Run as a program in namespaces of its own (`command`), since a network without an outside holds the daemon and its
visitors alike. It prints what the visitors saw.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from tests.support.running import ROOT, Running
from tests.support.waiting import serving

NOBODY: Final = 65534
_PREFIX: Final = Path(sys.base_prefix)
_PYTHON: Final = _PREFIX / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
_LIBRARY: Final = re.compile(r"(?:=> )?(/\S+) \(0x")
_PATH: Final = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"


def _program(name: str) -> str:
    return str(shutil.which(name, path=_PATH))


def command(*arguments: str) -> list[str]:
    """Return what runs a command in namespaces of its own; as another user than root it is root only in there."""
    as_root = [] if os.getuid() == 0 else ["--map-root-user"]
    return [_program("unshare"), "--mount", "--net", *as_root, *arguments]


class Jailed(Running):
    """A daemon whose whole file system is a folder with a release, a Python and its own data.

    Args:
        jail: the folder.
        release: the folder of the release, as it is called inside.
    """

    def __init__(self, jail: Path, release: str) -> None:
        super().__init__(jail / "data", {})
        self._jail, self._release = jail, release
        _furnish(jail, jail / release.lstrip("/"))
        if not _alone():
            for path in [self.folder, *self.folder.iterdir()]:
                os.chown(path, NOBODY, NOBODY)

    def start(self) -> None:
        """Start as a user without rights or name, and wait until it answers."""
        as_nobody = [] if _alone() else [f"--userspec={NOBODY}:{NOBODY}"]
        # This machine's Python may have libraries of its own, which must not stand in for a missing one.
        how = [str(_PYTHON), "-S", f"{self._release}/identityd.py", "demo", "--data", "/data"]
        ports = ["--port", str(self.port), "--internal-port", str(self.internal_port)]
        chroot = [_program("chroot"), *as_nobody, str(self._jail)]
        with self._log.open("ab") as log:
            process = subprocess.Popen([*chroot, *how, *ports], stdout=log, stderr=log, env={})
        self._process = process
        serving(
            lambda: self.ask("GET", "/healthz"),
            alive=lambda: process.poll() is None,
            within_s=30,
            failure=lambda: f"the daemon did not start:\n{self.log()[-3000:]}",
        )


def _alone() -> bool:
    """Tell whether this is root only in a namespace of one user, who can become no other."""
    return Path("/proc/self/uid_map").read_text().split()[2] == "1"


def _furnish(jail: Path, release: Path) -> None:
    """Put a Python, and the libraries it is linked to, where they are outside."""
    inside = jail / _PREFIX.relative_to("/")
    inside.mkdir(parents=True)
    modules = (_PREFIX / "lib" / _PYTHON.name / "lib-dynload").glob("*.so")
    tag = f"cp{sys.version_info.major}{sys.version_info.minor}"
    ours = (*(release / "lib" / tag).rglob("*.so"), *(release / "lib").rglob("*.abi3.so"))
    ldd = [_program("ldd"), str(_PYTHON), *map(str, modules), *map(str, ours)]
    linked = subprocess.run(ldd, capture_output=True, text=True, check=False)
    for library in sorted(set(_LIBRARY.findall(linked.stdout))):
        target = jail / library.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, target)
    subprocess.run([_program("mount"), "--bind", str(_PREFIX), str(inside)], check=True)


def visit(jail: Path, release: str) -> dict[str, Any]:
    """Start what is in the jail, sign a person up, and ask as an application whose session it is."""
    with Jailed(jail, release) as daemon:
        status, _, healthy = daemon.ask("GET", "/healthz")
        cookie = daemon.sign_up("alice")
        return {
            "healthz": [status, healthy.decode()],
            "check": daemon.check(cookie),
            "root": sorted(path.name for path in Path(f"/proc/{daemon.pid}/root/").iterdir()),
            "uid": Path(f"/proc/{daemon.pid}").stat().st_uid,
            "stopped": daemon.stop(),
            "log": daemon.log(),
        }


def seen(jail: Path, release: str) -> dict[str, Any]:
    """Do all that in namespaces of its own; return what was seen."""
    program = [sys.executable, "-m", "tests.support.jail", str(jail), release]
    done = subprocess.run(command(*program), cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    subprocess.run([_program("ip"), "link", "set", "lo", "up"], check=True)
    sys.stdout.write(json.dumps(visit(Path(sys.argv[1]), sys.argv[2])))
