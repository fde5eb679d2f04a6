"""How identities are spelt, and when one leads to an account: a test for each row of the tables."""

from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.accounts.linking import (
    CLAIM_REST_MS,
    SUBJECT_BYTES,
    ChooseName,
    Decision,
    Identity,
    Meeting,
    Refusal,
    Refuse,
    SignIn,
    Unfinished,
    Unknown,
    account_of,
    decide,
    identity_key,
    is_sign_up,
    meet,
    parse_key,
)
from identity.accounts.store import AccountRow, AccountStatus, IdentityRow, IdentityState, LinkedIdentity, Suspension
from identity.types import AccountId, IdentityKey, Username
from tests.support.clock import NOON

ACCOUNT = AccountId(UUID(int=1))
KEY = IdentityKey("twitter:123456789")

subjects = st.text(min_size=1, max_size=60).filter(lambda text: not any("\ud800" <= c <= "\udfff" for c in text))
providers = st.from_regex(r"[a-z0-9-]{1,32}", fullmatch=True)


def row(state: IdentityState) -> IdentityRow:
    """Make an index row that leads to ACCOUNT."""
    return IdentityRow(KEY, Username("alice"), ACCOUNT, state, uuid4(), NOON, uuid4())


def account(status: AccountStatus = AccountStatus.ACTIVE, *, key: IdentityKey = KEY) -> AccountRow:
    """Make ACCOUNT, which lists one identity."""
    return AccountRow(
        ACCOUNT, Username("alice"), status, 1, 1, uuid4(), NOON, identities={key: LinkedIdentity(NOON, "")}
    )


def told(reason: str, of: IdentityKey = KEY, status: AccountStatus = AccountStatus.ACTIVE) -> AccountRow:
    """Make ACCOUNT, of whose identity a provider said something."""
    return replace(account(status), suspensions={of: Suspension(NOON, reason)})


ACTIVE = account()
RESUMED, ELSEWHERE = told(""), told("account-purged", IdentityKey("google:1"))
OTHER = replace(ACTIVE, key=AccountId(UUID(int=2)))


@pytest.mark.parametrize(
    ("found", "there", "expected"),
    [
        (None, None, Unknown()),
        (None, ACTIVE, Unknown()),
        (row(IdentityState.PENDING), None, Unknown()),
        (row(IdentityState.PENDING), ACTIVE, Unknown()),
        (row(IdentityState.COMPLETING), None, Unfinished()),
        (row(IdentityState.COMPLETING), ACTIVE, Unfinished()),
        (row(IdentityState.NEEDS_NAME), None, ChooseName(ACCOUNT)),
        (row(IdentityState.NEEDS_NAME), ACTIVE, ChooseName(ACCOUNT)),
        (row(IdentityState.ACTIVE), None, Refuse(Refusal.NO_ACCOUNT)),
        (row(IdentityState.ACTIVE), account(AccountStatus.MERGING), Refuse(Refusal.MERGING)),
        (row(IdentityState.ACTIVE), account(AccountStatus.MERGED), Refuse(Refusal.MERGED)),
        (row(IdentityState.ACTIVE), account(AccountStatus.DISABLED), Refuse(Refusal.DISABLED)),
        (row(IdentityState.ACTIVE), told("account-purged", status=AccountStatus.DISABLED), Refuse(Refusal.DISABLED)),
        (row(IdentityState.ACTIVE), told("account-purged"), Refuse(Refusal.SUSPENDED)),
        (row(IdentityState.ACTIVE), RESUMED, SignIn(RESUMED)),
        (row(IdentityState.ACTIVE), ELSEWHERE, SignIn(ELSEWHERE)),
        (row(IdentityState.ACTIVE), ACTIVE, SignIn(ACTIVE)),
    ],
)
def test_each_row_of_the_table(found: IdentityRow | None, there: AccountRow | None, expected: Decision) -> None:
    """The table in the docstring is what people may rely on."""
    assert decide(found, there) == expected


@pytest.mark.parametrize(
    "there",
    [
        OTHER,
        account(key=IdentityKey("twitter:1234567890")),
        account(key=IdentityKey("Twitter:123456789")),
        replace(ACTIVE, identities={}),
        replace(account(AccountStatus.DISABLED), identities={}),
    ],
)
def test_an_index_row_its_account_does_not_agree_with_leads_nowhere(there: AccountRow) -> None:
    """An unlinked identity would still open the account."""
    assert decide(row(IdentityState.ACTIVE), there) == Unknown()


@pytest.mark.parametrize("status", [AccountStatus.MERGING, AccountStatus.MERGED])
def test_an_identity_on_its_way_between_two_accounts_is_offered_no_new_one(status: AccountStatus) -> None:
    """Logging in during a merge would make a third account."""
    moving = replace(account(status), identities={})

    assert isinstance(decide(row(IdentityState.ACTIVE), moving), Refuse)


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (-60_000, Meeting.BEING_FINISHED),
        (0, Meeting.BEING_FINISHED),
        (CLAIM_REST_MS, Meeting.BEING_FINISHED),
        (CLAIM_REST_MS + 1, Meeting.TAKE_OVER),
    ],
)
def test_a_foreign_claim_is_left_alone_for_thirty_seconds(age: int, expected: Meeting) -> None:
    """Two windows would tear a sign-up apart, or a closed one would block the identity."""
    assert meet(row(IdentityState.PENDING), claim=uuid4(), now=NOON + age) is expected


