"""What an upstream sent, read with suspicion: nothing leaves here that has not been checked or cut.

Pure. Owns the reading of JSON and forms, the cleaning of what is shown to people, and the words of
an upstream that may enter a log. Never puts an upstream's text into an exception, except single
words of a harmless alphabet: answers hold tokens, and error texts hold whatever a stranger wrote.

Two rules hold for every document, so that nothing decides which is not used:

- `null` and empty text are absent (`given`). RFC 6749 §3.1 has the second, providers do the first.
- A name that appears twice has no value: parsers disagree about which of the two counts. It is
  `REPEATED`, which is no text, number, list or object, so a reader that needs it refuses it, and one
  that does not never sees it.
"""

import codecs
import hmac
import json
import re
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Mapping
from typing import Final, NoReturn
from urllib.parse import parse_qsl

from joserfc.util import urlsafe_b64decode

from providers.addresses import BadAddress, check_url
from providers.base import ProviderBroken, plain

LONGEST_SUBJECT: Final = 255
_LONGEST_TEXT: Final = 200
_LONGEST_EMAIL: Final = 254
_WORD: Final = re.compile(r"[A-Za-z0-9_.:/+~-]{1,64}")
_DIGITS: Final = re.compile(r"[1-9][0-9]{0,31}")
_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,16384}")
_SCOPE: Final = re.compile(r"[\x20-\x7e]{1,2000}")
_FEW_DIGITS: Final = re.compile(r"[0-9]{1,12}")
_LONGEST_LIFE_S: Final = 10 * 366 * 86_400
_LAST_SECOND: Final = 2**53
_MOST_FIELDS: Final = 1_000


class _Repeated:
    """The value of a name that appears twice."""

    def __repr__(self) -> str:
        return "(repeated)"


REPEATED: Final = _Repeated()


def json_object(body: bytes, what: str) -> dict[str, object]:
    """Read a JSON object in UTF-8. Raises ProviderBroken."""
    value = json_value(body, what)
    if not isinstance(value, dict):
        raise ProviderBroken(f"{what} is not a JSON object")
    return value


