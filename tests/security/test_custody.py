"""Row 53: nothing is believed that everybody on the machine could have written; and reading never waits."""

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from identity import config
from identity.cli.files import new_ring_file
from identity.config import custody
from identity.errors import ConfigError
from identity.opening import Ring
from identity.stores.sqlite_connections import hold
from tests.support.configuration import APP_SECRET

pytestmark = pytest.mark.threat(53)

TEXT: Final = """
[server]
public_url = https://login.example
tls_certificate = d/c.pem
tls_key = d/k.pem
[keys]
file = d/keys
[sqlite]
file = d/accounts
[app:wiki]
secret_file = d/secret
"""
FILES: Final = ("ini", "c.pem", "k.pem", "keys", "secret", "accounts")
BESIDE: Final = ("accounts-wal", "accounts-shm", "accounts-journal")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Give a folder with everything a configuration can name in `a/d`."""
    folder = tmp_path / "a" / "d"
    folder.mkdir(parents=True)
    new_ring_file(folder / "keys")
    (folder.parent / "ini").write_text(TEXT)
    for name, text in (("c.pem", "-"), ("k.pem", "-"), ("secret", APP_SECRET), ("accounts", "")):
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    for name in BESIDE:
        (folder / name).touch(0o600)
    return folder


def _place(home: Path, name: str) -> Path:
    return home.parent / name if name == "ini" else home / name


def _problems(home: Path, path: Path | None = None) -> tuple[str, ...]:
    try:
        config.load(path or home.parent / "ini", environ={})
    except ConfigError as error:
        return error.problems
    return ()


def test_what_is_ours_is_accepted(home: Path) -> None:
    """Otherwise nothing of what follows means anything."""
    assert _problems(home) == ()


@pytest.mark.parametrize("mode", [0o602, 0o606, 0o622, 0o666, 0o777])
@pytest.mark.parametrize("name", [*FILES, *BESIDE])
def test_a_file_that_everybody_can_write_is_refused(home: Path, name: str, mode: int) -> None:
    """Otherwise anybody with a shell adds an identity, a secret or a key of their own."""
    path = _place(home, name)
    path.chmod(mode)

    (problem,) = _problems(home)

    assert f"run `chmod {'600' if name in ('k.pem', 'keys', 'secret') else 'o-w'} {path}`" in problem
    assert "everybody" in problem


@pytest.mark.parametrize("where", ["a", "a/d"])
@pytest.mark.parametrize("mode", [0o777, 0o702, 0o733])
def test_a_folder_that_everybody_can_write_is_refused(home: Path, where: str, mode: int) -> None:
    """Otherwise anybody puts another file in the place of ours, however well ours is kept."""
    folder = home if where == "a/d" else home.parent
    folder.chmod(mode)

    problems = _problems(home)

    assert problems
    for problem in problems:
        assert f"run `chmod o-w {folder}`" in problem


def test_the_group_is_the_operators_decision(home: Path) -> None:
    """Otherwise a deployment whose files belong to one group cannot start."""
    for path in (home, home.parent, *(_place(home, name) for name in (*FILES, *BESIDE))):
        path.chmod(0o770 if path.is_dir() else 0o660)

    assert _problems(home) == ()


def test_a_sticky_folder_will_do_for_files_of_ours_but_not_for_accounts(home: Path) -> None:
    """In /tmp nobody can exchange our file, and anybody can put a `-wal` beside it, which SQLite believes."""
    home.parent.chmod(0o1777)
    assert _problems(home) == ()
    home.chmod(0o1777)

    (problem,) = _problems(home)

    assert problem.startswith("[sqlite] file: the folder")


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files away")
@pytest.mark.parametrize("name", ["ini", "c.pem", "keys", "secret"])
def test_somebody_elses_file_in_a_sticky_folder_is_refused(home: Path, name: str) -> None:
    """Otherwise whoever makes /tmp/identityd.ini first decides who everybody is."""
    path = _place(home, name)
    path.parent.chmod(0o1777)
    os.chown(path, 65_534, 65_534)

    assert any(f"{path.name} can be exchanged" in problem for problem in _problems(home))


@pytest.mark.parametrize("name", [name for name in FILES if name != "accounts"])
def test_a_link_leads_through_folders_that_count(home: Path, tmp_path: Path, name: str) -> None:
    """Otherwise the folder that a link leads through is where files are exchanged."""
    path, bad = _place(home, name), tmp_path / "bad"
    bad.mkdir()
    (bad / "link").symlink_to("../kept")
    path.rename(tmp_path / "kept")
    path.symlink_to(bad / "link")
    assert _problems(home) == ()
    bad.chmod(0o777)

    assert any(f"the folder {bad}" in problem for problem in _problems(home))


def test_links_as_orchestrators_make_them_are_followed(home: Path) -> None:
    """A mounted secret of Kubernetes is a link to a link in a sticky folder of root's."""
    (home / "..data_1").mkdir()
    (home / "keys").rename(home / "..data_1" / "keys")
    (home / "..data").symlink_to("..data_1")
    (home / "keys").symlink_to("..data/keys")

    assert _problems(home) == ()


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        here = Path.cwd()
        os.chdir(path.parent)
        try:
            sock.bind(path.name)
        finally:
            os.chdir(here)


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _terminal(path: Path) -> None:
    path.symlink_to("/dev/ptmx")


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 34)
    path.chmod(0o600)


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


