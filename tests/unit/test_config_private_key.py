"""A private key in the configuration: read at the start, from a file that nobody else reads."""

from pathlib import Path

import pytest

from tests.support.assertions import pem_of
from tests.support.configuration import problems_with
from tests.support.signing import ecdsa_key, rsa_key

KEY = ecdsa_key("ABC123DEFG")


def problems(tmp_path: Path, content: str, *, mode: int = 0o600, **changed: str) -> tuple[str, ...]:
    """Return what is wrong with a section for Apple whose key file holds this."""
    file = tmp_path / "key.p8"
    file.write_text(content)
    file.chmod(mode)
    given = {"client_id": "x", "team_id": "TEAM012345", "key_id": "ABC123DEFG", "key_file": "key.p8", **changed}
    lines = "\n".join(f"{name} = {value}" for name, value in given.items())
    return problems_with(f"[provider:apple]\nkind = apple\n{lines}\n", base=tmp_path)


def test_a_key_file_as_apple_gives_it_is_accepted(tmp_path: Path) -> None:
    """Otherwise an operator has to rewrite the downloaded file."""
    assert problems(tmp_path, pem_of(KEY)) == ()
    assert problems(tmp_path, pem_of(KEY).replace("\n", "\r\n")) == ()


@pytest.mark.parametrize("mode", [0o644, 0o602, 0o666])
def test_a_key_file_that_others_read_or_write_is_refused(tmp_path: Path, mode: int) -> None:
    """Otherwise whoever has an account on this machine is this service to Apple."""
    (problem,) = problems(tmp_path, pem_of(KEY), mode=mode)

    assert problem.startswith("[provider:apple] key: ")
    assert "key.p8" in problem


@pytest.mark.parametrize(
    "content",
    ["", "x", KEY.public_pem().decode(), pem_of(KEY)[:100], pem_of(rsa_key("r"))],
    ids=["empty", "text", "public", "cut", "rsa"],
)
def test_what_is_no_such_key_is_said_without_quoting_it(tmp_path: Path, content: str) -> None:
    """Otherwise the first login finds out, or a key stands in the log."""
    (problem,) = problems(tmp_path, content)

    assert problem.startswith("[provider:apple] key: ")
    assert not any(line and line in problem for line in content.splitlines()[1:])


@pytest.mark.parametrize(("name", "value"), [("team_id", "short"), ("key_id", "abc123defg"), ("key_file", "absent.p8")])
def test_ids_and_files_that_cannot_be_are_refused(tmp_path: Path, name: str, value: str) -> None:
    """Otherwise Apple answers `invalid_client`, which says nothing."""
    (problem,) = problems(tmp_path, pem_of(KEY), **{name: value})

    assert problem.startswith(f"[provider:apple] {name.removesuffix('_file')}: ")
