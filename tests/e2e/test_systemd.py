"""The daemon as a service of systemd: sockets handed down, words handed up, the unit files.

systemd itself cannot run here: `tests/support/systemd.py` plays its side of the protocol, and its own
`systemd-socket-activate` and `systemd-analyze` do what they can without it.
"""

import http.client
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree

import pytest

from identity import __version__
from tests.support import needs
from tests.support.memcached import free_port
from tests.support.running import ROOT, Running
from tests.support.systemd import Systemd, Unit
from tests.support.waiting import until


@pytest.fixture
def systemd() -> Iterator[Systemd]:
    """Give a supervisor."""
    with Systemd() as made:
        yield made


def service(systemd: Systemd, tmp_path: Path, **environ: str) -> Unit:
    """Return a daemon that has not been started."""
    return Unit(systemd, tmp_path / "run", {}, environ=environ)


def hand_down(systemd: Systemd, unit: Unit) -> None:
    """Open both sockets where the unit's configuration says."""
    systemd.listen("internal", ("127.0.0.1", unit.internal_port))
    systemd.listen("public", ("127.0.0.1", unit.port))


class TestWords:
    """What a supervisor hears."""

    @pytest.mark.parametrize("abstract", [False, True])
    def test_from_start_to_stop(self, tmp_path: Path, *, abstract: bool) -> None:
        """Otherwise what is ordered after the unit starts before anything answers, or never."""
        with Systemd(abstract=abstract) as systemd, service(systemd, tmp_path) as unit:
            until(lambda: systemd.said("READY=1"), otherwise=unit.log)
            (first,) = systemd.heard()
            os.kill(unit.pid, signal.SIGHUP)
            until(lambda: len(systemd.heard()) == 3, otherwise=unit.log)
            _, reloading, again = systemd.heard()
            pid = unit.pid
            code = unit.stop()
            until(lambda: systemd.said("STOPPING=1"))
            last = systemd.heard()[-1]

        assert first.pid == pid
        assert first.lines["STATUS"] == f"version {__version__} serves {unit.url}"
        assert reloading.lines["RELOADING"] == "1"
        assert int(reloading.lines["MONOTONIC_USEC"]) > 0
        assert again.lines == first.lines
        assert (last.lines["STOPPING"], code) == ("1", 0)

    def test_it_is_ready_when_both_listeners_answer_and_not_before(self, systemd: Systemd, tmp_path: Path) -> None:
        """Otherwise the proxy that is started next meets a refused connection."""
        unit = service(systemd, tmp_path)
        taken = socket.create_server(("127.0.0.1", unit.internal_port))
        with taken:
            refusal = _refusal(unit)

        assert "address already in use" in refusal
        assert systemd.heard() == []

    def test_a_watchdog_hears_of_a_loop_that_turns(self, systemd: Systemd, tmp_path: Path) -> None:
        """Otherwise systemd ends a healthy daemon."""
        with service(systemd, tmp_path, WATCHDOG_USEC="80000", WATCHDOG_PID="") as unit:
            until(lambda: [word.lines for word in systemd.heard()].count({"WATCHDOG": "1"}) > 5, otherwise=unit.log)

    def test_what_is_stuck_when_the_watchdog_ends_it_is_in_the_log(self, systemd: Systemd, tmp_path: Path) -> None:
        """Otherwise an operator learns that it hung and never where."""
        with service(systemd, tmp_path) as unit:
            os.kill(unit.pid, signal.SIGABRT)
            until(lambda: "Fatal Python error: Aborted" in unit.log() and "identity/app.py" in unit.log())

    def test_a_supervisor_that_does_not_listen_is_said_once(self, systemd: Systemd, tmp_path: Path) -> None:
        """Otherwise a start fails, or a log fills, because of what is only asked to hear."""
        with service(systemd, tmp_path, NOTIFY_SOCKET="/nowhere/notify", WATCHDOG_USEC="80000") as unit:
            until(lambda: "supervisor-unheard" in unit.log())
            os.kill(unit.pid, signal.SIGHUP)
            until(lambda: '"message": "reloaded"' in unit.log())

            assert unit.log().count("supervisor-unheard") == 1


