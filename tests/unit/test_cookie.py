"""The wire form of tokens and markers."""

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from identity.cookies import pairs
from identity.keyring import KeyRing
from identity.sessions import cookie
from identity.sessions.cookie import Names, Shown
from identity.types import Locator
from options.secret import Secret
from tests.support.counting import calls_of
from tests.support.jars import NAMES, NOW, SID, ring, tid, token
from tests.support.siblings import as_received, disguised

RING = ring()
NEWER = RING.with_key(Secret(b"2" * 32), now=NOW - 10**8)
TOKEN = token(2, 1, 9)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def show(*lines: str, ring: KeyRing = RING, not_before: int = 0) -> Shown:
    return cookie.read(lines, ring=ring, names=NAMES, not_before=not_before)


def pair(ring: KeyRing = RING) -> tuple[str, str]:
    return NAMES.of(TOKEN.id), cookie.write(TOKEN, ring=ring, now=NOW)


def test_a_token_survives_the_way_to_the_browser_and_back() -> None:
    """Everything the decision needs is in the cookie; nothing is looked up."""
    name, value = pair()

    assert show(f"{name}={value}") == Shown(tokens=(TOKEN,))


def test_a_value_is_75_bytes_and_100_characters() -> None:
    """No spare bits means one spelling per token."""
    assert len(pair()[1]) == 100


def test_every_change_of_one_character_is_refused() -> None:
    """A second spelling of a token would be a second name for the same power."""
    name, value = pair()

    for at, was in enumerate(value):
        other = next(c for c in ALPHABET if c != was)
        assert show(f"{name}={value[:at]}{other}{value[at + 1 :]}").tokens == ()


@pytest.mark.parametrize(
    "change",
    [
        str.lower,
        lambda v: v + "=",
        lambda v: " " + v[:-1],
        lambda v: v.replace("-", "+").replace("_", "/"),
        lambda v: v[:-4],
    ],
    ids=["case", "padding", "space", "other alphabet", "short"],
)
def test_only_the_canonical_spelling_of_a_value_verifies(change: object) -> None:
    """Base64 decoders forgive much; ours must not."""
    name, value = pair(RING)
    altered = change(value)  # type: ignore[operator]

    assert altered == value or show(f"{name}={altered}").tokens == ()


def test_a_good_value_under_another_name_is_junk() -> None:
    """A name that does not carry its id could be deleted for another's sake."""
    _, value = pair()

    assert show(f"{NAMES.of(tid(3))}={value}") == Shown(junk=(NAMES.of(tid(3)),))


def test_a_name_with_spare_bits_set_is_not_the_tokens_name() -> None:
    """Eleven characters hold 66 bits for an id of 64; only one spelling may count."""
    name, value = pair()
    spelling = name[:-1] + ALPHABET[ALPHABET.index(name[-1]) + 1]

    assert show(f"{spelling}={value}") == Shown(junk=(spelling,))


def test_a_name_shown_twice_is_kept_if_one_of_its_values_verifies() -> None:
    """Deleting the name because of the bad copy would delete the good one."""
    name, value = pair()

    assert show(f"{name}=broken; {name}={value}") == Shown(tokens=(TOKEN,))


@pytest.mark.parametrize("joint", ["; ", ";", ";  ", ";\t", " ; "])
def test_cookies_of_one_line_are_told_apart(joint: str) -> None:
    """Programs and proxies join cookies with more or fewer blanks than browsers."""
    name, value = pair()

    assert show(f"theme=dark{joint}{name}={value}{joint}a=b").tokens == (TOKEN,)


def test_several_cookie_lines_are_read() -> None:
    """HTTP/2 clients and some proxies send one line per cookie."""
    name, value = pair()

    assert show("a=b", f"{name}={value}", "c=d").tokens == (TOKEN,)