ODD: Final = [_pipe, _socket, _device, _terminal, _huge, _loop, Path.mkdir]


@pytest.mark.parametrize("make", ODD)
@pytest.mark.parametrize("name", [name for name in FILES if name != "accounts"])
def test_what_is_no_file_is_refused_at_once(home: Path, name: str, make: Callable[[Path], None]) -> None:
    """Otherwise a start waits for a pipe that nobody writes, or reads a device to its end."""
    path = _place(home, name)
    path.unlink()
    make(path)

    (problem,) = _problems(home)

    assert str(path) in problem


@pytest.mark.parametrize("make", [_pipe, _device, _huge, Path.mkdir])
@pytest.mark.parametrize("name", ["keys", "c.pem", "k.pem"])
def test_a_reload_never_waits(home: Path, name: str, make: Callable[[Path], None]) -> None:
    """Otherwise SIGHUP stops a daemon that a slip of the hand left with a pipe for its key ring."""
    read = config.load(home.parent / "ini", environ={})
    ring = Ring(read)
    (home / name).unlink()
    make(home / name)

    with pytest.raises(ConfigError):
        ring.read_again() if name == "keys" else config.require_certificate(read)

    assert ring().newest == 1


@pytest.mark.parametrize("make", [_pipe, _device, Path.mkdir])
def test_an_account_file_that_is_none_is_refused(home: Path, make: Callable[[Path], None]) -> None:
    """Otherwise the store waits for it, or fails with words of SQLite's own."""
    (home / "accounts").unlink()
    make(home / "accounts")

    (problem,) = _problems(home)

    assert problem.startswith(f"[sqlite] file: {home}/accounts is not a file but a ")


def test_a_pipe_for_a_configuration_is_named_as_one() -> None:
    """`--config <(…)` and `/dev/stdin` are pipes: relative paths in them would start nowhere."""
    read, write = os.pipe()
    try:
        with pytest.raises(ConfigError, match="is a pipe, not a file; write what it says into a file"):
            config.load(Path(f"/dev/fd/{read}"), environ={})
    finally:
        os.close(read)
        os.close(write)


def test_a_file_that_grows_while_it_is_read_has_an_end(tmp_path: Path) -> None:
    """Otherwise a log that is named by mistake is read for as long as it is written."""
    path = tmp_path / "file"
    path.write_bytes(b"x" * custody.LARGEST)
    assert len(custody.read(path, secret=False)) == custody.LARGEST
    path.write_bytes(b"x" * (custody.LARGEST + 1))

    with pytest.raises(ValueError, match="larger than 1 MB"):
        custody.read(path, secret=False)


def test_the_store_refuses_what_was_written_after_the_configuration_was_read(tmp_path: Path) -> None:
    """Otherwise taking the file from everybody hides that it was theirs."""
    path = tmp_path / "accounts"
    path.touch()
    path.chmod(0o666)

    with pytest.raises(ConfigError, match="can be changed by everybody"):
        hold(path)

    assert path.stat().st_mode & 0o777 == 0o666
