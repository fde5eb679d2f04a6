"""Log lines: one line each, with the request's id, without secrets."""

import base64
import io
import json
import logging
from collections.abc import Iterator
from contextvars import copy_context
from threading import Thread
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity import log
from options.secret import Secret

CANARY = "cNrY7f3a91c2e5"
PLANTED = f"correct horse {CANARY}/+ battery"
logger = logging.getLogger("identity.test")


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    """Send the log to a text that can be read, and leave the process's log as it was."""
    root = logging.getLogger()
    ours = [logging.getLogger(name) for name in ("identity", "providers")]
    levels = [each.level for each in ours]
    before = (root.handlers[:], root.level, logging.raiseExceptions)
    stream = io.StringIO()
    log.configure(level="debug", form="json", stream=stream, secrets=[Secret(PLANTED)])
    yield stream
    logging.captureWarnings(capture=False)
    root.handlers[:], root.level, logging.raiseExceptions = before
    for each, level in zip(ours, levels, strict=True):
        each.setLevel(level)


def line(out: io.StringIO) -> dict[str, object]:
    """Return the one line logged."""
    (text,) = out.getvalue().splitlines()
    read: dict[str, object] = json.loads(text)
    return read


def test_a_line_is_one_json_object_with_its_fields(out: io.StringIO) -> None:
    """Whatever collects the log reads it without guessing."""
    logger.info("node %s answers", "one", extra={"node": "one", "tries": 2, "ok": True, "of": None})
    read = line(out)
    assert str(read.pop("time")).endswith("Z")
    assert read == {
        "level": "info",
        "logger": "identity.test",
        "message": "node one answers",
        "node": "one",
        "tries": 2,
        "ok": True,
        "of": None,
    }


def test_a_field_never_replaces_what_every_line_has(out: io.StringIO) -> None:
    """A fact called `level` would hide an error from the alarm."""
    logger.info("x", extra={"level": "debug", "time": "never"})
    read = line(out)
    assert (read["level"], read["level_"], read["time_"]) == ("info", "debug", "never")


def test_lines_of_a_request_carry_its_id(out: io.StringIO) -> None:
    """Support finds all lines of a request from the id on the error page."""
    with log.request("abc123"):
        logger.info("inside")
        assert log.current_request() == "abc123"
        thread = Thread(target=copy_context().run, args=(logger.info, "on a thread"))
        thread.start()
        thread.join()
    logger.info("outside")
    ids = [json.loads(text).get("request_id") for text in out.getvalue().splitlines()]
    assert ids == ["abc123", "abc123", None]


def test_a_record_may_name_its_request_itself(out: io.StringIO) -> None:
    """Audit events are about a request that may be over."""
    with log.request("later"):
        logger.info("x", extra={"request_id": "earlier"})
    assert line(out)["request_id"] == "earlier"


@pytest.mark.parametrize(
    "text",
    [
        f"GET /login/github/callback?code={CANARY}&state=x",
        f"GET /cb?x=1&state={CANARY}",
        f"code_verifier={CANARY}",
        f"client_secret={CANARY}",
        f'{{"access_token": "{CANARY}", "scope": "x"}}',
        f"{{'refresh_token': '{CANARY}'}}",
        f'{{"id_token":"{CANARY}"}}',
        f"Authorization: Bearer {CANARY}",
        f"authorization=Basic {CANARY}==",
        f"Basic {CANARY}==",
        f"Cookie: a=b; other={CANARY}",
        f"Set-Cookie: x={CANARY}; Path=/",
        f"__Host-idd-AbC={CANARY}",
        f"__Host-iddf-12345678={CANARY}; x",
        f"idd8887-AbC={CANARY}",
        f"iddu8887-12345678={CANARY}",
        f"eyJhbGciOiJub25lIn0.{CANARY}.{CANARY}",
        f"token {CANARY}{'aB3-' * 10} seen",
        PLANTED,
        f"https://x/?p={PLANTED}",
        "p=correct%20horse%20" + CANARY + "%2F%2B%20battery",
    ],
)
def test_no_secret_reaches_the_log_by_mistake(out: io.StringIO, text: str) -> None:
    """The last line of defence: in the message, its arguments, a field, an exception."""
    logger.info("said %s", text)
    logger.info(text, extra={"given": text})
    logger.info("failed", exc_info=ValueError(text))
    assert out.getvalue().count("\n") == 3
    assert CANARY not in out.getvalue()


@given(st.binary(min_size=75, max_size=75))
def test_no_session_token_survives(value: bytes) -> None:
    """A token in a log is a session for whoever reads the log."""
    token = base64.urlsafe_b64encode(value).decode()
    for text in (token, f"value {token}, more", f'"{token}"', f"x={token};"):
        assert token not in log.Redactor()(text)


@pytest.mark.parametrize(
    "text",
    [
        "[app:wiki] secret: is empty; nobody may be let in by an empty secret",
        "GET /login/github/callback: flow-invalid",
        "account 5e2f9c3a-7b1d-4c8e-9f00-1a2b3c4d5e6f signed in, request 5f1c0a9be2d34c77a1b2c3d4",
        "status_code=500 error_code=x",
        "the-account-store-is-not-available-because-it-is-away",
        "key ring read again: 3 keys, number 3 signs from 12:00:00",
    ],
)
def test_what_is_no_secret_stays_readable(text: str) -> None:
    """A log that hides everything is switched off by the first operator who needs it."""
    assert log.Redactor()(text) == text


def test_a_secret_object_shows_nothing(out: io.StringIO) -> None:
    """Even one that was given to the logger by mistake."""
    logger.info("got %s", Secret(CANARY), extra={"secret_": Secret(CANARY)})
    assert CANARY not in out.getvalue()


