"""Which usernames may be chosen, when two are one, and what a newcomer is offered."""

# ruff: noqa: RUF001 - look-alikes are the subject

import string
from itertools import islice

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from identity.accounts.reserved import RESERVED
from identity.accounts.usernames import (
    NamePolicy,
    NameProblem,
    NameRefused,
    alternatives,
    check,
    fold,
    suggestions,
)
from identity.types import Username

POLICY = NamePolicy()
LETTERS = string.ascii_letters + string.digits
ALLOWED = LETTERS + "_-."

anything = st.text(max_size=40) | st.text(alphabet=ALLOWED, max_size=40)
policies = st.builds(
    lambda low, more, reserved: NamePolicy(min_length=low, max_length=low + more, reserved=reserved),
    st.integers(1, 12),
    st.integers(0, 50),
    st.frozensets(st.text(alphabet=ALLOWED, max_size=8), max_size=3),
)


def problem(text: str, policy: NamePolicy = POLICY) -> NameProblem | None:
    """Return what is wrong with a name, if anything is."""
    found = check(text, policy)
    return found.problem if isinstance(found, NameRefused) else None


@pytest.mark.parametrize(
    ("text", "stored", "key"),
    [
        ("alice", "alice", "alice"),
        ("Alice", "Alice", "alice"),
        ("  alice\t", "alice", "alice"),
        ("a_b-c.d", "a_b-c.d", "a_b-c.d"),
        ("ａｌｉｃｅ", "alice", "alice"),
        ("Ａｌｉｃｅ２", "Alice2", "alice2"),
        ("\N{KELVIN SIGN}elvin", "Kelvin", "kelvin"),
        ("\N{LATIN SMALL LIGATURE FI}ona", "fiona", "fiona"),
        ("a\N{FULLWIDTH LOW LINE}b", "a_b", "a_b"),
        ("007", "007", "007"),
        ("a" * 32, "a" * 32, "a" * 32),
    ],
)
def test_a_name_is_stored_plainly_and_keeps_its_case(text: str, stored: str, key: str) -> None:
    """The person would see another name than the one typed."""
    assert check(text, POLICY) == stored
    assert fold(text) == key


@pytest.mark.parametrize(
    ("text", "expected", "sentence"),
    [
        ("", NameProblem.EMPTY, "Type a username."),
        (" \N{IDEOGRAPHIC SPACE}", NameProblem.EMPTY, "Type a username."),
        ("ab", NameProblem.TOO_SHORT, "Use at least 3 characters."),
        ("a" * 33, NameProblem.TOO_LONG, "Use at most 32 characters."),
        ("a" * 257, NameProblem.TOO_LONG, "Use at most 32 characters."),
        ("alice" + " " * 300, NameProblem.TOO_LONG, "Use at most 32 characters."),
        ("\N{ARABIC LIGATURE SALLALLAHOU ALAYHE WASALLAM}" * 256, NameProblem.TOO_LONG, "Use at most 32 characters."),
        ("ali\N{ZERO WIDTH SPACE}ce", NameProblem.INVISIBLE, "cannot be seen"),
        ("ali\N{ZERO WIDTH JOINER}ce", NameProblem.INVISIBLE, "cannot be seen"),
        ("ali\N{SOFT HYPHEN}ce", NameProblem.INVISIBLE, "cannot be seen"),
        ("\N{RIGHT-TO-LEFT OVERRIDE}ecila", NameProblem.INVISIBLE, "cannot be seen"),
        ("ali\0ce", NameProblem.INVISIBLE, "cannot be seen"),
        ("ali\nce", NameProblem.INVISIBLE, "cannot be seen"),
        ("ali\ud800ce", NameProblem.INVISIBLE, "cannot be seen"),
        ("ali ce", NameProblem.CHARACTER, "a space cannot be used"),
        ("ali\N{NO-BREAK SPACE}ce", NameProblem.CHARACTER, "a space cannot be used"),
        ("ali@ce", NameProblem.CHARACTER, "“@” cannot be used"),
        ("zoë", NameProblem.CHARACTER, "“ë” cannot be used"),
        ("\N{CYRILLIC SMALL LETTER A}lice", NameProblem.CHARACTER, "cannot be used"),
        ("al/ice", NameProblem.CHARACTER, "“/” cannot be used"),
        ("{policy}", NameProblem.CHARACTER, "“{” cannot be used"),
        ("-alice", NameProblem.EDGE, "Begin and end"),
        ("alice_", NameProblem.EDGE, "Begin and end"),
        (".alice", NameProblem.EDGE, "Begin and end"),
        ("...", NameProblem.EDGE, "Begin and end"),
        ("al..ice", NameProblem.DOTS, "no two dots"),
        ("a\N{TWO DOT LEADER}b", NameProblem.DOTS, "no two dots"),
        ("root", NameProblem.RESERVED, "reserved"),
        ("Admin", NameProblem.RESERVED, "reserved"),
        ("ａｄｍｉｎ", NameProblem.RESERVED, "reserved"),
        ("ⓐⓓⓜⓘⓝ", NameProblem.RESERVED, "reserved"),
    ],
)
def test_a_refusal_says_what_to_change(text: str, expected: NameProblem, sentence: str) -> None:
    """A bare "invalid username" leaves a person guessing."""
    refused = check(text, POLICY)

    assert isinstance(refused, NameRefused)
    assert refused.problem is expected
    assert sentence in refused.sentence


