"""The guards of this suite, tried on a small suite of its own: each one must be able to fail a test."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Final
from xml.etree import ElementTree as ET

import pytest

from tests.support import needs
from tests.support.sources import ROOT

_CONFTEST: Final = "pytest_plugins = ['tests.support.guards', 'tests.support.skips', 'tests.support.services']"
_SETTINGS: Final = "[tool.pytest]\nstrict = true\nmarkers = ['memcached', 'node', 'chromium']\n"
_LIGHT: Final = ("-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:cov", "-p", "no:hypothesispytest")

_GUARDED: Final = """
    import asyncio, logging, socket
    import pytest, uvloop

    def test_silenced_logger():
        logger = logging.getLogger("some.part")
        logger.propagate = False
        logger.addHandler(logging.NullHandler())
        logger.warning("disk %s", "full")

    def test_expected(expect_log):
        with expect_log("some", "disk f[a-z]*") as seen:
            logging.getLogger("some.part").warning("disk %s", "full")
        assert [r.getMessage() for r in seen.records] == ["disk full"]

    def test_other_text(expect_log):
        expect_log("some", "disk", required=False)
        logging.getLogger("some.part").error("memory full")

    def test_other_logger(expect_log):
        expect_log("some", required=False)
        logging.getLogger("somewhere").error("memory full")

    def test_never_in_block(expect_log):
        with expect_log("some", "disk full"):
            pass

    def test_never_in_test(expect_log):
        expect_log("some", "disk full")

    def swallow(call, *arguments):
        try:
            call(*arguments)
        except Exception:
            pass

    def test_connect():
        with socket.socket() as one:
            swallow(one.connect, ("192.0.2.1", 80))

    def test_datagram():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            swallow(one.sendto, b"x", ("192.0.2.1", 80))

    def test_name():
        swallow(socket.create_connection, ("login.example.com", 443))

    @pytest.mark.parametrize("make", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
    @pytest.mark.parametrize("host", ["login.example.com", "192.0.2.1"])
    def test_loop(make, host):
        async def connect():
            await asyncio.get_running_loop().create_connection(asyncio.Protocol, host, 443)

        with asyncio.Runner(loop_factory=make) as runner:
            swallow(lambda: runner.run(connect()))

    def test_loopback(tmp_path):
        for family, address in ((socket.AF_INET, ("127.0.0.1", 0)), (socket.AF_UNIX, str(tmp_path / "s"))):
            with socket.socket(family) as server, socket.socket(family) as client:
                server.bind(address)
                server.listen()
                client.connect(server.getsockname())
        assert socket.getaddrinfo("localhost", 80)
        assert socket.getaddrinfo("192.0.2.1", 80)
"""

_SKIPPING: Final = """
    import pytest

    def test_by_fixture(memcached):
        pass

    @pytest.mark.memcached
    def test_by_marker():
        pass

    @pytest.mark.xfail(reason="known", strict=True)
    def test_gap():
        assert False
"""

_STARTING: Final = """
    import subprocess
    import pytest

    def start():
        try:
            subprocess.run(["memcached", "-h"], capture_output=True)
        except Exception:
            pass

    @pytest.fixture
    def running():
        start()

    def test_by_itself():
        start()

    def test_by_fixture(running):
        pass

    @pytest.mark.memcached
    def test_marked(running):
        start()

    def test_something_else():
        subprocess.run(["true"])
"""


@dataclass(frozen=True, slots=True)
class Run:
    """What became of a small suite: each test's trouble (empty: it passed), and what was printed."""

    troubles: Mapping[str, str]
    printed: str
    code: int

    def trouble(self, test: str) -> str:
        """Return what the tests of this name complained of."""
        return "\n".join(text for name, text in self.troubles.items() if name.partition("[")[0] == test)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Run]:
    """Give a function that runs a suite with our plugins, in a process and folder of its own."""

    def run_suite(sources: Mapping[str, str], *options: str, **environment: str) -> Run:
        folder = tmp_path_factory.mktemp("suite")
        (folder / "conftest.py").write_text(_CONFTEST)
        (folder / "pyproject.toml").write_text(_SETTINGS)
        for name, source in sources.items():
            (folder / name).write_text(dedent(source))
        command = [sys.executable, "-m", "pytest", *_LIGHT, "--junitxml=result.xml", *options]
        settings = {**os.environ, "PYTHONPATH": str(ROOT), needs.HIDDEN: "", **environment}
        done = subprocess.run(command, cwd=folder, env=settings, capture_output=True, text=True, check=False)
        return Run(_troubles(folder / "result.xml"), done.stdout + done.stderr, done.returncode)

    return run_suite


def _troubles(report: Path) -> dict[str, str]:
    troubles: dict[str, str] = {}
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - pytest wrote it
        texts = [f"{part.tag}: {part.get('message')}" for part in case if part.tag in ("failure", "error", "skipped")]
        troubles[str(case.get("name"))] = troubles.get(str(case.get("name")), "") + "\n".join(texts)
    return troubles