def test_a_token_past_any_sessions_end_is_junk_not_a_theft() -> None:
    """A browser that was closed for months must be asked to log in, not told of a thief."""
    name, value = pair()

    assert show(f"{name}={value}", not_before=NOW + 1) == Shown(junk=(name,))


def test_a_token_of_a_newer_key_is_told_apart() -> None:
    """A daemon that has not read the new key ring must wait, not log anybody out."""
    name, value = pair(NEWER)

    assert show(f"{name}={value}") == Shown(newer=(name,))
    assert show(f"{name}={value}").claimed == (TOKEN.locator,)


@pytest.mark.threat(47)
def test_only_a_few_records_are_looked_for_because_of_tokens_nobody_can_verify() -> None:
    """Otherwise anybody makes a check read hundreds of records with one header."""
    tokens = [replace(token(n, 1, 9), locator=Locator(n.to_bytes(12, "big"))) for n in range(40)]

    shown = show("; ".join(f"{NAMES.of(each.id)}={cookie.write(each, ring=NEWER, now=NOW)}" for each in tokens))

    assert (len(shown.newer), len(shown.claimed)) == (40, cookie.CLAIMS)


@pytest.mark.threat(47)
def test_several_markers_are_all_looked_at() -> None:
    """A browser that knows no `__Host-` sends a planted one beside the real one, which must not be hidden by it."""
    shown = show(f"{NAMES.marker}=planted; {NAMES.marker}=; {NAMES.marker}=real", f"{NAMES.marker}=planted")

    assert shown.markers == ("planted", "real")
    assert len(show(*(f"{NAMES.marker}={n}" for n in range(40))).markers) == cookie.MARKERS


FOREIGN = st.tuples(st.text(max_size=200), st.integers(0, 3))


@pytest.mark.threat(47)
@given(planted=st.lists(FOREIGN, max_size=6), own=st.booleans(), several=st.booleans())
@example(planted=[(line, 0) for line in disguised(*pair()).values()], own=False, several=False)
@example(planted=[(as_received(line), 1) for line in disguised(*pair()).values()], own=True, several=True)
def test_no_foreign_cookie_changes_what_was_shown(*, planted: list[tuple[str, int]], own: bool, several: bool) -> None:
    """Whatever its name and value, wherever it stands and in which line: the session, the marker and the junk stay."""
    ours = ["=".join(pair()), f"{NAMES.marker}=m", f"{NAMES.token}junk=x"] if own else []
    foreign = [(text, at) for text, at in planted if not any(is_ours(name) for name, _ in pairs([text]))]
    mixed = list(ours)
    for text, at in foreign:
        mixed.insert(at, text)

    lines = mixed if several else ["; ".join(mixed)]
    assert show(*lines) == show(*ours)
    assert show(*lines).claimed == ()


def is_ours(name: str) -> bool:
    return name.startswith(NAMES.token) or name == NAMES.marker


def test_a_token_of_a_pruned_key_is_junk() -> None:
    """Keys are pruned only after every token they signed is past its end."""
    name, value = pair()
    pruned = KeyRing(NEWER.keys[1:], Secret(b"l" * 32))

    assert show(f"{name}={value}", ring=pruned) == Shown(junk=(name,))


def test_a_forged_token_is_refused() -> None:
    """Without the key nobody can make a token, whatever else is right."""
    name, _ = pair()

    assert show(f"{name}={cookie.write(TOKEN, ring=ring(9), now=NOW)}").tokens == ()


def test_over_plain_http_the_port_is_in_the_name() -> None:
    """Cookies ignore ports: two daemons on one localhost must not delete each other's tokens."""
    assert Names(secure=False, port=8887).token == "idd8887-"
    assert Names(secure=True, port=443).token == "__Host-idd-"


@given(st.lists(st.text(max_size=300), max_size=5))
def test_no_cookie_header_is_an_error(lines: list[str]) -> None:
    """Browsers and other programs on the host send anything; a login page must still appear."""
    assert show(*lines).tokens == ()


