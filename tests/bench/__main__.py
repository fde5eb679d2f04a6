"""Run every measurement of this folder, or those named on the command line."""

import importlib
import pkgutil
import sys

from tests import bench


def main(names: list[str]) -> None:
    """Run the modules of these names, by default all, in alphabetical order."""
    known = sorted(module.name for module in pkgutil.iter_modules(bench.__path__) if not module.name.startswith("_"))
    unknown = sorted(set(names) - set(known))
    if unknown:
        sys.exit(f"no such measurement: {', '.join(unknown)}; there are: {', '.join(known)}")
    for name in names or known:
        importlib.import_module(f"tests.bench.{name}").main()


if __name__ == "__main__":
    main(sys.argv[1:])
