"""The project's own files, as the tests that read them need them."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
CODE: Final = ("identityd.py", "identity", "lab", "options", "providers", "release")
_NEVER: Final = {".venv", ".cache", ".run", ".git", "node_modules", "__pycache__"}


def files(pattern: str, *places: str) -> tuple[Path, ...]:
    """Return the files below these places (default: everywhere) that match, sorted, generated ones left out."""
    found: set[Path] = set()
    for place in places or (".",):
        start = ROOT / place
        found |= {start} if start.is_file() else set(start.rglob(pattern))
    return tuple(sorted(path for path in found if not _NEVER & set(path.relative_to(ROOT).parts)))


def name(path: Path) -> str:
    """Return a file's name as the project speaks of it, for example `identity/types.py`."""
    return path.relative_to(ROOT).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    """Return the syntax tree of a Python file."""
    return ast.parse(path.read_text(), filename=name(path))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield every function and method of a Python file."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def cases(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield those of them that pytest runs."""
    return (function for function in functions(path) if function.name.startswith("test_"))


def imports(path: Path) -> frozenset[str]:
    """Return every module a Python file imports, anywhere in it; `from a import b` counts as `a` and `a.b`."""
    found: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(found)


def module_file(module: str) -> Path | None:
    """Return the file of one of our own modules, None for anything else."""
    stem = ROOT.joinpath(*module.split("."))
    return next((path for path in (stem.with_suffix(".py"), stem / "__init__.py") if path.is_file()), None)
