"""Numbers that the documents quote and the code decides."""

import re
from pathlib import Path
from typing import Final

import pytest

from identity import config
from identity.config.model import SECTIONS, SessionsSection
from identity.login.returning import LONGEST
from identity.sessions.check import DELETIONS
from identity.web.http.framing import HEAD_LIMIT
from identity.web.http.page import LONG_JAR, LONG_JAR_DELETIONS
from identity.web.programs.application import URL_CHARS
from identity.web.programs.checks import MANY
from options.option import options_of
from tests.proxies.test_long_addresses import CARRIED
from tests.support.sources import ROOT

OPTIONS: Final = {option.name: option.default for option in options_of(SessionsSection)}
DAY_S: Final = 86_400
NUMBER: Final = re.compile(r"`(?:\[(\w+)\] )?(\w+)`(?: \(|, | is )([0-9][0-9.,]*[0-9]|[0-9])( days)?")
WORDS: Final = {3: "three", 30: "thirty"}


def page(name: str) -> str:
    """Return a document as one line."""
    return " ".join((ROOT / name).read_text().split())


@pytest.mark.parametrize("option", ["token_age_s", "grace_s", "settle_s", "mint_chance"])
def test_every_setting_that_is_traded_stands_with_its_default(option: str) -> None:
    """Otherwise an operator weighs a setting from a number that the daemon never had."""
    assert f"`{option}` ({OPTIONS[option]})" in page("docs/sessions.md")


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("docs/sessions.md", f"*Old* is past `token_age` ({OPTIONS['token_age_s']} s"),
        ("docs/sessions.md", f"a chance of {OPTIONS['mint_chance']}, shared among the tokens shown"),
        ("docs/sessions.md", f"at most {OPTIONS['grace_s']} s since `S`"),
        ("docs/sessions.md", f"At most {WORDS[DELETIONS]} names are deleted per answer"),
        ("docs/clients.md", f"older than {OPTIONS['token_age_s']} seconds"),
        ("README.md", f"once it is {OPTIONS['token_age_s']} seconds old"),
        ("docs/http-api.md", f"delete {WORDS[LONG_JAR_DELETIONS]} when more than {LONG_JAR:,} characters"),
        ("docs/http-api.md", f"at most {URL_CHARS:,} characters"),
        ("docs/http-api.md", f"up to {MANY:,}"),
        ("docs/http-api.md", f"{HEAD_LIMIT >> 10} KB; 256 KB below"),
        ("docs/login.md", f"at most {LONGEST:,} characters"),
        ("docs/proxies.md", f"as long as {CARRIED:,} characters"),
    ],
)
def test_a_number_in_a_document_is_the_codes_own(document: str, said: str) -> None:
    """Otherwise somebody plans with a figure that was changed in one of two places."""
    assert said in page(document)


def test_no_document_speaks_of_a_token_of_another_age() -> None:
    """Otherwise one page keeps the age that all others have left behind."""
    spoken = {
        found
        for path in (ROOT / "docs").glob("*.md")
        for found in re.findall(r"token_age(?:_s)?` \(([0-9]+)", path.read_text())
    }

    assert spoken == {OPTIONS["token_age_s"]}


def defaults(section: str) -> dict[str, set[str]]:
    """Return what the options of a section, or of all, are worth in an empty configuration, as it is written."""
    empty = config.parse("", base=Path())
    found: dict[str, set[str]] = {}
    for each in [section] if section else SECTIONS:
        for option in options_of(SECTIONS[each]):
            value = option.type.write(getattr(getattr(empty, each), option.field))
            found.setdefault(option.name, set()).add(value)
    return found


@pytest.mark.parametrize("path", sorted((ROOT / "docs").glob("*.md")), ids=lambda path: path.name)
def test_a_number_beside_an_option_is_its_default(path: Path) -> None:
    """Otherwise an operator leaves out what would have to be written."""
    wrong = []
    for section, option, said, days in NUMBER.findall(page(f"docs/{path.name}")):
        number = said.replace(",", "") if not days else str(int(said) * DAY_S)
        known = defaults(section).get(option, {number})
        wrong += [] if number in known else [(option, said, known)]

    assert wrong == []