def test_a_value_cannot_start_a_line_of_its_own(out: io.StringIO) -> None:
    """Whoever names himself with a line end could write audit lines."""
    logger.info("hello %s", "x\n{}\r", extra={"name_": "a\nb"})
    assert out.getvalue().count("\n") == 1


def test_only_what_is_wanted_is_shown(out: io.StringIO) -> None:
    """A command's answer must not drown in what a driver says about the same thing."""
    log.configure(form="text", stream=out, only="identity")
    logging.getLogger("cassandra.cluster").info("no host")
    logger.info("ours")
    assert out.getvalue().endswith("identity.test: ours\n")
    assert "no host" not in out.getvalue()


def test_the_text_form_is_one_readable_line(out: io.StringIO) -> None:
    """For a person at a terminal; control characters must not reach it."""
    log.configure(form="text", stream=out)
    with log.request("abc"):
        logger.info("odd %s", "\x1b[31m\nx", extra={"node": "one", "why": 'a "b" c'})
    text = out.getvalue()
    assert text.endswith(' INFO    identity.test: odd \\x1b[31m\\nx request_id=abc node=one why="a \\"b\\" c"\n')


def test_the_text_form_shows_a_traceback_indented(out: io.StringIO) -> None:
    """Without it an unexpected error cannot be found; indented, it cannot pass as a line."""
    log.configure(form="text", stream=out)
    logger.info("failed", exc_info=RuntimeError("boom\nforged"))
    first, *rest = out.getvalue().splitlines()
    assert "failed" in first
    assert rest
    assert all(text.startswith("    ") for text in rest)


def test_auto_is_json_where_nobody_watches_and_text_on_a_terminal(
    out: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service manager collects JSON; a person at the terminal reads."""
    log.configure(form="auto", stream=out)
    logger.info("x")
    assert line(out)["message"] == "x"
    monkeypatch.setattr(out, "isatty", lambda: True)
    log.configure(form="auto", stream=out)
    logger.info("y")
    assert out.getvalue().splitlines()[1].endswith("identity.test: y")


LIBRARIES: Final = (
    *(
        "httpx2",
        "httpx",
        "httpcore2.http11",
        "httpcore2.connection",
        "httpcore2.proxy",
        "asyncio",
        "urllib3.connectionpool",
    ),
    *("anyio", "tornado.access", "tornado.general", "cassandra.cluster", "pymemcache", "authlib.oauth2", "concurrent"),
    *("hpack", "h11", "requests", "uvloop", "jinja2", "one.nobody.knows.yet"),
)
ADDRESS: Final = f"https://id.example/token?login_hint={CANARY}"


@pytest.mark.parametrize("name", LIBRARIES)
@pytest.mark.parametrize("own", [logging.NOTSET, logging.DEBUG])
def test_no_library_tells_what_it_is_doing(out: io.StringIO, name: str, own: int) -> None:
    """Whole addresses with their queries are in an HTTP client's lines, and an operator may set `debug`."""
    library = logging.getLogger(name)
    library.setLevel(own)
    try:
        library.debug("connecting to %s", ADDRESS)
        library.info('HTTP Request: GET %s "HTTP/1.1 200 OK"', ADDRESS)
        logging.getLogger("identity.test").debug("ours")
    finally:
        library.setLevel(logging.NOTSET)
    assert line(out)["message"] == "ours"


def test_no_logger_this_process_has_tells_what_it_is_doing(out: io.StringIO) -> None:
    """The list above is what came to mind; this is what was imported."""
    import tornado.web  # noqa: F401, PLC0415

    for name in sorted(logging.root.manager.loggerDict):
        if name.partition(".")[0] not in {"identity", "providers", "identityd"}:
            logging.getLogger(name).info("HTTP Request: GET %s", ADDRESS)
    assert out.getvalue() == ""


def test_a_library_in_trouble_is_heard_without_the_query_of_an_address(out: io.StringIO) -> None:
    """What it warns of is worth hearing, and the rest of an address may hold what logs somebody in."""
    logging.captureWarnings(capture=False)
    record = logging.LogRecord("urllib3", logging.WARNING, "f", 1, "retrying %s now", (ADDRESS,), None)
    logging.getLogger().handlers[0].handle(record)
    assert line(out)["message"] == "retrying https://id.example/token?*** now"


def test_lines_below_the_level_are_left_out(out: io.StringIO) -> None:
    """`[server] log_level` means what it says."""
    log.configure(level="error", form="json", stream=out)
    logger.info("x")
    assert out.getvalue() == ""


def test_arguments_that_do_not_fit_lose_no_line(out: io.StringIO) -> None:
    """A mistake in a log call must not swallow what it had to say, nor print to standard error."""
    logger.info("%d apples", "no")
    assert line(out)["message"] == "%d apples (its arguments do not fit it)"


@given(st.text(max_size=300))
def test_any_text_makes_one_line(text: str) -> None:
    """Whatever people and providers send."""
    record = logging.LogRecord("n", logging.INFO, "f", 1, "%s", (text,), None)
    record.given = text
    redact = log.Redactor()
    assert json.loads(log.JsonFormatter(redact).format(record))["level"] == "info"
    assert len(log.TextFormatter(redact).format(record).splitlines()) == 1


@given(st.from_regex(log._HARMLESS, fullmatch=True))
def test_what_is_not_searched_holds_nothing_to_find(text: str) -> None:
    """Otherwise the short way around the search for secrets is a way into the log."""
    assert not any(pattern.search(text) for pattern, _ in log._PATTERNS)
    assert not log._OPAQUE.search(text)


def test_a_configured_secret_is_found_although_it_is_a_plain_word() -> None:
    """Otherwise the password of an operator who chose a word is in the log."""
    assert log.Redactor([Secret("correct-horse")])("correct-horse") == log.HIDDEN
