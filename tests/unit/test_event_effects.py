"""What a provider's word about an account there means here, row by row."""

import pytest

from identity.accounts.event_effects import HIJACKING, EndedByEvent, EventEffect, LoginsAfter, effect_of, worded
from providers.security_notices import SecurityEvent, SecurityEventType

Type = SecurityEventType
NONE, THROUGH, ALL = EndedByEvent.NONE, EndedByEvent.THROUGH_IDENTITY, EndedByEvent.ALL
SAME, SUSPENDED, RESUMED = LoginsAfter.UNCHANGED, LoginsAfter.SUSPENDED, LoginsAfter.RESUMED

FORGETTING = {Type.ACCOUNT_PURGED, Type.TOKENS_REVOKED, Type.CONSENT_REVOKED}
"""After which the provider's tokens are good no more."""
TABLE = [
    (Type.ACCOUNT_DISABLED, HIJACKING, ALL, SUSPENDED),
    (Type.ACCOUNT_DISABLED, "bulk-account", THROUGH, SUSPENDED),
    (Type.ACCOUNT_DISABLED, "", THROUGH, SUSPENDED),
    (Type.ACCOUNT_DISABLED, "(unreadable)", THROUGH, SUSPENDED),
    (Type.ACCOUNT_PURGED, "", THROUGH, SUSPENDED),
    (Type.ACCOUNT_ENABLED, "", NONE, RESUMED),
    (Type.CREDENTIAL_CHANGE_REQUIRED, "", THROUGH, SAME),
    (Type.SESSIONS_REVOKED, "", THROUGH, SAME),
    (Type.TOKENS_REVOKED, HIJACKING, THROUGH, SAME),
    (Type.CONSENT_REVOKED, "", THROUGH, SAME),
    (Type.TOKEN_REVOKED, "", NONE, SAME),
    (Type.EMAIL_ENABLED, "", NONE, SAME),
    (Type.EMAIL_DISABLED, "", NONE, SAME),
    (Type.VERIFICATION, "", NONE, SAME),
    (Type.UNKNOWN, HIJACKING, NONE, SAME),
]


@pytest.mark.parametrize(("kind", "reason", "sessions", "logins"), TABLE)
def test_every_event_has_its_effect(kind: Type, reason: str, sessions: EndedByEvent, logins: LoginsAfter) -> None:
    """Otherwise a thief stays in, or a person is locked out by a mail setting."""
    assert effect_of(SecurityEvent(kind, "ada", reason)) == EventEffect(sessions, logins, kind in FORGETTING)


def test_the_table_knows_every_event() -> None:
    """Otherwise one that a provider sends is an error of ours, and is sent again and again."""
    assert {kind for kind, *_ in TABLE} == set(Type)


def test_nothing_that_a_provider_says_gives_more_than_it_took() -> None:
    """Otherwise a provider opens an account that an operator closed, or ends nothing while it suspends."""
    for kind in Type:
        effect = effect_of(SecurityEvent(kind))
        assert effect.logins is not SUSPENDED or effect.sessions is not NONE
        assert effect.idle == (effect == EventEffect(NONE))


def test_an_event_is_named_with_its_reason() -> None:
    """Otherwise an operator does not see why a way to log in is suspended."""
    assert worded(SecurityEvent(Type.ACCOUNT_DISABLED, "ada", "hijacking")) == "account-disabled (hijacking)"
    assert worded(SecurityEvent(Type.ACCOUNT_PURGED, "ada")) == "account-purged"
