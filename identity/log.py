"""The log: one line per event, for machines as JSON, for a terminal as text, never with a secret.

Owns how records look, the request id every line of a request carries, and the last line of
defence against secrets. The first line is that nothing secret is ever given to a logger; what is
blotted out here is a mistake elsewhere that must not become a breach.

    log = logging.getLogger("identity.web")
    log.info("node answers again", extra={"node": "one"})

    {"time": "2027-01-15T08:00:00.000Z", "level": "info", "logger": "identity.web",
     "message": "node answers again", "request_id": "5f1c…", "node": "one"}

A line is one line whatever its values hold: an attacker cannot write a second one by logging in with
a name that contains a line end.

Libraries are heard from `warning` on, whatever level the operator sets: below it they write what
they are doing, and for an HTTP client that is whole addresses, queries and headers included.
"""

import json
import logging
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final, TextIO
from urllib.parse import quote

from options.secret import Secret

_request_id: ContextVar[str] = ContextVar("request_id", default="")
_given_id: ContextVar[str] = ContextVar("given_request_id", default="")

HIDDEN: Final = "***"
_SHORTEST_LITERAL: Final = 6
_NO_WORD: Final = 64
_STANDARD: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "color_message"}
_OURS: Final = frozenset({"identity", "providers"})
"""Roots of the loggers whose lines below `warning` are written."""
_BARE: Final = re.compile(r"[!#-<>-~]+")
"""Printable ASCII without space, quote and equals sign: needs no quotes in a text line."""

