"""Asking identityd from Python: standard library only, Python 3.9 or later; a file to copy.

    client = Client("http://127.0.0.1:8888", "wiki", secret)
    verdict = client.check("https://wiki.example.com/page", [cookie_header], navigation=True)

`Client` asks the internal listener and returns one frozen `Verdict`; docs/clients.md says what to do with
it, and identityd_guard.py does it for WSGI and ASGI. Invariants: no request is sent twice; an answer that
is not exactly as documented is "retry" (503), never a login and never a pass; no secret is in a repr.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import logging
import os
import re
import secrets
import selectors
import socket
import ssl
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.parse import urlencode, urlsplit

__all__ = ["Client", "Listener", "Refused", "Unreachable", "User", "Verdict", "begin"]

log = logging.getLogger("identityd_client")
ANSWER_BYTES = 1 << 20
"""No answer is longer; what is longer is not identityd's."""
IDLE_S = 30
"""How long a connection may wait for its next use; identityd closes it after 75 seconds."""
CONNECTIONS = 32
"""How many wait at most."""
_LINE = r"[\x20-\x7e]+"
_SAID = r"[^\x00-\x1f\x7f]+"
_STATUS = {"ok": 200, "login": 200, "bounce": 200, "forbidden": 403, "retry": 503}
_COOKIES = 4


@dataclass(frozen=True)
class User:
    """Somebody who is logged in. `id` never changes, `name` may; times are in Unix seconds.

    What the application is not told (`tell` in identityd.ini; `user` and `id` are needed) or is not known is None.
    `display_name` and `email` are what a provider said: know nobody by them.
    """

    id: str
    name: str
    session: str
    auth_time: int
    idle_ends_at: int
    absolute_ends_at: int
    display_name: str | None = None
    email: str | None = None
    email_verified: bool = False
    groups: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Verdict:
    """What identityd says of one request. `kind` tells what to do; a `retry` never logs anybody out.

    ok         let it through; copy `set_cookie`
    login      302 to `location`, 401 where there is none; copy `set_cookie`. Of `start`: begin again
    started    of `start` only: 303 to `location`, a path of the host; copy `set_cookie`
    bounce     read the body, then 307 to `location`; copy `set_cookie`
    forbidden  302 to `location`, 403 where there is none; copy `set_cookie`
    retry      503 with `Retry-After: after_s`
    """

    kind: str
    reason: str
    user: User | None = None
    set_cookie: tuple[str, ...] = field(default=(), repr=False)
    location: str | None = field(default=None, repr=False)
    after_s: int = 5


class Refused(ValueError):
    """identityd cannot read the question (400): a host that is none, for example, or a field it does not know."""


