"""Numbers that the documents quote and the code decides."""

import re
from typing import Final

import pytest

from identity.config.model import Sessions
from identity.config.option import options_of
from identity.login.returning import LONGEST
from identity.sessions.check import DELETIONS
from identity.web.door import HEAD_LIMIT
from identity.web.page import LONG_JAR, LONG_JAR_DELETIONS
from identity.web.session import MANY, URL_CHARS
from tests.proxies.test_long_addresses import CARRIED
from tests.support.sources import ROOT

OPTIONS: Final = {option.name: option.default for option in options_of(Sessions)}
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
