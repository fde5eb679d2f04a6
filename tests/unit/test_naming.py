"""What a text can mean that names an account: the tables of `naming.py`, row by row."""

from uuid import UUID

import pytest

from identity.admin.naming import ByAccount, ByIdentity, ByUsername, How, Reading, identities, readings
from identity.types import AccountId, IdentityKey, UsernameKey

ID = AccountId(UUID("6f1c0e3a-5f0e-5d0c-8a51-0b7d4c1a2f10"))


def name(text: str) -> ByUsername:
    return ByUsername(UsernameKey(text))


def identity(text: str) -> ByIdentity:
    return ByIdentity(IdentityKey(text))


@pytest.mark.parametrize(
    ("text", "how", "expected"),
    [
        ("alice", None, (name("alice"),)),
        (" ALICE ", None, (name("alice"),)),
        (str(ID), None, (ByAccount(ID), name(str(ID)))),
        (str(ID).upper(), None, (ByAccount(ID), name(str(ID)))),
        (ID.hex, None, (name(ID.hex),)),
        ("github:583231", None, (identity("github:583231"),)),
        ("ms:tenant:7", None, (identity("ms:tenant:7"), identity("ms:tenant%3A7"))),
        (":583231", None, ()),
        ("GitHub:583231", None, ()),
        ("github:", None, ()),
        ("", None, ()),
        (str(ID), How.ACCOUNT, (ByAccount(ID),)),
        ("alice", How.ACCOUNT, ()),
        (str(ID), How.USERNAME, (name(str(ID)),)),
        ("ms:tenant:7", How.IDENTITY, (identity("ms:tenant:7"),)),
        ("corp:50%", How.IDENTITY, ()),
    ],
)
def test_a_text_means_what_the_table_says(text: str, how: How | None, expected: tuple[Reading, ...]) -> None:
    """An operator who disables by the wrong reading locks somebody else out."""
    assert readings(text, how) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("corp:auth0|5f7c", ("corp:auth0|5f7c",)),
        ("corp:a%3Ab", ("corp:a%3Ab",)),
        ("corp:a%3ab", ()),
        ("corp:50%", ("corp:50%25",)),
        ("corp:https://id.example:8443/7", ("corp:https%3A//id.example%3A8443/7",)),
        ("corp:a:b", ("corp:a:b", "corp:a%3Ab")),
        ("corp:" + "x" * 256, ()),
        ("corp:\udcff", ()),
    ],
)
def test_an_id_is_encoded_only_where_it_can_be_meant_in_one_way(text: str, expected: tuple[str, ...]) -> None:
    """Encoding twice, or not at all, links an identity that nobody can ever prove."""
    assert identities(text) == expected
