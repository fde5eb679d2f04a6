"""Skipped tests are said loudly, once, with the way to get what they need; or are failures.

A pytest plugin; tests/conftest.py loads it. Owns the option `--no-skips` and the section at the
end of a run. Invariant: with `--no-skips` a run that skipped anything fails.
"""

from collections import Counter
from collections.abc import Generator

import pytest
from _pytest.terminal import TerminalReporter


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--no-skips`."""
    parser.addoption("--no-skips", action="store_true", help="a skipped test is a failure (make test-all)")


def _forbid(report: pytest.TestReport | pytest.CollectReport) -> None:
    expected_failure = hasattr(report, "wasxfail")
    if report.skipped and not expected_failure:
        reason = _reason(report)
        report.outcome = "failed"
        report.longrepr = f"skipped, and --no-skips forbids it: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip into a failure where skips are forbidden."""
    report = yield
    if item.config.getoption("no_skips"):
        _forbid(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Do the same for a whole file that skips itself."""
    report = yield
    if collector.config.getoption("no_skips"):
        _forbid(report)
    return report


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    where = report.longrepr
    text = where[2] if isinstance(where, tuple) else str(where)
    return text.removeprefix("Skipped: ")


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Say what was skipped and how to get it."""
    reasons = Counter(_reason(report) for report in terminalreporter.stats.get("skipped", []))
    if not reasons:
        return
    terminalreporter.section("NOT TESTED", sep="!", red=True, bold=True)
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"{count:4} skipped: {reason}", bold=True)
    if any(" not installed; get " in reason for reason in reasons):
        terminalreporter.write_line(
            "`make services` installs all of it on Debian and Ubuntu, `make services-nightly` what nightly tests need."
        )
    terminalreporter.write_line("Everything else was tested. `make test-all` allows no skips.")