def json_value(body: bytes, what: str) -> object:
    """Read any JSON value in UTF-8. Raises ProviderBroken."""
    try:
        # RFC 8259 §8.1: a byte order mark may be ignored, and some servers send one.
        value: object = json.loads(body.decode("utf-8-sig"), object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        # `from None`: a decoder's message may quote what it was reading.
        raise ProviderBroken(f"{what} is not JSON as RFC 8259 has it ({type(error).__name__})") from None
    return value


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    names = dict(pairs)
    if len(names) != len(pairs):
        names |= {name: REPEATED for name, times in Counter(name for name, _ in pairs).items() if times > 1}
    return names


def _no_constant(_: str) -> NoReturn:
    raise ValueError("not a number in JSON")


def fields(body: bytes, what: str) -> dict[str, object]:
    """Read a JSON object, or a form for the token endpoints that answer in one. Raises ProviderBroken."""
    if body.removeprefix(codecs.BOM_UTF8).lstrip()[:1] == b"{":
        return json_object(body, what)
    try:
        text = body.decode("ascii").strip()
        # What cannot be decoded becomes a mark that no code and no token may hold.
        return _once([*parse_qsl(text, strict_parsing=True, max_num_fields=_MOST_FIELDS, errors="replace")])
    except ValueError:
        raise ProviderBroken(f"{what} is neither JSON nor a form") from None


def given(value: object) -> bool:
    """Tell whether a member says anything; null and empty text are the same as leaving it out."""
    return value is not None and value != ""


def find(value: object, path: str) -> object:
    """Follow a dotted path through objects; None if it leads nowhere."""
    for step in path.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def word(value: object) -> str:
    """Return a single word for the log, or a placeholder."""
    return value if isinstance(value, str) and _WORD.fullmatch(value) else "(unreadable)"


def token(value: object, what: str) -> str:
    """Return a token or code as it was sent: printable ASCII without spaces. Raises ProviderBroken."""
    if not given(value):
        raise ProviderBroken(f"{what} is missing")
    if not isinstance(value, str) or not _TOKEN.fullmatch(value):
        raise ProviderBroken(f"{what} is not a token")
    return value


def subject(value: object) -> str:
    """Return a subject unchanged: it is compared as bytes, so it is refused rather than repaired.

    Raises ProviderBroken.
    """
    if not isinstance(value, str) or not value:
        raise ProviderBroken("the subject is missing or not text")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise ProviderBroken("the subject is not Unicode") from None
    if size > LONGEST_SUBJECT:
        raise ProviderBroken(f"the subject is longer than {LONGEST_SUBJECT} bytes")
    return value


def numeric_subject(value: object) -> str:
    """Return the subject of a provider whose ids are whole numbers. Raises ProviderBroken."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**64:
        raise ProviderBroken("the id is missing or not a whole number")
    return str(value)


def digits_subject(value: object) -> str:
    """Return the subject of a service that writes whole numbers as text; as numbers they are the same ids.

    Raises ProviderBroken.
    """
    return value if isinstance(value, str) and _DIGITS.fullmatch(value) else numeric_subject(value)


def base64url(text: str, what: str) -> bytes:
    """Decode base64url without padding (RFC 7515 §2), in its one canonical spelling. Raises ProviderBroken."""
    try:
        return urlsafe_b64decode(text.encode("ascii"))
    except ValueError:
        raise ProviderBroken(f"{what} is not base64url") from None


def to_base64url(raw: bytes) -> str:
    """Encode as base64url without padding."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def shown(value: object) -> str:
    """Return text for people, without control and format characters, cut to a length; empty if there is none."""
    return plain(value, _LONGEST_TEXT) if isinstance(value, str) else ""


def email(value: object) -> str:
    """Return an address of one `@` without spaces, or nothing; it is information, never a key."""
    if not isinstance(value, str) or len(value) > _LONGEST_EMAIL or not value.isprintable() or " " in value:
        return ""
    local, mark, domain = value.partition("@")
    return value if local and mark and domain and "@" not in domain else ""


def truth(value: object) -> bool:
    """Tell whether a claim says yes: `true`, or the text `true` as some providers write it; nothing else."""
    return value is True or value == "true"


def address(value: object) -> str:
    """Return an https address that a page may link to, or nothing."""
    if not isinstance(value, str):
        return ""
    try:
        parts = check_url(value)
    except BadAddress:
        return ""
    return value if parts.scheme == "https" else ""


def lifetime(value: object) -> int | None:
    """Return a positive number of whole seconds (`expires_in`, RFC 6749 §5.1), or None: nothing usable is said.

    Text of digits is what some write. Zero and less mean "for ever" at some services and nothing at
    others; more than ten years is a moment, not a duration, that stands in the wrong place.
    """
    if isinstance(value, str):
        value = int(value) if _FEW_DIGITS.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= _LONGEST_LIFE_S:
        return None
    return int(value)


def optional_token(value: object) -> str:
    """Return a token as it was sent; empty if there is none, or what is there is none."""
    return value if isinstance(value, str) and _TOKEN.fullmatch(value) else ""


def scope(value: object) -> str:
    """Return a scope as it was sent: printable ASCII (RFC 6749 §3.3); empty if there is none."""
    return value if isinstance(value, str) and _SCOPE.fullmatch(value) else ""


def seconds(value: object) -> int | None:
    """Return a NumericDate (RFC 7519 §2) in whole seconds, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 <= value <= _LAST_SECOND else None


def same(one: str, other: str) -> bool:
    """Compare what was brought with what was given, in constant time."""
    return hmac.compare_digest(one.encode(errors="replace"), other.encode(errors="replace"))
