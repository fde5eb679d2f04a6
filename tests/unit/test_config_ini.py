"""The syntax of the configuration file: read literally, to its end, with every line at fault."""

from hypothesis import given
from hypothesis import strategies as st

from identity.config import ini


def values(text: str) -> dict[str, dict[str, str]]:
    """Read text that has no problem."""
    sections, problems = ini.read(text)
    assert problems == ()
    return {section.name: section.values for section in sections}


def test_sections_options_and_comments_are_told_apart() -> None:
    """The everyday case: a file like the example."""
    assert values("# c\n[a]\nx = 1\n; y = 2\n[b]\n\nz=3\n") == {"a": {"x": "1"}, "b": {"z": "3"}}


def test_a_value_keeps_percent_hash_and_equals_signs() -> None:
    """A secret with such a character would be cut or expanded, and nobody could log in with it."""
    assert values("[a]\ns = 50%(x)s # ; = end\n") == {"a": {"s": "50%(x)s # ; = end"}}


def test_an_indented_line_continues_the_value_before_it() -> None:
    """Lists of proxies and nodes are long."""
    assert values("[a]\nnodes =\n  one=h:1\n  # not this\n\ttwo=h:2\nb = 1\n")["a"] == {
        "nodes": "one=h:1\ntwo=h:2",
        "b": "1",
    }


def test_windows_line_ends_and_a_byte_order_mark_do_not_matter() -> None:
    """A file saved on another system must not fail in its first line."""
    assert values("\ufeff[a]\r\nx = 1\r\n") == {"a": {"x": "1"}}


def test_default_is_a_section_like_any_other() -> None:
    """Options that spread into all sections by themselves would configure things nobody wrote."""
    assert values("[DEFAULT]\nx = 1\n[a]\n") == {"DEFAULT": {"x": "1"}, "a": {}}


def test_every_line_at_fault_is_reported_with_its_number_and_without_its_content() -> None:
    """Repairing one line per start is tedious, and a broken line may be a secret."""
    text = "hidden\n[a]\nhidden2\nx = 1\nx = 2\n[a]\n[b\nhidden3 = 1\n= hidden4\nn = \x01\n"
    _, problems = ini.read(text)
    assert [problem.partition(": ")[0] for problem in problems] == [
        "[file] line 1",
        "[a] line 3",
        "[a] line 5",
        "[a] line 6",
        "[file] line 7",
        "[file] line 9",
        "[file] line 10",
    ]
    assert "hidden" not in "".join(problems)


def test_lines_after_an_unreadable_header_belong_to_no_section() -> None:
    """Otherwise an application's secret could become the one of the section above."""
    sections, problems = ini.read("[a]\nx = 1\n[b\nx = 2\ny = 3\n")
    assert [section.values for section in sections] == [{"x": "1"}]
    assert len(problems) == 1


@given(
    st.dictionaries(
        st.from_regex(r"[a-z_]{1,8}", fullmatch=True), st.from_regex(r"[!-~]([ -~]{0,20}[!-~])?", fullmatch=True)
    )
)
def test_what_is_written_is_read_back(options: dict[str, str]) -> None:
    """Every printable value survives."""
    text = "[s]\n" + "".join(f"{name} = {value}\n" for name, value in options.items())
    assert values(text)["s"] == options
