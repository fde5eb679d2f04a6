"""The guards of this suite, tried on small suites of their own: each one must be able to fail a test."""

from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_PLUGINS = ("guards", "skips", "services")


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Give an empty suite that loads our plugins."""
    monkeypatch.setenv("PYTHONPATH", str(_ROOT))
    names = ", ".join(f"'tests.support.{name}'" for name in _PLUGINS)
    pytester.makeconftest(f"pytest_plugins = [{names}]")
    pytester.makepyprojecttoml("[tool.pytest]\nstrict = true\nmarkers = ['memcached', 'node', 'chromium']")
    return pytester


def _run(suite: pytest.Pytester, source: str, *options: str) -> pytest.RunResult:
    suite.makepyfile(source)
    return suite.runpytest_subprocess("-q", "-p", "no:cacheprovider", *options)


def test_a_stray_warning_fails_the_test_that_logged_it(suite: pytest.Pytester) -> None:
    """Otherwise a daemon that complains at every request would pass its suite."""
    result = _run(
        suite,
        """
        import logging

        def test_silenced_logger():
            logger = logging.getLogger("some.part")
            logger.propagate = False
            logger.addHandler(logging.NullHandler())
            logger.warning("disk %s", "full")
        """,
    )

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*WARNING some.part: disk full*"])


def test_an_expected_warning_is_permitted_and_nothing_beside_it(suite: pytest.Pytester) -> None:
    """Otherwise a test of one failure would hide every other one."""
    result = _run(
        suite,
        """
        import logging

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
        """,
    )

    result.assert_outcomes(passed=3, errors=2)


def test_an_expected_warning_that_never_comes_fails_the_test(suite: pytest.Pytester) -> None:
    """Otherwise an operator's only sign of trouble could vanish without a red test."""
    result = _run(
        suite,
        """
        def test_block(expect_log):
            with expect_log("some", "disk full"):
                pass

        def test_whole_test(expect_log):
            expect_log("some", "disk full")
        """,
    )

    result.assert_outcomes(passed=1, failed=1, errors=1)


def test_leaving_the_loopback_interface_fails_even_if_the_error_is_swallowed(suite: pytest.Pytester) -> None:
    """Otherwise the suite would depend on somebody else's server, and tell it about us."""
    result = _run(
        suite,
        """
        import asyncio, socket
        import pytest, uvloop

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
        """,
    )

    result.assert_outcomes(passed=7, errors=7)
    result.stdout.fnmatch_lines(["*look-up of the name login.example.com*"])


def test_loopback_and_paths_are_open(suite: pytest.Pytester) -> None:
    """Otherwise no test could talk to a real server on this machine."""
    result = _run(
        suite,
        """
        import socket

        def test_loopback(tmp_path):
            for family, address in ((socket.AF_INET, ("127.0.0.1", 0)), (socket.AF_UNIX, str(tmp_path / "s"))):
                with socket.socket(family) as server, socket.socket(family) as client:
                    server.bind(address)
                    server.listen()
                    client.connect(server.getsockname())
            assert socket.getaddrinfo("localhost", 80)
            assert socket.getaddrinfo("192.0.2.1", 80)
        """,
    )

    result.assert_outcomes(passed=1)


_NEEDS_MEMCACHED = """
    import pytest

    def test_by_fixture(memcached):
        pass

    @pytest.mark.memcached
    def test_by_marker():
        pass
"""


def test_a_missing_server_is_said_once_with_the_way_to_get_it(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a newcomer would take a run without memcached for a full one."""
    monkeypatch.setenv("MEMCACHED", "/nonexistent/memcached")

    result = _run(suite, _NEEDS_MEMCACHED)

    result.assert_outcomes(skipped=2)
    result.stdout.fnmatch_lines(["*NOT TESTED*", "*2 skipped: memcached is not installed*apt-get install memcached"])


def test_a_skip_is_a_failure_where_skips_are_forbidden(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a release could be tested without the servers it runs on."""
    monkeypatch.setenv("MEMCACHED", "/nonexistent/memcached")

    result = _run(suite, _NEEDS_MEMCACHED, "--no-skips")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*--no-skips forbids it: memcached is not installed*"])


def test_a_file_that_skips_itself_is_a_failure_too(suite: pytest.Pytester) -> None:
    """Otherwise one `importorskip` would take a whole file out of a release's tests."""
    result = _run(suite, "import pytest; pytest.importorskip('no_such_module')", "--no-skips")

    assert result.ret != pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["*--no-skips forbids it*"])


def test_an_expected_failure_is_not_a_skip(suite: pytest.Pytester) -> None:
    """Otherwise a known gap, marked as such, would stop every release."""
    result = _run(
        suite,
        """
        import pytest

        @pytest.mark.xfail(reason="known", strict=True)
        def test_gap():
            assert False
        """,
        "--no-skips",
    )

    result.assert_outcomes(xfailed=1)


def test_a_fixture_marks_its_test_with_the_server_it_needs(suite: pytest.Pytester) -> None:
    """Otherwise `-m "not memcached"` would leave out some of those tests only."""
    result = _run(suite, _NEEDS_MEMCACHED, "-m", "not memcached")

    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED
