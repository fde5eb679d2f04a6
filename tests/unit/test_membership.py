"""Rules about members: how they are spelt, and of whom they hold."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from identity.accounts.usernames import fold
from identity.membership.facts import LONGEST, MOST, Fact, domain_of, kept, names_asked, read_fact, said_of
from identity.membership.groups import Groups
from identity.membership.rules import Entrant, FactRule, ProviderRule, any_holds, facts_asked, read_rule

ADA = Entrant("ada", "google", ("staff",), ("google/hd=example.com", "*/email_domain=example.com"))


def holds(word: str, entrant: Entrant = ADA) -> bool:
    """Tell whether a word holds of somebody."""
    return read_rule(word, fold=fold).holds(entrant)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("everyone", True),
        ("user:ada", True),
        ("user:ADA", True),
        ("user:adam", False),
        ("group:staff", True),
        ("group:ops", False),
        ("provider:google", True),
        ("provider:github", False),
        ("provider:google/hd=example.com", True),
        ("provider:google/hd=EXAMPLE.com", True),
        ("provider:google/hd=example.org", False),
        ("provider:github/hd=example.com", False),
        ("provider:*/email_domain=example.com", True),
        ("provider:*/hd=example.com", False),
    ],
)
def test_a_word_holds_of_the_right_person(word: str, expected: bool) -> None:  # noqa: FBT001 - a table's column
    """A rule that holds of the wrong person lets them in."""
    assert holds(word) is expected
    assert any_holds([read_rule("user:nobody-at-all", fold=fold), read_rule(word, fold=fold)], ADA) is expected


@pytest.mark.parametrize(
    "word",
    [
        "",
        "everybody",
        "Everyone",
        "user:",
        "user:a b",
        "user:a,b",
        "group:",
        "group:Staff",
        "group:-staff",
        "group:staff!",
        f"group:{'s' * 33}",
        "provider:",
        "provider:*",
        "provider:Google",
        "provider:google/",
        "provider:google/hd",
        "provider:google/hd=",
        "provider:google/=example.com",
        "provider:google/hd=a b",
        f"provider:google/hd={'a' * LONGEST}",
        f"provider:corp/claim.group={'é' * 60}",
        "provider:corp/claim.group=%FF",
        "google/hd=example.com",
        "staff",
    ],
)
def test_anything_else_is_refused_with_what_to_write(word: str) -> None:
    """A word that is read as something else would guard nothing, and look as if it did."""
    with pytest.raises(ValueError, match=r"is not|needs"):
        read_rule(word, fold=fold)


@given(st.text(max_size=150))
def test_a_word_is_read_or_refused_and_spelt_back_alike(word: str) -> None:
    """The operator's list shows the rules: two spellings of one rule must not differ in what they hold of."""
    try:
        rule = read_rule(word, fold=fold)
    except ValueError:
        return
    assert read_rule(str(rule), fold=fold) == rule


def test_only_what_is_asked_about_is_kept_and_no_more_than_fits() -> None:
    """Each login carries it in its session record, and providers send hundreds of groups."""
    asked = [Fact("corp", "claim.groups", f"g{n}") for n in range(100)]
    said = {"claim.groups": [f"g{n}" for n in range(50, 150)], "claim.salary": ["1"]}

    assert kept([asked[:60]], "corp", said) == tuple(f"corp/claim.groups=g{n}" for n in range(50, 60))
    assert len(kept([asked], "corp", said)) == MOST
    assert kept([asked], "other", said) == ()


_GROUPS = st.frozensets(st.integers(0, 99), max_size=100)


@pytest.mark.threat(67)
@given(lists=st.lists(_GROUPS, max_size=MOST), said=_GROUPS, more=_GROUPS)
@example(lists=[frozenset(range(99)), frozenset({99})], said=frozenset({99}), more=frozenset(range(99)))
def test_whatever_else_a_provider_says_takes_no_entry_away(
    lists: list[frozenset[int]], *, said: frozenset[int], more: frozenset[int]
) -> None:
    """A colleague who may put people into groups at the provider must not shut them out with a heap of these."""
    rules = [tuple(FactRule(Fact("corp", "claim.groups", str(n))) for n in sorted(numbers)) for numbers in lists]

    for heard in (said, said | more):
        facts = kept([[rule.fact for rule in each] for each in rules], "corp", {"claim.groups": list(map(str, heard))})
        assert len(facts) <= MOST
        assert [any_holds(each, Entrant("ada", "corp", (), facts)) for each in rules] == [
            bool(numbers & heard) for numbers in lists
        ]


def test_a_fact_of_any_provider_is_kept_under_the_name_it_is_asked_by() -> None:
    """Otherwise the rule for any provider would hold of no person."""
    fact = read_fact("*/email_domain=example.com")

    assert kept([[fact]], "google", {"email_domain": ["Example.com"]}) == ("*/email_domain=example.com",)
    assert names_asked([[fact], [read_fact("github/org=acme")]], "google") == {"email_domain"}


@pytest.mark.parametrize(
    ("email", "verified", "expected"),
    [
        ("ada@Example.COM", True, ("Example.COM",)),
        ("ada@example.com", False, None),
        ("", True, None),
        ("ada", True, None),
        ("@example.com", True, None),
        ('"a@b"@example.com', True, ("example.com",)),
    ],
)
@pytest.mark.threat(14)
def test_an_address_says_something_only_where_the_provider_verified_it(
    email: str,
    verified: bool,  # noqa: FBT001 - a table's column
    expected: tuple[str, ...] | None,
) -> None:
    """Anybody can type the address of the company's director into an account at most providers."""
    said = said_of([("hd", "example.org")], tenant="t", email=email, email_verified=verified)

    assert said.get("email_domain") == expected
    assert (said["hd"], said["tenant"]) == (("example.org",), ("t",))
    assert domain_of("") == ""


def test_groups_come_from_the_operator_and_from_what_a_provider_said() -> None:
    """Both sources open doors; one that hides the other would shut people out."""
    groups = Groups({"acme": (FactRule(read_fact("github/org=acme")), ProviderRule("corp")), "none": ()})

    assert groups.of(("staff",), provider="github", facts=("github/org=acme",)) == ("acme", "staff")
    assert groups.of(("staff",), provider="github", facts=()) == ("staff",)
    assert groups.of((), provider="corp", facts=()) == ("acme",)
    assert groups.of((), provider="github", facts=("gitlab/org=acme",)) == ()


def test_the_facts_that_rules_ask_about_are_told() -> None:
    """A provider is asked for these, and for nothing else about its people."""
    rules = [read_rule(word, fold=fold) for word in ("everyone", "group:g", "provider:a", "provider:a/org=b")]

    assert list(facts_asked(rules)) == [Fact("a", "org", "b")]