class Client:
    """Asks identityd's internal listener; threads may share it.

    Args:
        url: the internal listener, `http://127.0.0.1:8888` for example.
        client_id: of `[app:<client-id>]`.
        secret: its secret.
        timeout_s: for connecting, and for the whole answer; a question is never asked twice.
    """

    def __init__(self, url: str, client_id: str, secret: str, *, timeout_s: float = 5.0) -> None:
        self._listener = Listener(url, timeout_s)
        proof = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
        self._headers = [("Authorization", f"Basic {proof}"), ("Content-Type", "application/json")]

    def check(self, url: str, cookies: Sequence[str] = (), **fields: object) -> Verdict:
        """Return whose session the `Cookie` lines show at this absolute address. Raises Refused.

        Args:
            url: what the browser asked for.
            cookies: its `Cookie` header lines, verbatim.
            fields: the others of docs/http-api.md; `navigation` is needed unless `mode` is another than `browser`.
        """
        try:
            return _verdict(*self._ask("/session/check", {"url": url, "cookie": list(cookies), **fields}))
        except Unreachable as trouble:
            return Verdict("retry", trouble.reason, after_s=trouble.after_s)

    def check_many(self, checks: Sequence[tuple[str, Sequence[str]]]) -> list[Verdict]:
        """Return `ok`, `login` or `retry` for each address and its `Cookie` lines; nothing changes. Raises Refused."""
        asked = {"checks": [{"url": url, "cookie": list(cookies)} for url, cookies in checks]}
        try:
            return _looks(self._ask("/session/check-many", asked)[1].get("answers"), len(checks))
        except Unreachable as trouble:
            return [Verdict("retry", trouble.reason, after_s=trouble.after_s)] * len(checks)

    def start(self, url: str, secret: str, cookies: Sequence[str] = (), **fields: object) -> Verdict:
        """Redeem the code in the address `/.identityd/start?code=…` with the secret that `begin` gave."""
        try:
            asked = {"url": url, "secret": secret, "cookie": list(cookies), **fields}
            _, said, _ = self._ask("/session/start", asked)
            return _read("started", {"reason": "start", **said}, place=r"/(?![/\\])[\x21-\x7e]*")
        except Refused as refused:
            return Verdict("login", str(refused))
        except Unreachable as trouble:
            return Verdict("retry", trouble.reason, after_s=trouble.after_s)

    def close(self) -> None:
        """Close the connections that wait for their next use; the client can be used again."""
        self._listener.close()

    def _ask(self, path: str, asked: object) -> tuple[int, dict[str, Any], int]:
        status, headers, body = self._listener.ask("POST", path, self._headers, json.dumps(asked).encode())
        try:
            said = json.loads(body)
        except (ValueError, RecursionError):
            said = None
        if not isinstance(said, dict):
            raise Unreachable("answer")
        after = next((int(v) for k, v in headers if k.lower() == "retry-after" and re.fullmatch("[0-9]{1,4}", v)), 5)
        if "error" not in said:
            return status, said, after
        code = str(said["error"])[:64]
        if status in (400, 413):
            raise Refused(code)
        if status != HTTPStatus.SERVICE_UNAVAILABLE:  # the secret above all: a person must not be told to log in
            log.error("identityd does not answer this application: %s %s %s", path, status, code)
        raise Unreachable(code, after)


def begin(login_url: str, host: str, path: str = "/") -> tuple[str, str]:
    """Return where `/.identityd/login` leads (302), and the secret it keeps in a `__Host-` cookie for `start`."""
    secret = secrets.token_urlsafe(32)
    digest = base64.urlsafe_b64encode(hashlib.sha256(secret.encode()).digest()).rstrip(b"=").decode()
    return f"{login_url}/continue?{urlencode({'host': host, 'start': digest, 'path': path})}", secret


class Unreachable(Exception):
    """identityd did not answer, or not as documented; or its store is away."""

    def __init__(self, reason: str, after_s: int = 5) -> None:
        super().__init__(reason)
        self.reason, self.after_s = reason, after_s


def _verdict(status: int, said: Mapping[str, Any], after_s: int) -> Verdict:
    kind = str(said.get("verdict"))
    if _STATUS.get(kind) != status:
        raise Unreachable("answer")
    return _read(kind, said, user=kind == "ok", place=r"https?://[\x21-\x7e]+", after_s=after_s)


def _looks(answers: object, asked: int) -> list[Verdict]:
    if not isinstance(answers, list) or len(answers) != asked:
        raise Unreachable("answer")
    return [_look(each) for each in answers]


def _look(said: Any) -> Verdict:  # noqa: ANN401 - whatever came
    active = said.get("active") if isinstance(said, dict) else 0
    if active is not None and not isinstance(active, bool):
        raise Unreachable("answer")
    kind = "retry" if active is None else "ok" if active else "login"
    return _read(kind, {**said, "set_cookie": []}, user=kind == "ok")


def _read(kind: str, said: Mapping[str, Any], *, user: bool = False, place: str = "", after_s: int = 5) -> Verdict:
    """Take an answer only if all of it is as documented; what is not may be anybody's."""
    try:
        lines, to = said["set_cookie"], said.get("location")
        fits = isinstance(lines, list) and len(lines) <= _COOKIES and not (to is None and kind in ("bounce", "started"))
        cookies = tuple(_text(line, _LINE) for line in (lines if fits else (None,)))
        who = _user(said["user"]) if user else None
        to = None if to is None else _text(to, place)
        return Verdict(kind, _text(said["reason"], _LINE), who, cookies, to, after_s)
    except (KeyError, TypeError, ValueError):
        raise Unreachable("answer") from None