class TestSockets:
    """Sockets that are handed down."""

    def test_both_are_served_by_name_whatever_their_order(self, systemd: Systemd, tmp_path: Path) -> None:
        """Otherwise the internal listener answers browsers."""
        unit = service(systemd, tmp_path)
        hand_down(systemd, unit)
        with unit:
            assert unit.ask("GET", "/readyz")[0] == 200
            assert _status(unit.port, "/login", unit) == 200
            assert _status(unit.port, "/readyz", unit) == 404

    def test_connections_wait_while_the_daemon_restarts(self, systemd: Systemd, tmp_path: Path) -> None:
        """Otherwise a restart is refused connections."""
        unit = service(systemd, tmp_path)
        hand_down(systemd, unit)
        unit.start()
        unit.stop()
        with socket.create_connection(("127.0.0.1", unit.internal_port), timeout=60) as waiting:
            waiting.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            with unit:
                assert waiting.recv(65_536).startswith(b"HTTP/1.1 200 ")

    def test_the_file_of_a_socket_that_was_handed_down_is_left(self, systemd: Systemd, tmp_path: Path) -> None:
        """Otherwise the first stop cuts the socket off that systemd goes on listening on."""
        places = {name: systemd.folder / f"{name}.sock" for name in ("public", "internal")}
        options = {"address": f"unix:{places['public']}", "internal_address": f"unix:{places['internal']}"}
        unit = Unit(systemd, tmp_path / "run", {"server": {**options, "trusted_proxies": "unix:"}})
        for name, path in places.items():
            systemd.listen(name, path)
        with unit.launch() as process:
            until(lambda: systemd.said("READY=1"), otherwise=unit.log)
            process.terminate()

        assert process.returncode == 0
        assert all(path.exists() for path in places.values())

    def test_sockets_for_another_process_are_not_touched(self, systemd: Systemd, tmp_path: Path) -> None:
        """Otherwise a daemon started from a service's shell serves that service's sockets."""
        unit = service(systemd, tmp_path, LISTEN_FDS="2", LISTEN_PID="1", LISTEN_FDNAMES="public:internal")
        with unit:
            assert unit.ask("GET", "/healthz")[0] == 200

    @pytest.mark.parametrize(
        ("environ", "problem"),
        [
            ({"LISTEN_FDS": "1", "LISTEN_FDNAMES": "public"}, "1 sockets were handed down instead of 2"),
            ({"LISTEN_FDS": "two"}, "two sockets were handed down instead of 2"),
            ({"LISTEN_FDNAMES": ""}, "are named nothing"),
            ({"LISTEN_FDNAMES": "public:public"}, "are named public, public"),
            ({"LISTEN_FDNAMES": "identityd.socket:internal"}, "are named identityd.socket, internal"),
        ],
    )
    def test_the_wrong_number_or_names_refuse_to_start(
        self, systemd: Systemd, tmp_path: Path, environ: dict[str, str], problem: str
    ) -> None:
        """Otherwise a slip in a unit makes the daemon serve browsers where programs ask."""
        unit = service(systemd, tmp_path, **environ)
        hand_down(systemd, unit)

        assert _refusal(unit).startswith(f"[server] sockets: {_before(problem)}")
        assert "FileDescriptorName=internal" in unit.log()

    @pytest.mark.parametrize(
        ("kind", "problem"),
        [
            ("pipe", "is no socket"),
            ("datagram", "is no stream socket (ListenStream=)"),
            ("connected", "takes no connections (Accept=no)"),
        ],
    )
    def test_what_is_no_listening_socket_refuses_to_start(
        self, systemd: Systemd, tmp_path: Path, kind: str, problem: str
    ) -> None:
        """Otherwise the daemon starts and takes no connection."""
        unit = service(systemd, tmp_path)
        systemd.listen("internal", ("127.0.0.1", unit.internal_port))
        one, other = socket.socketpair()
        reader, writer = os.pipe()
        given = {
            "pipe": os.fdopen(reader),
            "datagram": socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
            "connected": one,
        }
        systemd.files["public"] = given.pop(kind)
        with one, other:
            refusal = _refusal(unit)
        os.close(writer)
        for rest in given.values():
            rest.close()

        assert refusal.startswith(f"[server] sockets: what was handed down as public {problem}")

    @pytest.mark.parametrize("handed", ["port", "socket"])
    def test_another_place_than_the_configured_one_refuses_to_start(
        self, systemd: Systemd, tmp_path: Path, handed: str
    ) -> None:
        """Otherwise the internal listener is on the network while the configuration says loopback."""
        unit = service(systemd, tmp_path)
        systemd.listen("public", ("127.0.0.1", unit.port))
        port = free_port()
        systemd.listen("internal", ("127.0.0.1", port) if handed == "port" else systemd.folder / "s")

        place = f"127.0.0.1 port {port}" if handed == "port" else f"unix:{systemd.folder / 's'}"
        assert _refusal(unit) == (
            f"[server] internal_port: the socket that was handed down listens on {place}, and the configuration says "
            f"127.0.0.1 port {unit.internal_port}; write the same in both"
        )


