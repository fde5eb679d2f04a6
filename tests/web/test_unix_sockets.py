"""Listeners that are Unix sockets: who may connect, who is believed, whose file it is."""

import asyncio
import http.client
import os
import socket
import stat
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from click.testing import CliRunner

from identity.cli import cli
from identity.cli.doctor_visits import readiness
from identity.cli.files import new_ring_file
from identity.errors import ConfigError
from identity.web.process.listening import Listening, UnixSocket, listen
from identity.web.server import Daemon
from tests.support.browser import Reply
from tests.support.web import LOCAL, Site, forwarded

TRUSTED = ("unix:",)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder with a short path: a socket's may have 107 bytes."""
    with TemporaryDirectory() as made:
        yield Path(made)


def ask_unix(path: Path, target: str, *, host: str = "localhost", headers: Mapping[str, str] | None = None) -> Reply:
    """Ask through a Unix socket."""
    connection = http.client.HTTPConnection(host, timeout=20)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(str(path))
    try:
        connection.request("GET", target, headers=dict(headers or {}))
        answer = connection.getresponse()
        return Reply(answer.status, tuple(answer.getheaders()), answer.read())
    finally:
        connection.close()


def at(path: Path, **given: object) -> Listening:
    """Return a listener at a path."""
    return Listening(address="", port=0, unix=UnixSocket(path=path, **given))  # type: ignore[arg-type]


def mode_of(path: Path) -> int:
    """Return who may do what with a file."""
    return stat.S_IMODE(path.stat().st_mode)


class TestRequests:
    """What is answered over a Unix socket."""

    def test_both_listeners_answer(self, folder: Path) -> None:
        """Otherwise a proxy on the same machine needs ports that every local user can reach."""
        with Site(folder=folder) as site:
            page = ask_unix(folder / "public.sock", "/.identityd/ack", host=site.host)
            alive = ask_unix(folder / "internal.sock", "/healthz")

        assert (page.status, alive.status) == (204, 200)

    def test_any_name_will_do_on_the_internal_one(self, folder: Path) -> None:
        """Otherwise an operator lists names for an attack that cannot reach the socket."""
        with Site(folder=folder):
            assert ask_unix(folder / "internal.sock", "/healthz", host="whatever.example").status == 200

    def test_the_public_one_answers_for_its_hosts_only(self, folder: Path) -> None:
        """Otherwise a proxy that hands any host on makes a page of ours appear under a stranger's name."""
        with Site(folder=folder):
            assert ask_unix(folder / "public.sock", "/login", host="evil.example").status == 421

    @pytest.mark.threat(37)
    @pytest.mark.parametrize(("trusted", "status"), [(TRUSTED, 401), ((), 403), (("0.0.0.0/8", "127.0.0.1"), 403)])
    def test_a_proxy_is_believed_if_unix_is_listed(self, folder: Path, trusted: tuple[str, ...], status: int) -> None:
        """Otherwise every program that can connect may say whose request it is, although no operator said so."""
        with Site(folder=folder, trusted=trusted) as site:
            answer = ask_unix(folder / "internal.sock", "/auth", headers=forwarded(host=site.host))

        assert answer.status == status

    @pytest.mark.threat(37)
    @pytest.mark.parametrize(("trusted", "address"), [(TRUSTED, "203.0.113.9"), ((), "unix:")])
    def test_the_persons_address_is_the_proxys_word_if_it_is_believed(
        self, folder: Path, caplog: pytest.LogCaptureFixture, trusted: tuple[str, ...], address: str
    ) -> None:
        """Otherwise the audit shows what any local program wrote into a header."""
        caplog.set_level("INFO", logger="identity.web.access")
        with Site(folder=folder, trusted=trusted) as site:
            ask_unix(folder / "public.sock", "/login", host=site.host, headers={"X-Forwarded-For": "203.0.113.9"})

        assert [record.address for record in caplog.records if hasattr(record, "address")] == [address]

    @pytest.mark.threat(48)
    def test_no_login_is_slowed_by_an_address_that_is_no_persons(self, folder: Path) -> None:
        """Otherwise all people behind a proxy that tells no address share one count, and lock each other out."""
        with Site(folder=folder, trusted=TRUSTED, logins_per_minute=1) as site:
            statuses = {ask_unix(folder / "public.sock", "/login/none", host=site.host).status for _ in range(5)}

        assert statuses == {404}