@pytest.mark.parametrize("age", [-60_000, 0, CLAIM_REST_MS + 1])
def test_one_s_own_claim_is_one_s_own_at_any_age(age: int) -> None:
    """Choosing another name after the first was taken would be refused."""
    mine = row(IdentityState.PENDING)

    assert meet(mine, claim=mine.claim, now=NOON + age) is Meeting.MINE


@pytest.mark.parametrize(
    ("identity", "key"),
    [
        (Identity("twitter", "123456789"), "twitter:123456789"),
        (Identity("google", "a:b"), "google:a%3Ab"),
        (Identity("google", "100%"), "google:100%25"),
        (Identity("google", "%3A"), "google:%253A"),
        (Identity("entra", "sub", tenant="tid"), "entra:tid:sub"),
        (Identity("entra", "s:b", tenant="t:d"), "entra:t%3Ad:s%3Ab"),
        (Identity("x", "a\0b\nc\x7f"), "x:a%00b%0Ac%7F"),
        (Identity("x", "a\x85b"), "x:a%C2%85b"),
        (Identity("x", "Ünïcode ✓"), "x:Ünïcode ✓"),
        (Identity("x", "-"), "x:-"),
    ],
)
def test_an_identity_has_one_spelling(identity: Identity, key: str) -> None:
    """An operator looks people up by it, and stored keys must stay valid for ever."""
    assert identity_key(identity.provider, identity.subject, tenant=identity.tenant) == key
    assert parse_key(key) == identity


@given(providers, subjects, st.just("") | subjects)
def test_every_identity_can_be_read_back(provider: str, subject: str, tenant: str) -> None:
    """A key that parses to somebody else would be somebody else's account."""
    key = identity_key(provider, subject, tenant=tenant)

    assert parse_key(key) == Identity(provider, subject, tenant)
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in key)


@given(st.tuples(providers, subjects, st.just("") | subjects), st.tuples(providers, subjects, st.just("") | subjects))
def test_two_identities_never_share_a_key(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    """A tenant named like another one's subject prefix would be let into that account."""
    keys = [identity_key(provider, subject, tenant=tenant) for provider, subject, tenant in (one, other)]

    assert (keys[0] == keys[1]) == (one == other)


@pytest.mark.parametrize("provider", ["", "Twitter", "a" * 33, "a:b", "a b", "ä", "a_b", "twitter\n"])
def test_a_provider_s_name_out_of_form_is_refused(provider: str) -> None:
    """A forged name with a colon could spell somebody else's key."""
    with pytest.raises(ValueError, match="provider"):
        identity_key(provider, "1")


def test_an_empty_subject_is_refused() -> None:
    """A provider that forgets to say who it is would sign everybody in as one person."""
    with pytest.raises(ValueError, match="nobody"):
        identity_key("twitter", "")


@pytest.mark.parametrize("subject", ["s" * SUBJECT_BYTES, "ä" * 127, "%" * SUBJECT_BYTES])
def test_a_subject_may_have_255_bytes(subject: str) -> None:
    """OpenID Connect allows as many."""
    assert parse_key(identity_key("x", subject)).subject == subject


@pytest.mark.parametrize("subject", ["s" * 256, "ä" * 128])
def test_a_longer_subject_or_tenant_is_refused(subject: str) -> None:
    """Cutting it would make two people one."""
    with pytest.raises(ValueError, match="255 bytes"):
        identity_key("x", subject)
    with pytest.raises(ValueError, match="255 bytes"):
        identity_key("x", "1", tenant=subject)


def test_a_subject_without_bytes_is_refused() -> None:
    """A lone surrogate cannot be compared, stored or printed."""
    with pytest.raises(ValueError, match="surrogates"):
        identity_key("x", "\ud800")


@pytest.mark.parametrize(
    "key", ["", "twitter", "a:b:c:d", "a:", ":1", "a::b", "A:1", "a:%3a", "a:%41", "a:%", "a:\n", "a:%FF", "a:b:"]
)
def test_a_key_in_another_spelling_is_refused(key: str) -> None:
    """Two spellings of one person would be two accounts, or an unlink that misses."""
    with pytest.raises(ValueError):  # noqa: PT011 - the reasons differ and do not matter
        parse_key(key)


def test_a_claim_always_makes_the_same_account() -> None:
    """Two helpers who finish one sign-up would make two accounts."""
    claim = uuid4()

    assert account_of(claim) == account_of(claim)
    assert account_of(claim) != account_of(uuid4())
    assert str(claim) not in str(account_of(claim))


def test_a_link_is_not_taken_for_a_sign_up() -> None:
    """Finishing a link to an account that is gone would make one."""
    link = row(IdentityState.COMPLETING)

    assert not is_sign_up(link)
    assert is_sign_up(replace(link, account_id=account_of(link.claim)))
