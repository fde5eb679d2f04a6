"""Run the tests against the installed proxies, print the matrix, and with `--write` put it into docs/proxies.md."""

import sys
from typing import Final

import pytest

from tests.proxies.matrix import DOCUMENT, in_document, table
from tests.support.proxies import NAMES, version

_HERE: Final = "tests/proxies"


class Outcomes:
    """Collects (test, proxy) of everything that did not pass. A pytest plugin."""

    def __init__(self) -> None:
        self.failed: set[tuple[str, str]] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Look at one report; under xdist they arrive here from all workers."""
        test, _, parameters = report.nodeid.rpartition("::")[2].partition("[")
        if not report.passed:
            self.failed |= {(test, name) for name in NAMES if name in parameters.rstrip("]").split("-")}


def main(arguments: list[str]) -> int:
    """Return the exit code: 0 if the matrix holds."""
    outcomes = Outcomes()
    options = ["-q", "--no-skips", "-n", "2", "--dist", "loadfile", "-m", ""]
    code = int(pytest.main([*options, _HERE], plugins=[outcomes]))
    matrix = table({name: version(name) for name in NAMES}, outcomes.failed)
    sys.stdout.write(f"\n{matrix}\n")
    if "--write" in arguments and code == 0:
        DOCUMENT.write_text(in_document(DOCUMENT.read_text(), matrix))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
