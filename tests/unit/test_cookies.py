"""The one reader of Cookie header lines."""

from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from identity.cookies import pairs, value_of, values_of
from tests.support.counting import calls_of
from tests.support.siblings import BLANKS

NAME: Final = "__Host-iddf-AAAAAAAA"
REST = st.text(st.characters(codec="latin-1", exclude_characters=";"), max_size=30)


def test_a_line_of_a_browser_is_read() -> None:
    """Everything else in this file says what is not read; this is what is."""
    assert list(pairs(["a=1; b=2", "c=3"])) == [("a", "1"), ("b", "2"), ("c", "3")]


@pytest.mark.threat(47)
@pytest.mark.parametrize(
    "line",
    [
        f"t=1,{NAME}=x",
        f"t=1, {NAME}=x",
        f"t=1,\t{NAME}=x",
        f't="1,{NAME}=x"',
        f"t=1 {NAME}=x",
        f"t=1\t{NAME}=x",
        f"t={NAME}=x",
        f"t=1&{NAME}=x",
        f"t=1%3B{NAME}=x",
        f"{NAME}",
        f"={NAME}=x",
        f"t,{NAME}=x",
        f'"{NAME}"=x',
        f"{NAME.lower()}=x",
        f"{NAME.upper()}=x",
        f"{NAME}A=x",
        f"{NAME[:-1]}=x",
        f"$Version=1,{NAME}=x",
        f"{NAME.replace('A', chr(0xC0))}=x",
    ],
)
def test_what_a_browser_keeps_as_another_cookie_is_none_of_ours(line: str) -> None:
    """A sibling host may set all of these; read as ours, they would walk past `__Host-`."""
    assert value_of([line], NAME) is None
    assert value_of([f"{NAME}=real; {line}; z=1"], NAME) == "real"


@pytest.mark.threat(47)
@pytest.mark.parametrize("blank", BLANKS, ids=ascii)
def test_only_space_and_tab_are_trimmed_from_a_name(blank: str) -> None:
    """Python's `strip` takes U+00A0 and U+0085 away, which browsers keep: a name of anybody would become ours."""
    for spelt in (blank + NAME, NAME + blank, f" {blank} {NAME}", NAME[:7] + blank + NAME[7:]):
        assert value_of([f"a=b; {spelt}=x"], NAME) is None
        assert value_of([f"{spelt}=x; {NAME}=real"], NAME) == "real"


@pytest.mark.parametrize(
    "line", [f"a=b;{NAME}=x", f"a=b; \t{NAME} = x\t", f"{NAME}=x;", f";;{NAME}=x;;a", f" {NAME}=x "]
)
def test_space_and_tab_around_a_cookie_mean_nothing(line: str) -> None:
    """A proxy that writes the line anew may put them there."""
    assert value_of([line], NAME) == "x"


@pytest.mark.parametrize("value", ['"x"', "x=y", "x,y", "x y", "\xa0x", "x\x85", "", '"', "x\x0b"])
def test_a_value_is_what_was_set(value: str) -> None:
    """A value that is altered is another value: quotes and blanks of Unicode are characters as all others."""
    assert value_of([f"{NAME}={value}"], NAME) == value


def test_two_values_of_a_name_are_none() -> None:
    """Which of them a browser would have meant, nobody can say; the same one twice is one."""
    assert values_of([f"{NAME}=1; {NAME}=2", f"{NAME}=1"], NAME) == ("1", "2")
    assert value_of([f"{NAME}=1; {NAME}=2"], NAME) is None
    assert value_of([f"{NAME}=1; {NAME}=1", f"{NAME}=1"], NAME) == "1"
    assert value_of(["a=b"], NAME) is None


@pytest.mark.threat(47)
@given(before=st.lists(REST, max_size=4), name=REST, value=REST, after=st.lists(REST, max_size=4))
@example(before=["t=1,"], name=f"t=1,{NAME}", value="x", after=[])
@example(before=[], name="\xa0" + NAME, value="x", after=[NAME])
def test_no_cookie_of_another_name_is_read_as_ours(before: list[str], name: str, value: str, after: list[str]) -> None:
    """Whatever somebody sets under another name, wherever it stands in the line, ours stays what it is."""
    others = [each for each in (*before, f"{name}={value}", *after) if each.partition("=")[0].strip(" \t") != NAME]
    line = "; ".join((*others[: len(before)], f"{NAME}=real", *others[len(before) :]))

    assert values_of(["; ".join(others)], NAME) == ()
    assert values_of([line], NAME) == values_of([line, *others], NAME) == ("real",)


@given(st.lists(st.tuples(st.text(), st.text()), max_size=5))
def test_every_pair_comes_back(jar: list[tuple[str, str]]) -> None:
    """A reader that lost a cookie would log somebody out."""
    kept = [
        (name, value)
        for name, value in jar
        if not {";", "="} & {*name} and ";" not in value and name == name.strip(" \t") and value == value.strip(" \t")
    ]

    assert list(pairs(["; ".join(f"{name}={value}" for name, value in kept)])) == kept


@pytest.mark.threat(4)
@pytest.mark.parametrize("unit", [";", "=", " ", "\t", "a=b;", ",", "\xa0;", f"{NAME}=x;"])
def test_a_long_line_costs_no_more_than_its_length(unit: str) -> None:
    """Trimming or splitting that is quadratic in blanks lets one client stop the daemon."""

    def calls(size: int) -> int:
        line = [unit * (size // len(unit))]
        return calls_of(lambda: value_of(line, NAME))

    assert calls(128_000) <= 2 * calls(64_000) + 100
