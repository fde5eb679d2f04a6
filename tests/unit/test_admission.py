"""Who may have an account: the table of `login.admission`."""

import pytest

from identity.accounts.linking import Refusal
from identity.login.admission import Admission, RulesAt, SignUpMode
from identity.membership.rules import read_provider_rule

RULES = (read_provider_rule("provider:corp"), read_provider_rule("provider:google/hd=example.com"))
MEMBER = ("google", ("google/hd=example.com",))
STRANGER = ("google", ("google/hd=example.org",))


@pytest.mark.parametrize(
    ("rules", "who", "newcomer", "invited", "expected"),
    [
        ((SignUpMode.OPEN, RulesAt.SIGN_UP), STRANGER, True, False, None),
        ((SignUpMode.OPEN, RulesAt.LOGIN), STRANGER, False, False, None),
        ((SignUpMode.RULES, RulesAt.SIGN_UP), MEMBER, True, False, None),
        ((SignUpMode.RULES, RulesAt.SIGN_UP), ("corp", ()), True, False, None),
        ((SignUpMode.RULES, RulesAt.SIGN_UP), STRANGER, True, False, Refusal.NOT_ADMITTED),
        ((SignUpMode.RULES, RulesAt.SIGN_UP), STRANGER, False, False, None),
        ((SignUpMode.RULES, RulesAt.LOGIN), STRANGER, False, False, Refusal.NOT_ADMITTED),
        ((SignUpMode.RULES, RulesAt.LOGIN), MEMBER, False, False, None),
        ((SignUpMode.CLOSED, RulesAt.SIGN_UP), MEMBER, True, False, Refusal.SIGN_UP_CLOSED),
        ((SignUpMode.CLOSED, RulesAt.LOGIN), STRANGER, False, False, None),
        ((SignUpMode.OPEN, RulesAt.SIGN_UP), STRANGER, True, True, None),
        ((SignUpMode.RULES, RulesAt.SIGN_UP), STRANGER, True, True, None),
        ((SignUpMode.RULES, RulesAt.LOGIN), STRANGER, True, True, None),
        ((SignUpMode.RULES, RulesAt.LOGIN), STRANGER, False, True, None),
        ((SignUpMode.INVITED, RulesAt.SIGN_UP), MEMBER, True, False, Refusal.NOT_INVITED),
        ((SignUpMode.INVITED, RulesAt.SIGN_UP), STRANGER, True, True, None),
        ((SignUpMode.INVITED, RulesAt.LOGIN), STRANGER, False, False, None),
        ((SignUpMode.CLOSED, RulesAt.SIGN_UP), MEMBER, True, True, Refusal.SIGN_UP_CLOSED),
        ((SignUpMode.CLOSED, RulesAt.LOGIN), STRANGER, False, True, None),
    ],
)
def test_the_table(
    rules: tuple[SignUpMode, RulesAt],
    who: tuple[str, tuple[str, ...]],
    newcomer: bool,  # noqa: FBT001 - a table's column
    invited: bool,  # noqa: FBT001 - a table's column
    expected: Refusal | None,
) -> None:
    """With a public provider everybody on the internet would have an account, or its own people none."""
    mode, at = rules
    assert Admission(mode, RULES, at).refusal(*who, newcomer=newcomer, invited=invited) is expected


def test_without_rules_nobody_is_admitted() -> None:
    """An empty list that lets everybody in would be the worst reading of it."""
    assert Admission(SignUpMode.RULES).refusal(*MEMBER, newcomer=True, invited=False) is Refusal.NOT_ADMITTED
