"""Who may have an account: the table of `login.admission`."""

import pytest

from identity.accounts.linking import Refusal
from identity.login.admission import Admission, RulesAt, SignUpMode
from identity.membership.rules import read_provider_rule

RULES = (read_provider_rule("provider:corp"), read_provider_rule("provider:google/hd=example.com"))
MEMBER = ("google", ("google/hd=example.com",))
STRANGER = ("google", ("google/hd=example.org",))


@pytest.mark.parametrize(
    ("mode", "at", "who", "newcomer", "expected"),
    [
        (SignUpMode.OPEN, RulesAt.SIGN_UP, STRANGER, True, None),
        (SignUpMode.OPEN, RulesAt.LOGIN, STRANGER, False, None),
        (SignUpMode.RULES, RulesAt.SIGN_UP, MEMBER, True, None),
        (SignUpMode.RULES, RulesAt.SIGN_UP, ("corp", ()), True, None),
        (SignUpMode.RULES, RulesAt.SIGN_UP, STRANGER, True, Refusal.NOT_ADMITTED),
        (SignUpMode.RULES, RulesAt.SIGN_UP, STRANGER, False, None),
        (SignUpMode.RULES, RulesAt.LOGIN, STRANGER, False, Refusal.NOT_ADMITTED),
        (SignUpMode.RULES, RulesAt.LOGIN, MEMBER, False, None),
        (SignUpMode.CLOSED, RulesAt.SIGN_UP, MEMBER, True, Refusal.SIGN_UP_CLOSED),
        (SignUpMode.CLOSED, RulesAt.LOGIN, STRANGER, False, None),
    ],
)
def test_the_table(
    mode: SignUpMode,
    at: RulesAt,
    who: tuple[str, tuple[str, ...]],
    newcomer: bool,  # noqa: FBT001 - a table's column
    expected: Refusal | None,
) -> None:
    """With a public provider everybody on the internet would have an account, or its own people none."""
    assert Admission(mode, RULES, at).refusal(*who, newcomer=newcomer) is expected


def test_without_rules_nobody_is_admitted() -> None:
    """An empty list that lets everybody in would be the worst reading of it."""
    assert Admission(SignUpMode.RULES).refusal(*MEMBER, newcomer=True) is Refusal.NOT_ADMITTED
