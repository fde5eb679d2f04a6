"""What a restore tells to close again: what a backup opens by not knowing that it was closed."""

from uuid import UUID

import pytest

from identity.audit import Event
from identity.cli.restore_sentences import closing_again
from identity.types import AccountId

ADA = AccountId(UUID(int=1))


def did(action: str, *, account: AccountId | None = ADA, **facts: str) -> Event:
    """Return an event."""
    return Event(UUID(int=0), 0, action, account, "operator:ann", facts={"reason": "it's 4711", **facts})


AGAIN = """--reason 'again after a restore: it'"'"'s 4711'"""
WHO = f"--account {ADA}"


@pytest.mark.parametrize(
    ("events", "commands"),
    [
        ([did("disable")], [f"identityd.py accounts disable {WHO} --yes {AGAIN}"]),
        ([did("disable"), did("enable")], []),
        ([did("enable"), did("disable")], [f"identityd.py accounts disable {WHO} --yes {AGAIN}"]),
        ([did("sign-up", username="ada"), did("disable")], []),
        ([did("unlink", identity="p:a b")], [f"identityd.py accounts unlink {WHO} 'p:a b' --yes {AGAIN}"]),
        ([did("unlink", identity="p:1"), did("link", identity="p:1")], []),
        ([did("link", identity="p:1")], []),
        ([did("groups", groups="+staff -admin")], [f"identityd.py groups remove admin {WHO} {AGAIN}"]),
        ([did("groups", groups="-admin"), did("groups", groups="+admin")], []),
        (
            [did("invite-revoke", account=None, invitation="3fa94c01")],
            [f"identityd.py invite revoke 3fa94c01 --yes {AGAIN}"],
        ),
        ([did("invite", account=None, invitation="3f"), did("invite-revoke", account=None, invitation="3f")], []),
    ],
)
def test_what_was_closed_is_closed_again_and_nothing_else(events: list[Event], commands: list[str]) -> None:
    """A person who was put out would be in again, or one who was let in again would be put out."""
    assert closing_again(events) == commands