def _user(said: Mapping[str, object]) -> User:
    account, name, session = (_text(said[each], _SAID) for each in ("id", "name", "session"))
    auth_time, idle, absolute = (_time(said[each]) for each in ("auth_time", "idle_ends_at", "absolute_ends_at"))
    shown, email = (None if said.get(each) is None else _text(said[each], _SAID) for each in ("display_name", "email"))
    groups, verified = said.get("groups"), said.get("email_verified", False)
    if not isinstance(verified, bool) or not (groups is None or isinstance(groups, list)):
        raise TypeError("user")
    listed = None if groups is None else tuple(_text(group, _SAID) for group in groups)
    return User(account, name, session, auth_time, idle, absolute, shown, email, verified, listed)


def _time(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("time")
    return value


def _text(value: object, pattern: str) -> str:
    if not isinstance(value, str) or not re.fullmatch(pattern, value) or "\n" in value:
        raise ValueError("text")
    return value


class _Reader(io.RawIOBase):
    """Reads a socket until a deadline, however slowly the bytes come."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock, self._deadline = sock, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - any buffer
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)
        return self._sock.recv_into(buffer)

    def makefile(self, *_: object) -> io.BufferedReader:
        return io.BufferedReader(self)


class Listener:
    """Connections to one listener. Each is used again unless it may be closed, so nothing is sent twice."""

    def __init__(self, url: str, timeout_s: float) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("give a listener as http://host:port")
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._at, self._timeout_s = (parts.hostname, parts.port or (443 if self._tls else 80)), timeout_s
        self._idle: list[tuple[socket.socket, float, int]] = []

    def ask(
        self, method: str, path: str, headers: Iterable[tuple[str, str]], body: bytes = b""
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """Return status, headers and body. Raises Unreachable for whatever goes wrong."""
        deadline = time.monotonic() + self._timeout_s
        lines = {"Host": self._at[0], **dict(headers), "Content-Length": str(len(body))}
        head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        sock: socket.socket | None = None
        try:
            sock = self._take() or self._connect()
            sock.settimeout(self._timeout_s)
            sock.sendall(f"{head}\r\n".encode("latin-1") + body)
            answer = HTTPResponse(_Reader(sock, deadline), method=method)  # type: ignore[arg-type]
            answer.begin()
            content = answer.read(ANSWER_BYTES + 1)
            if len(content) > ANSWER_BYTES:
                raise Unreachable("answer")
            if answer.isclosed() and not answer.will_close and len(self._idle) < CONNECTIONS:
                self._idle.append((sock, time.monotonic(), os.getpid()))
                sock = None
            return answer.status, list(answer.headers.items()), content
        except (OSError, HTTPException, ValueError) as error:
            log.warning("identityd does not answer at %s port %s: %s", *self._at, type(error).__name__)
            raise Unreachable("unreachable") from error
        finally:
            if sock:
                sock.close()

    def close(self) -> None:
        """Close what waits."""
        while self._idle:
            self._idle.pop()[0].close()

    def _connect(self) -> socket.socket:
        plain = socket.create_connection(self._at, self._timeout_s)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._tls.wrap_socket(plain, server_hostname=self._at[0]) if self._tls else plain

    def _take(self) -> socket.socket | None:
        while self._idle:
            try:
                sock, since, pid = self._idle.pop()
            except IndexError:  # another thread was first
                break
            # After a fork it is the parent's; and identityd closes what was idle for 75 seconds.
            if pid == os.getpid() and time.monotonic() - since < IDLE_S and _is_quiet(sock):
                return sock
            sock.close()
        return None


def _is_quiet(sock: socket.socket) -> bool:
    """Tell whether the other side neither closed the connection nor said something unasked."""
    with selectors.DefaultSelector() as watched:
        watched.register(sock, selectors.EVENT_READ)
        return not watched.select(0)
