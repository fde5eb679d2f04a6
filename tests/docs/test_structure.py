"""The rules of docs/architecture.md that a program can check, beside those of import-linter."""

import ast
import re
import sys
import tokenize
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

from tests.support.sources import CODE, cases, files, functions, imports, module_file, name, tree
from tests.support.waiting import RealClock

_FILE_LINES: Final = 400
_FUNCTION_LINES: Final = 50
_EMPTY_NAMES: Final = re.compile(r"util|helper|manager|common|misc")
_NO_ACTOR: Final = re.compile(r"(?i)\b(nobody|somebody|whoever|anybody|everybody)\b")
_PURE: Final = frozenset(
    {
        "identity/cookies.py",
        "identity/keyring.py",
        "identity/forward_auth/answers.py",
        "identity/forward_auth/peers.py",
        "identity/forward_auth/requests.py",
        "identity/forward_auth/targets.py",
        "identity/upkeep/diagnosis.py",
        "identity/accounts/linking.py",
        "identity/admin/naming.py",
        "identity/accounts/usernames.py",
        "identity/applications/application.py",
        "identity/applications/authentication.py",
        "identity/encryption.py",
        "identity/login/carrying.py",
        "identity/login/flow.py",
        "identity/login/handover.py",
        "identity/sessions/changes.py",
        "identity/sessions/checking.py",
        "identity/sessions/client_summary.py",
        "identity/sessions/cookie.py",
        "identity/sessions/delivery.py",
        "identity/sessions/gathering.py",
        "identity/sessions/packing.py",
        "identity/sessions/planning.py",
        "identity/sessions/record.py",
        "identity/sessions/rotation.py",
    }
)
_CLAIMS_PURE: Final = re.compile(r"(^|\s)Pure[.:]")
_IMPURE_MODULES: Final = frozenset(
    {
        "asyncio",
        "concurrent",
        "http",
        "io",
        "logging",
        "multiprocessing",
        "os",
        "pathlib",
        "random",
        "secrets",
        "select",
        "selectors",
        "shutil",
        "signal",
        "socket",
        "sqlite3",
        "ssl",
        "subprocess",
        "tempfile",
        "threading",
        "time",
        "urllib.request",
    }
)
_PURE_LIBRARIES: Final = frozenset({"cryptography", "joserfc", "msgspec"})
_IMPURE_CALLS: Final = frozenset({"open", "print", "input", "now", "utcnow", "today", "uuid1", "uuid4"})

_HOMES: Final = {
    "tornado": ("identity/web/*", "identity/app.py", "identity/cli*"),
    "uvloop": ("identity/app.py", "identity/cli*"),
    "pymemcache": ("identity/stores/memcached.py",),
    "sqlite3": ("identity/stores/sqlite*",),
    "cassandra": ("identity/stores/cassandra/*",),
    "authlib": ("providers/*", "identity/oauth/*"),
    "cryptography": ("identity/encryption.py",),
    "joserfc": ("providers/*", "identity/oauth/*"),
    "msgspec": ("identity/login/packing.py",),
    "httpx2": ("identity/outbound/*",),
    "httpcore2": ("identity/outbound/*",),
    "jinja2": ("identity/web/pages/*",),
    "click": ("identity/cli*", "identityd.py"),
}
_ASYNC_HOMES: Final = (
    "identity/web/*",
    "identity/outbound/*",
    "identity/sessions/checkers.py",
    "identity/app.py",
    "identity/reloading.py",
    "identity/cli*",
    "providers/*",
)
_SLEEPS: Final = frozenset({"sleep", "wait_for_timeout"})
_UNSAFE_FORMATS: Final = frozenset({"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"})


def _code() -> tuple[Path, ...]:
    return files("*.py", *CODE)


def _python() -> tuple[Path, ...]:
    return files("*.py", *CODE, "tests", "examples")


def _at_home(path: Path, homes: tuple[str, ...]) -> bool:
    return any(fnmatch(name(path), home) for home in homes)


def _uses(path: Path, library: str) -> bool:
    return any(module == library or module.startswith(f"{library}.") for module in imports(path))


def test_files_stay_short() -> None:
    """Otherwise a newcomer meets files nobody reads to the end."""
    lengths = {name(path): len(path.read_text().splitlines()) for path in _python()}

    assert {file: lines for file, lines in lengths.items() if lines > _FILE_LINES} == {}


def test_functions_stay_short() -> None:
    """Otherwise one function comes to hold a whole flow, and nobody can review a change of it."""
    lengths = {
        f"{name(path)}:{function.lineno} {function.name}": (function.end_lineno or 0) - function.lineno + 1
        for path in _python()
        for function in functions(path)
    }

    assert {place: lines for place, lines in lengths.items() if lines > _FUNCTION_LINES} == {}


def test_modules_are_named_for_what_they_own() -> None:
    """Otherwise a drawer called `utils` collects what nobody finds again."""
    words = {part for path in _python() for part in Path(name(path)).with_suffix("").parts}

    assert sorted(word for word in words if _EMPTY_NAMES.search(word)) == []


def test_a_class_name_means_one_thing() -> None:
    """Otherwise a name met in a log or a review has to be looked up with the file it came from."""
    homes: dict[str, list[str]] = {}
    for path in _code():
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ClassDef):
                homes.setdefault(node.name, []).append(name(path))

    assert {one: files for one, files in homes.items() if len(files) > 1} == {}