class TestFiles:
    """The file of the socket."""

    def test_it_has_the_mode_that_was_asked_for(self, folder: Path) -> None:
        """Otherwise the umask of a shell decides who may say whose request it is."""
        before = os.umask(0o077)
        try:
            sock = listen(at(folder / "s", mode=0o666))
        finally:
            os.umask(before)

        with sock:
            assert mode_of(folder / "s") == 0o666

    def test_it_has_the_group_that_was_asked_for(self, folder: Path) -> None:
        """Otherwise the proxy's user cannot connect."""
        group = os.getgid() if os.geteuid() else 12_345
        with listen(at(folder / "s", group=str(group))):
            assert (folder / "s").stat().st_gid == group

    def test_an_unknown_group_is_a_configuration_error(self, folder: Path) -> None:
        """Otherwise the daemon dies with a traceback, or serves a group that was not meant."""
        with pytest.raises(ConfigError, match=r"\[server\] socket_group: this machine has no group nosuch"):
            listen(at(folder / "s", group="nosuch"))

        assert not (folder / "s").exists()

    def test_the_file_of_a_daemon_that_was_killed_is_replaced(self, folder: Path) -> None:
        """Otherwise an operator removes a file by hand after every power cut."""
        listen(at(folder / "s")).close()
        assert (folder / "s").exists()

        with listen(at(folder / "s")), socket.socket(socket.AF_UNIX) as client:
            client.connect(str(folder / "s"))

    def test_one_that_answers_is_left_alone(self, folder: Path) -> None:
        """Otherwise a second daemon takes the first one's connections away unseen."""
        with listen(at(folder / "s")), socket.socket(socket.AF_UNIX) as client:
            with pytest.raises(ConfigError, match=r"a program answers on .*/s already; stop it"):
                listen(at(folder / "s"))

            client.connect(str(folder / "s"))

    def test_one_that_is_too_busy_to_answer_is_left_alone(self, folder: Path) -> None:
        """Otherwise a daemon under load loses its socket to the next start."""
        with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as waiting:
            busy.bind(str(folder / "s"))
            busy.listen(0)
            waiting.connect(str(folder / "s"))

            with pytest.raises(ConfigError, match="a program answers on"):
                listen(at(folder / "s"))

    @pytest.mark.parametrize("make", ["file", "folder", "link"])
    def test_what_is_no_socket_is_never_removed(self, folder: Path, make: str) -> None:
        """Otherwise a slip in the configuration deletes a file."""
        path = folder / "s"
        if make == "file":
            path.write_text("mine")
        elif make == "folder":
            path.mkdir()
        else:
            path.symlink_to(folder / "elsewhere")

        with pytest.raises(ConfigError, match="is there and is no socket"):
            listen(at(path))

        assert path.is_symlink() or path.exists()

    def test_of_two_that_start_at_once_one_gets_the_path(self, folder: Path) -> None:
        """Otherwise the second removes the socket on which the first already listens."""
        for _ in range(20):
            listen(at(folder / "s")).close()
            made: list[socket.socket | ConfigError] = []
            start = threading.Barrier(4)

            def race(start: threading.Barrier = start, made: list[socket.socket | ConfigError] = made) -> None:
                start.wait()
                try:
                    made.append(listen(at(folder / "s")))
                except ConfigError as error:
                    made.append(error)

            threads = [threading.Thread(target=race) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            (winner,) = (each for each in made if isinstance(each, socket.socket))
            with winner, socket.socket(socket.AF_UNIX) as client:
                client.connect(str(folder / "s"))

    def test_it_is_gone_after_a_stop(self, folder: Path) -> None:
        """Otherwise proxies connect to nothing, and say so less clearly than by a missing file."""
        with Site(folder=folder):
            pass

        assert list(folder.iterdir()) == []

    def test_a_stop_leaves_another_daemons_file(self, folder: Path) -> None:
        """Otherwise a daemon that ends late takes its successor's socket along."""
        with Site(folder=folder):
            (folder / "public.sock").unlink()
            successor = listen(at(folder / "public.sock"))

        with successor:
            assert [each.name for each in folder.iterdir()] == ["public.sock"]

    def test_a_start_that_fails_leaves_no_file(self, folder: Path) -> None:
        """Otherwise a start that failed looks like a daemon that runs."""

        async def start() -> None:
            daemon = Daemon(site.context, public=at(folder / "public.sock"), internal=at(folder / "taken.sock"))
            with pytest.raises(ConfigError, match="a program answers on"):
                daemon.start()

        with listen(at(folder / "taken.sock")), Site() as site:
            asyncio.run(start())

            assert [each.name for each in folder.iterdir()] == ["taken.sock"]

    def test_a_missing_folder_is_a_configuration_error(self, folder: Path) -> None:
        """Otherwise the daemon dies with a traceback."""
        with pytest.raises(ConfigError, match=r"cannot listen on unix:.*/none/s: no such file or directory"):
            listen(at(folder / "none" / "s"))


def test_the_doctor_asks_through_the_socket(folder: Path) -> None:
    """Otherwise the first thing an operator tries says that no daemon runs."""
    with Site(folder=folder):
        said = readiness(f"unix:{folder}/internal.sock", 0)

    assert isinstance(said, dict)
    assert said["status"] == "ready"
    assert readiness(f"unix:{folder}/internal.sock", 0) == (
        f"no daemon answers on unix:{folder}/internal.sock: no such file or directory"
    )


def test_check_config_says_where_the_sockets_will_be(folder: Path) -> None:
    """Otherwise a slip in the mode, the group or the folder is found by the proxy's users."""
    ring, path = folder / "identityd.keys", folder / "identityd.ini"
    new_ring_file(ring)
    given = f"address = unix:{folder}/public.sock\nsocket_mode = 0666\nsocket_group = {os.getgid()}\n"
    path.write_text(f"[server]\ntrusted_proxies = unix:\n{given}")
    path.chmod(0o600)

    in_order = _checked(path)
    path.write_text(f"[server]\n{given.replace('public.sock', 'none/public.sock')}")
    misplaced = _checked(path)
    folder.chmod(0o777)
    path.write_text(f"[server]\n{given}")

    assert f"ok       public listener unix:{folder}/public.sock (mode 666, group {os.getgid()})" in in_order
    assert f"[server] address: the folder {folder}/none does not exist; make it with `mkdir -p" in misplaced
    assert f"the folder {folder} can be written by everybody on this machine" in _checked(path)


def _checked(path: Path) -> str:
    return CliRunner().invoke(cli, ["check-config", "--config", str(path)]).output


def test_ports_and_sockets_may_stand_side_by_side(folder: Path) -> None:
    """Otherwise a daemon that browsers reach directly cannot keep its internal listener off the network."""
    with listen(Listening(address=LOCAL, port=0)) as tcp, listen(at(folder / "s")) as unix:
        assert (tcp.family, unix.family) == (socket.AF_INET, socket.AF_UNIX)