def test_the_operator_s_reserved_names_are_folded_too() -> None:
    """Whoever reserves `Payroll-Team` means `payroll-team` as well."""
    policy = NamePolicy(reserved=frozenset({"Payroll-Team", "ＣＦＯ-office"}))

    assert problem("payroll-team", policy) is NameProblem.RESERVED
    assert problem("CFO-Office", policy) is NameProblem.RESERVED
    assert problem("root", policy) is NameProblem.RESERVED
    assert problem("payroll-team") is None


def test_the_operator_decides_on_the_lengths() -> None:
    """The configuration offers them."""
    policy = NamePolicy(min_length=1, max_length=4)

    assert problem("x", policy) is None
    assert problem("abcde", policy) is NameProblem.TOO_LONG


def test_every_reserved_name_is_written_as_it_is_compared() -> None:
    """A name in the list with a capital letter would reserve nothing."""
    assert {name for name in RESERVED if fold(name) != name} == set()
    assert len(RESERVED) >= 150


@pytest.mark.parametrize(
    "name", ["admin", "root", "postmaster", "abuse", "well-known", "robots.txt", "login", "support"]
)
def test_names_that_sound_like_the_operator_are_reserved(name: str) -> None:
    """A stranger called `help` would be believed."""
    assert problem(name) is NameProblem.RESERVED


@pytest.mark.parametrize("name", ["administrator2", "rooted", "demo-cracy", "alice.admin", "testament"])
def test_names_that_only_contain_a_reserved_one_are_free(name: str) -> None:
    """People are called Rooted."""
    assert problem(name) is None


@given(anything, policies)
@example("ﬁ" * 20, POLICY)
def test_whatever_is_accepted_is_plain_ascii(text: str, policy: NamePolicy) -> None:
    """Anything else could be two names that look like one."""
    name = check(text, policy)

    if isinstance(name, str):
        assert policy.min_length <= len(name) <= policy.max_length
        assert set(name) <= set(ALLOWED)
        assert name[0] in LETTERS
        assert name[-1] in LETTERS
        assert ".." not in name
        assert not policy.reserves(fold(name))


@given(anything, policies)
def test_an_accepted_name_stays_what_it_is(text: str, policy: NamePolicy) -> None:
    """A name that changes when it is checked again was checked before it was normal."""
    name = check(text, policy)

    if isinstance(name, str):
        assert check(name, policy) == name
        assert fold(name) == fold(text)
        assert fold(fold(name)) == fold(name)
        assert fold(name) == name.lower()


