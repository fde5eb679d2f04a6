"""A bundle as an operator meets it: made, unpacked where there is nothing but a Python, renamed, started."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Final

import pytest

from identity import __version__
from tests.support import jail, needs, pythons
from tests.support.running import Running
from tests.support.sources import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.wheels]

_PYTHONS: Final = ("cp311", "cp312", "cp313")


def made(folder: Path) -> Path:
    """Make a bundle; return the archive."""
    command = [str(needs.find("wheels")), "-m", "release", "bundle", str(folder)]
    environ = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    [archive] = folder.glob("*.tar.gz")
    return archive


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a bundle."""
    return made(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module")
def unpacked(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give what is in it, under a name of the operator's."""
    place = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(archive) as tar:
        tar.extractall(place, filter="data")
    return (place / f"identityd-{__version__}").rename(place / "a login, größer")


def run(
    root: Path, *arguments: str, options: tuple[str, ...] = (), cwd: Path = Path("/")
) -> subprocess.CompletedProcess[str]:
    """Run the command line of what was unpacked, with a Python that has no libraries, and no environment."""
    command = [os.path.realpath(sys.executable), "-S", *options, str(root / "identityd.py"), *arguments]
    return subprocess.run(command, cwd=cwd, env={}, capture_output=True, text=True, check=False)


@pytest.mark.namespaces
def test_it_runs_where_there_is_nothing_but_a_python(unpacked: Path, tmp_path: Path) -> None:
    """An operator's chroot has no users, no certificates, no network and no compiler, and the login is not let in."""
    place = tmp_path / "jail"
    place.mkdir(mode=0o755)
    shutil.copytree(unpacked, place / "srv" / "renamed")

    seen = jail.seen(place, "/srv/renamed")

    assert seen["healthz"][0] == 200
    assert (seen["check"]["verdict"], seen["check"]["user"]["name"]) == ("ok", "alice")
    assert "etc" not in seen["root"]
    assert seen["uid"] != 0 or os.getuid() != 0
    assert seen["stopped"] == 0, seen["log"]


def test_two_bundles_of_the_same_source_are_the_same(archive: Path, tmp_path: Path) -> None:
    """Who builds it again to see that it was not tampered with would find differences and learn nothing."""
    again = made(tmp_path)

    assert again.name == archive.name == f"identityd-{__version__}-{'-'.join(_PYTHONS)}-linux-x86_64.tar.gz"
    assert hashlib.sha256(again.read_bytes()).hexdigest() == hashlib.sha256(archive.read_bytes()).hexdigest()


def test_its_sums_cover_every_file(unpacked: Path) -> None:
    """A file that was changed on the way, or added, would not be noticed."""
    lines = (unpacked / "SHA256SUMS").read_text().splitlines()
    said = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    there = {path.relative_to(unpacked).as_posix(): path for path in unpacked.rglob("*") if path.is_file()}
    there = {name: path for name, path in there.items() if path.suffix != ".pyc" and name != "SHA256SUMS"}

    assert said == {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in there.items()}


def test_no_file_names_the_place_it_was_made_at(unpacked: Path) -> None:
    """It would run only there, or tell strangers about the machine."""
    places = [str(ROOT).encode(), str(ROOT.resolve()).encode(), b"/.cache/cyclonedx-bom"]
    own = [path for path in unpacked.rglob("*") if path.is_file() and "lib" not in path.relative_to(unpacked).parts]
    installed = [path for path in (unpacked / "lib").rglob("*") if path.is_file() and "dist-info" in str(path)]

    assert [path for path in [*own, *installed] if any(place in path.read_bytes() for place in places)] == []


@pytest.mark.parametrize("tag", _PYTHONS)
def test_every_library_has_its_licence_text_and_is_in_the_bill(unpacked: Path, tag: str) -> None:
    """Passing a library on without its licence is not allowed, and one missing in the bill is never updated."""
    found = [path.name for part in ("", tag) for path in (unpacked / "lib" / part).glob("*.dist-info")]
    libraries = {name.removesuffix(".dist-info") for name in found}
    bill = json.loads((unpacked / "sbom" / f"{tag}.cdx.json").read_text())
    listed = {f"{each['name'].lower().replace('-', '_')}-{each['version']}" for each in bill["components"]}

    assert len(libraries) > 10
    assert listed == {name.lower() for name in libraries}
    assert [name for name in sorted(libraries) if not any((unpacked / "licences" / name).iterdir())] == []
    assert all(path.stat().st_size > 0 for path in (unpacked / "licences").rglob("*"))


def test_the_bill_is_of_identityd_in_this_version(unpacked: Path) -> None:
    """Who asks which machines have a certain version would find its libraries and not the program."""
    bills = [json.loads(path.read_text())["metadata"]["component"] for path in (unpacked / "sbom").glob("*.json")]

    assert [(each["name"], each["version"]) for each in bills] == [("identityd", __version__)] * len(_PYTHONS)


@pytest.mark.parametrize("python", pythons.found(_PYTHONS), ids=lambda path: path.name)
def test_a_person_logs_in_under_each_python_it_names(unpacked: Path, tmp_path: Path, python: Path) -> None:
    """A library that was built for one Python and not for another is missed at the first login only."""
    daemon = Running(tmp_path / "run", {})
    daemon.python, daemon.program = str(python), unpacked / "identityd.py"
    with daemon:
        told = daemon.check(daemon.sign_up("alice"))
        log = daemon.log()

    assert (told["verdict"], told["user"]["name"]) == ("ok", "alice")
    assert f"on Python {python.name.removeprefix('python')}." in log


@pytest.mark.parametrize("options", [(), ("-I",), ("-P",)])
def test_the_libraries_beside_it_are_found(unpacked: Path, options: tuple[str, ...]) -> None:
    """An operator who isolates Python from the machine's own libraries would isolate it from ours."""
    done = run(unpacked, "--version", options=options)

    assert (done.returncode, done.stdout) == (0, f"identityd, version {__version__}\n"), done.stderr


@pytest.mark.parametrize(
    ("library", "arguments"),
    [("click", ("--version",)), ("tornado", ("demo",)), ("uvloop", ("demo",))],
)
def test_a_missing_library_is_one_sentence(
    unpacked: Path, tmp_path: Path, library: str, arguments: tuple[str, ...]
) -> None:
    """A copy that was cut short ends in a traceback, whose last line is about an import somewhere inside."""
    copy = tmp_path / "copy"
    shutil.copytree(unpacked, copy)
    for path in [*copy.glob(f"lib/{library}"), *copy.glob(f"lib/cp*/{library}")]:
        shutil.rmtree(path)
    done = run(copy, *arguments, cwd=tmp_path)

    assert done.returncode == 1
    sentence = f"The library {library} is missing from {copy}. Unpack or install this version again.\n"
    assert (done.stdout, done.stderr) == ("", sentence)


def test_a_python_it_has_nothing_for_is_one_sentence(unpacked: Path, tmp_path: Path) -> None:
    """After an upgrade of the machine's Python the daemon does not start, and an import error does not say why."""
    copy = tmp_path / "copy"
    shutil.copytree(unpacked, copy)
    own = f"cp{sys.version_info.major}{sys.version_info.minor}"
    shutil.rmtree(copy / "lib" / own)

    done = run(copy, "--version")

    others = ", ".join(f"3.{tag[3:]}" for tag in _PYTHONS if tag != own)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"The libraries in {copy / 'lib'} are for Python {others}; this is ")
    assert done.stderr.count("\n") == 1


def test_an_installation_is_whole_or_not_there_and_never_overwritten(tmp_path: Path) -> None:
    """A running daemon would import half of another version."""
    prefix = tmp_path / "usr" / "local" / "identityd-1.2.3"
    left = prefix.with_name("identityd-1.2.3.part")
    left.mkdir(parents=True)
    (left / "cut short").touch()
    command = [str(needs.find("wheels")), "-m", "release", "install", str(prefix)]

    first, second = (subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False) for _ in range(2))

    assert first.returncode == 0, first.stderr
    assert run(prefix, "--version").stdout == f"identityd, version {__version__}\n"
    assert [path.name for path in prefix.parent.iterdir()] == [prefix.name]
    assert not (prefix / "cut short").exists()
    assert second.returncode == 1
    assert second.stderr.startswith(f"{prefix} is there already")
