"""The example file, the manual and the code say the same about every option."""

import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import get_type_hints

import pytest

from identity import config
from identity.config import document
from identity.config.model import FAMILIES, SECTIONS, Config
from identity.types import Millis
from options.option import options_of
from providers import REGISTRY
from tests.support.configuration import problems_of

ROOT = Path(__file__).parents[2]
ALL = {**SECTIONS, **FAMILIES}


def test_the_example_file_is_what_the_code_describes() -> None:
    """Operators configure from it; an option it lacks does not exist for them. Remedy: python -m identity.config."""
    assert (ROOT / "config.example.ini").read_text() == document.example()


def test_the_tables_of_the_manual_are_what_the_code_describes() -> None:
    """The same for the manual."""
    manual = (ROOT / "docs" / "configuration.md").read_text()
    assert f"{document.START}\n\n{document.tables()}\n{document.END}" in manual


def test_the_example_file_is_accepted_as_it_is() -> None:
    """Copied, it must behave like no file at all."""
    read = config.parse((ROOT / "config.example.ini").read_text(), base=Path())
    assert read == config.parse("", base=Path())


def test_every_default_the_example_shows_is_the_default() -> None:
    """Removing a ";" must not change anything."""
    lines = (ROOT / "config.example.ini").read_text().partition(";[")[0].splitlines()
    shown = "\n".join(line.removeprefix(";") for line in lines)
    assert config.parse(shown, base=Path()) == config.parse("", base=Path())


def test_every_needed_option_of_the_example_is_refused_until_it_is_written() -> None:
    """Uncommenting everything must not start a daemon with placeholders for secrets."""
    text = "\n".join(
        line.removeprefix(";") for line in (ROOT / "config.example.ini").read_text().splitlines() if line[:1] != "#"
    )
    needed = text.count("= (needed)")
    assert needed > 5
    assert sum("placeholder" in problem for problem in problems_of(text)) == needed


@pytest.mark.parametrize("section", sorted(ALL))
def test_every_option_is_described_in_one_sentence(section: str) -> None:
    """The sentence is all the help there is."""
    for option in options_of(ALL[section]):
        assert option.sentence[0].isupper() or option.sentence.startswith("--"), option.name
        assert option.sentence.endswith("."), option.name
        assert ". " not in option.sentence, option.name
        assert option.type.name, option.name


@pytest.mark.parametrize("section", sorted(ALL))
def test_every_field_is_an_option_of_the_right_type(section: str) -> None:
    """A field without a description could not be configured; a duration without `_ms` would be a thousand times off."""
    described = {option.field for option in options_of(ALL[section])}
    own_names = {"id", "name", "options"} - described
    assert {field.name for field in fields(ALL[section])} - own_names == described
    hints = get_type_hints(ALL[section])
    for option in options_of(ALL[section]):
        assert option.type.name.startswith("seconds") == option.field.endswith("_ms"), option.name
        assert option.name.endswith("_s") == option.field.endswith("_ms"), option.name
        if option.field.endswith("_ms"):
            assert hints[option.field] is Millis


def test_every_section_is_a_part_of_the_configuration() -> None:
    """A section without its field would be read and dropped."""
    assert set(SECTIONS) <= {field.name for field in fields(Config)}


def test_every_kind_of_provider_has_its_table() -> None:
    """Providers describe their own options; all of them must reach the manual."""
    tables = document.tables()
    for kind in REGISTRY.values():
        assert f"kind = {kind.name}`" in tables
        for option in options_of(kind.options):
            assert f"| `{option.name}` |" in tables


@pytest.mark.parametrize(
    ("words", "here", "exit_code"), [(("--help",), True, 0), (("--chekc",), True, 2), ((), False, 1)]
)
def test_nothing_is_written_but_when_that_is_asked_for(
    tmp_path: Path, words: tuple[str, ...], exit_code: int, *, here: bool
) -> None:
    """A newcomer who asks what it does must not find files changed."""
    files = [tmp_path / "config.example.ini", tmp_path / "docs" / "configuration.md"]
    if here:
        files[1].parent.mkdir()
        for file in files:
            file.write_text("mine")
    command = [sys.executable, "-m", "identity.config", *words]
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (exit_code, False)
    assert [file.read_text() if file.exists() else "" for file in files] == ["mine" if here else ""] * 2
    assert ("project's folder" in " ".join(done.stdout.split())) is (exit_code == 0)