@given(st.text(alphabet=ALPHABET, min_size=100, max_size=100))
def test_random_values_of_the_right_form_do_not_verify(value: str) -> None:
    """The keyed hash is what stands between a guess and a session."""
    assert show(f"{NAMES.of(TOKEN.id)}={value}").tokens == ()


@pytest.mark.threat(4)
def test_a_64_kilobyte_cookie_header_is_read_in_linear_time() -> None:
    """A parser that is quadratic in the header lets one client stop the daemon (CVE-2024-52804)."""

    def calls(size: int) -> int:
        line = f"{NAMES.token}x=;" * (size // 14)
        return calls_of(lambda: show(line))

    assert calls(128_000) <= 2 * calls(64_000) + 100


def test_a_marker_fits_exactly_the_set_it_was_made_for() -> None:
    """A marker bound to less than the whole set ends honest sessions when clocks differ."""
    ids = [tid(3), tid(1)]
    marker = cookie.write_marker(SID, ids, ring=RING, now=NOW)

    assert cookie.marker_fits(marker, SID, [tid(1), tid(3)], ring=RING)
    assert not cookie.marker_fits(marker, SID, [tid(1)], ring=RING)
    assert not cookie.marker_fits(marker, SID, [tid(1), tid(3), tid(4)], ring=RING)
    assert not cookie.marker_fits(marker, replace(token(1, 1, 1), session=b"x" * 16).session, ids, ring=RING)  # type: ignore[arg-type]


@given(st.text(max_size=30))
def test_a_broken_marker_fits_nothing(value: str) -> None:
    """Whoever plants a marker must not be able to end a session with it."""
    assert not cookie.marker_fits(value, SID, [tid(1)], ring=RING)


def test_a_marker_of_a_newer_key_is_told_apart() -> None:
    """A daemon with the older ring must answer that it does not know yet."""
    marker = cookie.write_marker(SID, [tid(1)], ring=NEWER, now=NOW)

    assert cookie.marker_is_newer(marker, ring=RING)
    assert not cookie.marker_is_newer(marker, ring=NEWER)
    assert not cookie.marker_is_newer("nonsense", ring=RING)


def test_a_flag_fits_the_set_and_the_minutes_it_was_made_for() -> None:
    """Addresses are kept and shared with their flags; only a follower's own may count."""
    flag = cookie.write_flag([tid(1), tid(2)], ring=RING, now=NOW)

    def fits(*numbers: int, later_ms: int = 0, ring: KeyRing = RING, value: str = flag) -> bool:
        return cookie.flag_fits(value, [tid(n) for n in numbers], ring=ring, now=NOW + later_ms)

    assert fits(2, 1)
    assert fits(1, 2, later_ms=100_000)
    assert fits(1, 2, later_ms=-100_000)
    assert fits(1, 2, ring=NEWER)
    assert not fits(1)
    assert not fits(1, 2, 3)
    assert not fits()
    assert not fits(1, 2, later_ms=cookie.FLAG_MS)
    assert not fits(1, 2, later_ms=-cookie.FLAG_MS)
    assert not fits(1, 2, ring=ring(2))


@pytest.mark.parametrize("value", ["", "1", "x" * 20, "A" * 20, "=" * 20, "\xe9" * 20, "A" * 24])
def test_what_is_no_flag_of_ours_never_fits(value: str) -> None:
    """Anybody can write an address, and older releases wrote `1`."""
    assert not cookie.flag_fits(value, [tid(1)], ring=RING, now=NOW)


def test_a_marker_is_no_flag_and_a_flag_no_marker() -> None:
    """Otherwise what one of them proves could be had from the other."""
    flag = cookie.write_flag([tid(1)], ring=RING, now=NOW)
    marker = cookie.write_marker(SID, [tid(1)], ring=RING, now=NOW)

    assert not cookie.flag_fits(marker, [tid(1)], ring=RING, now=NOW)
    assert not cookie.marker_fits(flag, SID, [tid(1)], ring=RING)