@given(st.text(alphabet=ALLOWED, min_size=3, max_size=32))
def test_two_spellings_of_one_name_are_one(text: str) -> None:
    """`Alice` and `alice` would be two people."""
    wide = "".join(chr(ord(c) + 0xFEE0) for c in text)

    assert fold(text) == fold(text.upper()) == fold(text.lower()) == fold(wide)


@given(anything)
def test_every_refusal_has_a_sentence_that_can_be_shown(text: str) -> None:
    """A page that cannot be encoded is an error page."""
    refused = check(text, POLICY)

    if isinstance(refused, NameRefused):
        assert refused.sentence.encode()
        assert refused.sentence.endswith(".")


@pytest.mark.parametrize(
    ("handle", "name", "expected"),
    [
        ("alice", "", ["alice"]),
        ("@Alice", "Alice Liddell", ["Alice", "Alice.Liddell"]),
        ("", "Zoë Groß", ["Zoe.Gross", "Zoe"]),
        ("", "Søren Kierkegård", ["Soren.Kierkegard", "Soren"]),
        ("", "Łukasz Żółć", ["Lukasz.Zolc", "Lukasz"]),
        ("", "Seán O’Hara", ["Sean.OHara", "Sean"]),
        ("", "Þór Ægisson", ["Thor.Aegisson", "Thor"]),
        ("", "Ayşe Işık", ["Ayse.Isik", "Ayse"]),
        ("bob@example.org", "Bob", ["bob"]),
        ("-_bob_-", "", ["bob"]),
        ("the  real/bob", "", ["the-real-bob"]),
        ("a..b", "", ["a.b"]),
        ("admin", "Ann Admin", ["Ann.Admin", "Ann"]),
        ("李雷", "李雷", []),
        ("", "", []),
        ("x" * 40, "", ["x" * 32]),
        ("x" * 31 + "-y", "", ["x" * 31]),
    ],
)
def test_what_a_provider_calls_somebody_becomes_a_name(handle: str, name: str, expected: list[str]) -> None:
    """The person should only have to press the button."""
    offered = list(suggestions(handle, name, POLICY))

    assert offered == expected


@given(anything, anything, policies)
def test_every_name_that_is_offered_has_the_right_form(handle: str, name: str, policy: NamePolicy) -> None:
    """An offer that is refused when it is taken is worse than none."""
    offered = list(suggestions(handle, name, policy))

    assert [check(each, policy) for each in offered] == offered
    assert len({fold(each) for each in offered}) == len(offered)


def test_a_taken_name_is_offered_with_small_numbers_first() -> None:
    """`alice2` is what a person would try."""
    assert list(islice(alternatives(Username("alice"), 0, POLICY), 3)) == ["alice2", "alice3", "alice4"]


def test_a_reserved_name_is_no_alternative() -> None:
    """The offer would be refused."""
    policy = NamePolicy(reserved=frozenset({"alice2"}))

    assert next(alternatives(Username("alice"), 0, policy)) == "alice3"


def test_a_popular_name_is_offered_with_numbers_that_differ() -> None:
    """The thousandth Alice would be offered the same three taken names as everybody before."""
    offered = {name for seed in range(100) for name in alternatives(Username("alice"), seed * 7_919, POLICY)}

    assert len(offered) > 150


@given(anything, st.integers(0, 2**128 - 1), policies)
def test_every_alternative_can_be_chosen(text: str, seed: int, policy: NamePolicy) -> None:
    """A long name must be shortened to make room for its number."""
    name = check(text, policy)

    if isinstance(name, str):
        offered = list(alternatives(name, seed, policy))
        assert [check(each, policy) for each in offered] == offered
        assert all(fold(each) != fold(name) or each[-1].isdigit() for each in offered)