@pytest.fixture(scope="module")
def guarded(run: Callable[..., Run]) -> Run:
    """Give the run of a suite that does what the guards forbid."""
    return run({"test_guarded.py": _GUARDED})


@pytest.fixture(scope="module")
def lacking(run: Callable[..., Run]) -> Run:
    """Give the run of a suite on a machine without memcached."""
    return run({"test_skipping.py": _SKIPPING}, MEMCACHED="/nonexistent/memcached")


@pytest.fixture(scope="module")
def strict(run: Callable[..., Run]) -> Run:
    """Give the run of the same suite, and of a file that skips itself, where skips are forbidden."""
    sources = {"test_skipping.py": _SKIPPING, "test_whole.py": "import pytest; pytest.importorskip('no_such_module')"}
    return run(sources, "--no-skips", "--continue-on-collection-errors", MEMCACHED="/nonexistent/memcached")


def test_a_stray_warning_fails_the_test_that_logged_it(guarded: Run) -> None:
    """Otherwise a daemon that complains at every request would pass its suite."""
    assert "WARNING some.part: disk full" in guarded.trouble("test_silenced_logger")


def test_an_expected_warning_is_permitted(guarded: Run) -> None:
    """Otherwise no failure that is logged could be tested."""
    assert guarded.trouble("test_expected") == ""


@pytest.mark.parametrize("test", ["test_other_text", "test_other_logger"])
def test_nothing_beside_the_expected_warning_is_permitted(guarded: Run, test: str) -> None:
    """Otherwise a test of one failure would hide every other one."""
    assert "memory full" in guarded.trouble(test)


@pytest.mark.parametrize("test", ["test_never_in_block", "test_never_in_test"])
def test_an_expected_warning_that_never_comes_fails_the_test(guarded: Run, test: str) -> None:
    """Otherwise an operator's only sign of trouble could vanish without a red test."""
    assert guarded.trouble(test).count("never came") == 1


@pytest.mark.parametrize("test", ["test_connect", "test_datagram", "test_name", "test_loop"])
def test_leaving_the_loopback_interface_fails_even_if_the_error_is_swallowed(guarded: Run, test: str) -> None:
    """Otherwise the suite would depend on somebody else's server, and tell it about us."""
    troubles = [text for name, text in guarded.troubles.items() if name.partition("[")[0] == test]

    assert [text for text in troubles if "left the loopback interface" not in text] == []
    assert len(troubles) == (4 if test == "test_loop" else 1)


def test_loopback_and_paths_are_open(guarded: Run) -> None:
    """Otherwise no test could talk to a real server on this machine."""
    assert guarded.trouble("test_loopback") == ""


def test_a_missing_server_is_said_once_with_the_way_to_get_it(lacking: Run) -> None:
    """Otherwise a newcomer would take a run without memcached for a full one."""
    assert "NOT TESTED" in lacking.printed
    assert "2 skipped: memcached is not installed; get it with: apt-get install memcached" in lacking.printed
    assert lacking.code == pytest.ExitCode.OK


@pytest.mark.parametrize("test", ["test_by_fixture", "test_by_marker"])
def test_a_skip_is_a_failure_where_skips_are_forbidden(strict: Run, test: str) -> None:
    """Otherwise a release could be tested without the servers it runs on."""
    assert strict.trouble(test).startswith("error: ")
    assert "--no-skips forbids it: memcached is not installed" in strict.trouble(test)
    assert strict.code == pytest.ExitCode.TESTS_FAILED


def test_a_file_that_skips_itself_is_a_failure_too(strict: Run) -> None:
    """Otherwise one `importorskip` would take a whole file out of a release's tests."""
    assert "--no-skips forbids it: could not import 'no_such_module'" in strict.printed


def test_an_expected_failure_is_not_a_skip(strict: Run) -> None:
    """Otherwise a known gap, marked as such, would stop every release."""
    assert strict.trouble("test_gap").startswith("skipped")
    assert "1 xfailed" in strict.printed


def test_a_fixture_marks_its_test_with_the_server_it_needs(run: Callable[..., Run]) -> None:
    """Otherwise `-m "not memcached"` would leave out some of those tests only."""
    left = run({"test_skipping.py": _SKIPPING}, "-m", "not memcached")

    assert list(left.troubles) == ["test_gap"]


def test_a_program_that_a_test_does_not_name_is_not_started(run: Callable[..., Run]) -> None:
    """Otherwise the test is an error, not a skip, for everybody who has not installed the program."""
    done = run({"test_starting.py": _STARTING}, MEMCACHED="/bin/true")

    for test in ("test_by_itself", "test_by_fixture"):
        assert "starts memcached and is not marked @pytest.mark.memcached" in done.trouble(test)
    assert done.trouble("test_marked") == ""
    assert done.trouble("test_something_else") == ""