_NAMES: Final = (
    "code|state|nonce|code_verifier|id_token|access_token|refresh_token|token|client_secret|secret|password|"
    "assertion|client_assertion|oauth_token|oauth_token_secret|oauth_verifier|csrf|signature"
)
_PATTERNS: Final = (
    # The query of any address: the library that logs it does not know that a code or a state is in it.
    (re.compile(r"(?i)\b(https?://[^\s?#\"'<>]*)\?[^\s\"'<>]+"), rf"\1?{HIDDEN}"),
    # Whole header values: everything up to the end of the line.
    (re.compile(r"(?i)\b((?:proxy-)?authorization|(?:set-)?cookie)(['\"]?\s*[:=]\s*)[^\r\n]+"), rf"\1\2{HIDDEN}"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"), rf"\1 {HIDDEN}"),
    # Our cookies by name, wherever they stand.
    (re.compile(r"((?:__Host-)?idd[a-z]{0,2}[0-9]{0,5}(?:-[A-Za-z0-9_-]*)?)=[^;,\s\"']+"), rf"\1={HIDDEN}"),
    # Parameters of queries and forms, and members of JSON.
    (re.compile(rf"(?i)\b({_NAMES})=(?:\"[^\"]*\"|'[^']*'|[^&\s\"'<>;,)]+)"), rf"\1={HIDDEN}"),
    (re.compile(rf"(?i)([\"'](?:{_NAMES})[\"']\s*:\s*)(?:\"[^\"]*\"|'[^']*'|[^\s,}}\]]+)"), rf'\1"{HIDDEN}"'),
    (re.compile(r"\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?"), HIDDEN),
)
_HARMLESS: Final = re.compile(r"[0-9A-Fa-f.:]{0,42}|[A-Za-z0-9_/-]{0,42}")
"""Ids, addresses and single words, as most values of a line are: none of the patterns finds anything in them."""
_OPAQUE: Final = re.compile(r"(?<![A-Za-z0-9_+-])[A-Za-z0-9_+-]{43,}={0,2}")
"""As long as 32 random bytes: session tokens (100 characters), states, verifiers, most access tokens."""


class Redactor:
    """Blots out what looks like a secret, and the configured secrets whatever they look like.

    Args:
        secrets: those of the configuration.
    """

    __slots__ = ("_literals",)

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        texts = {text for secret in secrets if len(text := secret.text()) >= _SHORTEST_LITERAL}
        texts |= {quote(text, safe="") for text in texts}
        longest_first = sorted(texts, key=len, reverse=True)
        self._literals = re.compile("|".join(map(re.escape, longest_first))) if texts else None

    def __call__(self, text: str) -> str:
        """Return the text without secrets, in time linear in its length."""
        if self._literals:
            text = self._literals.sub(HIDDEN, text)
        if _HARMLESS.fullmatch(text):
            return text
        for pattern, instead in _PATTERNS:
            text = pattern.sub(instead, text)
        return _OPAQUE.sub(_opaque, text)


def _opaque(match: re.Match[str]) -> str:
    """Blot out what is very long or mixes digits and letters; a long word with dashes stays readable."""
    text = match[0]
    mixed = any(c.isdigit() for c in text) and any(c.isalpha() for c in text)
    return HIDDEN if mixed or len(text) >= _NO_WORD else text


class _Formatter(logging.Formatter):
    """What both forms share: the fields of a record, redacted."""

    def __init__(self, redact: Redactor) -> None:
        super().__init__()
        self._redact = redact

    def fields(self, record: logging.LogRecord) -> dict[str, Any]:
        """Return the values given as `extra`, and the request's ids, its own and the one it came with."""
        given = {name: value for name, value in record.__dict__.items() if name not in _STANDARD}
        request_id = given.pop("request_id", "") or _request_id.get()
        came_with = _given_id.get()
        return {
            **({"request_id": self._clean(request_id)} if request_id else {}),
            **({"given_request_id": self._clean(came_with)} if came_with else {}),
            **{name: self._clean(value) for name, value in given.items()},
        }

    def text(self, record: logging.LogRecord) -> str:
        """Return the record's message. A message whose arguments do not fit is still logged."""
        try:
            message = record.getMessage()
        except (TypeError, ValueError):
            message = f"{record.msg} (its arguments do not fit it)"
        return self._redact(message)

    def trouble(self, record: logging.LogRecord) -> str:
        """Return the traceback; empty if there is none."""
        return self._redact(self.formatException(record.exc_info)) if record.exc_info else ""

    def _clean(self, value: object) -> str | int | float | bool | None:
        if value is None or isinstance(value, (int, float)):
            return value
        return self._redact(str(value))


class JsonFormatter(_Formatter):
    """One JSON object per line, in ASCII. Fields never replace time, level, logger or message."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        fields = self.fields(record)
        line = {
            "time": _time(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self.text(record),
        }
        line |= {(f"{name}_" if name in line else name): value for name, value in fields.items()}
        if error := self.trouble(record):
            line["error"] = error
        return json.dumps(line)


class TextFormatter(_Formatter):
    """A line for a person at a terminal: time, level, logger, message, name=value."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and the traceback below it."""
        fields = "".join(f" {name}={_shown(value)}" for name, value in self.fields(record).items())
        head = (
            f"{_time(record.created)[11:23]} {record.levelname:<7} {record.name}: {_visible(self.text(record))}{fields}"
        )
        return "\n".join([head, *(f"    {_visible(line)}" for line in self.trouble(record).splitlines())])


def configure(
    *,
    level: str = "info",
    form: str = "auto",
    secrets: Iterable[Secret] = (),
    stream: TextIO | None = None,
    only: str = "",
) -> None:
    """Send all log records of the process to one stream (standard error by default).

    Args:
        level: debug, info, warning or error.
        form: json, text, or auto (text on a terminal).
        secrets: blotted out wherever they appear.
        stream: where to.
        only: keeps everything but this logger, and those below it, out.
    """
    out = stream or sys.stderr
    redact = Redactor(secrets)
    handler = logging.StreamHandler(out)
    handler.addFilter(logging.Filter(only))
    handler.addFilter(_is_heard)
    as_text = form == "text" or (form == "auto" and out.isatty())
    handler.setFormatter(TextFormatter(redact) if as_text else JsonFormatter(redact))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    chosen = logging.getLevelNamesMapping()[level.upper()]
    # A library that asks whether it is heard does not even put its line together.
    root.setLevel(max(chosen, logging.WARNING))
    for name in _OURS:
        logging.getLogger(name).setLevel(chosen)
    logging.captureWarnings(capture=True)
    # What could not be written must not be printed with its arguments instead.
    logging.raiseExceptions = False


def _is_heard(record: logging.LogRecord) -> bool:
    """Tell whether a line is ours, or loud enough; a library may have given its logger a level of its own."""
    return record.levelno >= logging.WARNING or record.name.partition(".")[0] in _OURS


@contextmanager
def request(request_id: str, *, given: str = "") -> Iterator[None]:
    """Give every line logged inside (in this task, and in threads that copy its context) the request's ids.

    `given` is what the sender calls the request: information, never what it is found by.
    """
    own, came_with = _request_id.set(request_id), _given_id.set(given)
    try:
        yield
    finally:
        _request_id.reset(own)
        _given_id.reset(came_with)


def current_request() -> str:
    """Return the id of the request being served; empty outside one."""
    return _request_id.get()


def given_request() -> str:
    """Return what the sender calls the request being served; empty outside one, or if the sender did not say."""
    return _given_id.get()


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _shown(value: object) -> str:
    text = str(value)
    return text if _BARE.fullmatch(text) else json.dumps(text)


def _visible(text: str) -> str:
    """Escape what could end the line or move a terminal's cursor."""
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