def test_every_module_says_what_it_owns() -> None:
    """Otherwise a reader has to work out what may go into a file and what may not."""
    silent = [name(path) for path in _code() if not ast.get_docstring(tree(path))]

    assert silent == []


def test_comments_and_docstrings_name_their_actor() -> None:
    """Otherwise a reader guesses whether a person, a browser, an operator or an attacker is meant."""
    vague = [
        f"{name(path)}:{line} {text.strip()}"
        for path in _code()
        for line, text in _prose(path)
        if _NO_ACTOR.search(text)
    ]

    assert vague == []


def _prose(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a file's docstrings and comments, with their numbers; sentences that are printed are none."""
    with tokenize.open(path) as file:
        for token in tokenize.generate_tokens(file.readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string
    for node in ast.walk(tree(path)):
        match node:
            case ast.Expr(value=ast.Constant(value=str(text)), lineno=first):
                yield from enumerate(text.splitlines(), start=first)


def test_every_test_says_what_would_be_broken() -> None:
    """Otherwise a red test tells a maintainer that something differs, and not for whom it matters."""
    silent = [
        f"{name(path)}:{test.lineno} {test.name}"
        for path in files("test_*.py", "tests")
        for test in cases(path)
        if not ast.get_docstring(test)
    ]

    assert silent == []


def test_one_file_of_the_tests_sleeps() -> None:
    """Otherwise the suites are slow on a fast machine and fail on a slow one."""
    strays = [
        f"{name(path)}:{node.lineno} calls {_called(node)}"
        for path in files("*.py", "tests")
        if name(path) != "tests/support/waiting.py"
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and _called(node) in _SLEEPS
    ]

    assert strays == []


def test_every_reason_to_let_real_time_pass_is_in_use() -> None:
    """Otherwise the list of what no test can advance grows longer than what it is about."""
    used = {
        node.attr
        for path in files("*.py", "tests")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "RealClock"
    }

    assert used == {clock.name for clock in RealClock}


def test_pure_files_reach_nothing_impure() -> None:
    """Otherwise decisions would depend on a clock, chance or a server, and could not be explored exhaustively."""
    named = {path for path in _code() if name(path) in _PURE}

    assert _impure(_reached(named)) == {}


def test_files_that_claim_to_be_pure_are() -> None:
    """Otherwise a reader relies on a sentence that stopped being true."""
    claimed = {path for path in _code() if _CLAIMS_PURE.search(ast.get_docstring(tree(path)) or "")}

    assert _impure(claimed) == {}


def test_pure_files_exist() -> None:
    """Otherwise a renamed file would silently leave the list of those held to purity."""
    assert {name(path) for path in _code()} >= _PURE


def _reached(start: set[Path]) -> set[Path]:
    """Follow the imports of these files through our own code; the types and errors everybody uses included."""
    todo, reached = list(start), set(start)
    while todo:
        for module in imports(todo.pop()):
            path = module_file(module)
            # A package's own file is imported with every module in it and holds no code here.
            if path and path not in reached and path.name != "__init__.py":
                reached.add(path)
                todo.append(path)
    return reached


def _impure(paths: set[Path]) -> dict[str, list[str]]:
    return {name(path): problems for path in paths if (problems := sorted(_impurities(path)))}


def _impurities(path: Path) -> Iterator[str]:
    # Reading an address's digits is no I/O, wherever the function lives.
    for module in imports(path) - ({"socket"} if _reads_digits_only(path) else set()):
        top = module.partition(".")[0]
        if top in _IMPURE_MODULES or module in _IMPURE_MODULES:
            yield f"imports {module}"
        elif top not in sys.stdlib_module_names | _PURE_LIBRARIES and not module_file(top):
            yield f"imports the library {top}"
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and _called(node) in _IMPURE_CALLS:
            yield f"calls {_called(node)} at line {node.lineno}"


def _reads_digits_only(path: Path) -> bool:
    used = re.findall(r"\bsocket\.(\w+)", path.read_text())
    return all(attribute.startswith("inet_") for attribute in used)


def _called(call: ast.Call) -> str:
    match call.func:
        case ast.Name(id=function) | ast.Attribute(attr=function):
            return function
    return ""


def test_every_library_has_one_home() -> None:
    """Otherwise replacing a library, or reading how it is used, means the whole code base."""
    strays = {
        f"{name(path)} uses {library}"
        for library, homes in _HOMES.items()
        for path in _code()
        if _uses(path, library) and not _at_home(path, homes)
    }

    assert strays == set()


def test_only_the_web_and_providers_are_asynchronous() -> None:
    """Otherwise a blocking call hides behind an `async def` and stops every session check at once."""
    strays = {
        f"{name(path)}:{function.lineno} {function.name}"
        for path in _code()
        if not _at_home(path, _ASYNC_HOMES)
        for function in functions(path)
        if isinstance(function, ast.AsyncFunctionDef)
    }

    assert strays == set()


def test_nothing_is_stored_in_a_format_that_runs_code() -> None:
    """Otherwise whoever can write to memcached runs code in the daemon."""
    strays = {f"{name(path)} uses {module}" for path in _code() for module in _UNSAFE_FORMATS if _uses(path, module)}

    assert strays == set()
