"""A sibling host, and what it can put into a browser's jar to pass for one of our cookies (THREATS 47).

Each case is a cookie that `Set-Cookie` with `Domain=` can set, as another name or a longer value, so
that `__Host-` does not stop it. Owns the cases; who runs them decides what must stay as it is.
"""

import ssl
import threading
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from tests.support.certificates import Certificate

_PAGE: Final = b"<!doctype html><title>sibling</title>"
_UNICODE: Final = ("\x85", "\xa0", "\u1680", "\u2003", "\u2028", "\u202f", "\u3000", "\ufeff", "\u200b")
_CONTROLS: Final = ("\x0b", "\x0c", "\r", "\n", "\x1c", "\x1d", "\x1e", "\x1f", "\x00", "\x7f")


def as_received(text: str) -> str:
    """Return text as a server sees it that reads the bytes of UTF-8 as Latin-1."""
    return text.encode().decode("latin-1")


BLANKS: Final = (*_UNICODE, *map(as_received, _UNICODE), *_CONTROLS)
"""Characters that programs trim and browsers do not, as text, and as tornado receives them."""


def disguised(name: str, value: str) -> Mapping[str, str]:
    """Return spellings of our cookie inside a foreign one, by what they rely on: `name=value` of one cookie each."""
    plain = {
        "comma": f"t1=1,{name}={value}",
        "comma and blank": f"t2=1, {name}={value}",
        "comma in the name": f"t3,{name}={value}",
        "comma first": f",{name}={value}",
        "comma last": f"t4=1,{name}={value},",
        "quoted comma": f't5="1,{name}={value}"',
        "quotes around the name": f'"{name}"={value}',
        "blank in the value": f"t6=1 {name}={value}",
        "tab in the value": f"t7=1\t{name}={value}",
        "ampersand": f"t8=1&{name}={value}",
        "encoded semicolon": f"t9=1%3B{name}={value}",
        "another case": f"{name.replace('__Host-', '__HOST-')}={value}",
        "longer name": f"x{name}={value}",
        "version": f"$Version=1,{name}={value}",
        "twice": f"ta=1,{name}={value},{name}={value}",
    }
    return plain | {f"U+{ord(blank):04X} first": f"{blank}{name}={value}" for blank in _UNICODE}


def lines(name: str, value: str, *, domain: str) -> list[bytes]:
    """Return the `Set-Cookie` lines of a sibling host: disguises, bytes that are no UTF-8, what browsers refuse."""
    cookies = [cookie.encode() for cookie in disguised(name, value).values()]
    ours = f"{name}={value}".encode()
    cookies += [b"\xa0" + ours, b"\x85" + ours]
    cookies += [ours, b"=" + ours, b" =" + ours, b"= " + ours, b"=\t" + ours, b"\t" + ours, b" " + ours, b"=;" + ours]
    cookies += [mark + ours for mark in (b"\x0b", b"\x0c", b"\x1f", b"\x7f")]
    return [cookie + f"; Domain={domain}; Path=/; Secure".encode() for cookie in cookies]


class Sibling:
    """A host beside the login's, on a thread of its own; a context manager. Each answer sets `lines`."""

    def __init__(self, host: str, certificate: Certificate) -> None:
        self.lines: Sequence[bytes] = ()

        class Page(BaseHTTPRequestHandler):
            def do_GET(page) -> None:  # noqa: N805 - `self` is the host
                set_cookies = b"".join(b"Set-Cookie: " + line + b"\r\n" for line in self.lines)
                head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n"
                page.wfile.write(head + set_cookies + b"\r\n" + _PAGE)
                page.close_connection = True

            def log_message(page, format: str, *args: object) -> None:  # noqa: A002, N805 - the library's name
                """Say nothing."""

        self._server = _Server(("127.0.0.1", 0), Page)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.certificate, certificate.key)
        # The handshake belongs to the thread of a connection, not to the one that accepts.
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.url = f"https://{host}:{self._server.server_address[1]}/"

    def __enter__(self) -> "Sibling":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing: browsers open connections ahead and drop them."""