def _before(problem: str) -> str:
    return f"the sockets that were handed down {problem}" if problem.startswith("are ") else problem


def _refusal(unit: Running) -> str:
    with unit.launch() as process:
        assert process.wait(60) == 2
    return unit.log().strip().splitlines()[-1]


def _status(port: int, path: str, unit: Running) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path, headers={"Host": unit.url.removeprefix("http://")})
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.systemd
class TestSystemdsOwn:
    """What systemd's own programs say."""

    def test_its_socket_activation_starts_the_daemon_at_the_first_connection(self, tmp_path: Path) -> None:
        """Otherwise only our own picture of the protocol is right."""
        unit = Running(tmp_path / "run", {}, demo=False)
        program = Path(needs.find("systemd") or "").with_name("systemd-socket-activate")
        command = [str(program), "--fdname=public:internal"]
        command += [f"--listen=127.0.0.1:{port}" for port in (unit.port, unit.internal_port)]
        command += unit.command()
        with subprocess.Popen(command, cwd=unit.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
            try:
                until(lambda: _answers(unit))
            finally:
                process.terminate()
            assert process.stderr
            log = process.stderr.read().decode()

        assert process.returncode == 0
        assert "address already in use" not in log

    @pytest.fixture
    def units(self, tmp_path: Path) -> list[str]:
        """Return the example's units, with a program that is there."""
        folder = copytree(ROOT / "examples" / "systemd", tmp_path / "units")
        file = folder / "identityd.service"
        text = file.read_text()
        assert "ExecStart=/usr/local/identityd/identityd.py" in text
        file.write_text(text.replace("/usr/local/identityd/identityd.py", str(ROOT / "identityd.py")))
        return sorted(str(path) for path in folder.iterdir())

    def test_the_units_are_in_order(self, units: list[str]) -> None:
        """Otherwise an operator copies a unit that systemd ignores half of."""
        done = subprocess.run(
            [str(needs.find("systemd")), "verify", "--man=no", *units], capture_output=True, text=True, check=False
        )

        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    def test_the_service_can_do_little_beside_its_work(self, units: list[str]) -> None:
        """Otherwise a hole in the daemon is a hole in the machine."""
        (unit,) = (unit for unit in units if unit.endswith(".service"))
        done = subprocess.run(
            [str(needs.find("systemd")), "security", "--offline=true", "--threshold=20", "--no-pager", unit],
            capture_output=True,
            text=True,
            check=False,
        )

        assert done.returncode == 0, done.stdout[-400:]


def _answers(unit: Running) -> bool:
    try:
        return unit.ask("GET", "/healthz")[0] == 200
    except OSError:
        return False
