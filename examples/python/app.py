"""An application of the standard library behind identityd: a page, a form, a call.

    IDENTITYD_SECRET=… python3 app.py          # then open http://wiki.localhost:8000/

identityd.ini needs: [app:wiki] with the same secret, and hosts = wiki.localhost:8000
"""

from __future__ import annotations

import html
import json
import os
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Any
from urllib.parse import parse_qs
from wsgiref.simple_server import WSGIServer, make_server

from identityd_client import Client
from identityd_guard import WsgiGuard

PAGE = """<!doctype html><title>wiki</title><h1>Hello <b id=user>{user}</b></h1>
<form method=post><input name=note value="a note"><button>Save</button></form>
<p><a href="/.identityd/logout">Log out</a></p>"""


def wiki(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer somebody who is logged in; it knows nothing else of identityd."""
    user, kind = environ["identityd.user"], "text/html; charset=utf-8"
    if environ["PATH_INFO"] == "/api/me":
        kind, text = "application/json", json.dumps({"id": user.id, "name": user.name})
    elif environ["REQUEST_METHOD"] == "POST":
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode()
        text = f"<p>{html.escape(user.name)} saved: <b id=note>{html.escape(parse_qs(body)['note'][0])}</b></p>"
    else:
        text = PAGE.format(user=html.escape(user.name))
    start_response(
        "200 OK", [("Content-Type", kind), ("Set-Cookie", "own1=1; Path=/"), ("Set-Cookie", "own2=2; Path=/")]
    )
    return [text.encode()]


class Server(ThreadingMixIn, WSGIServer):
    """A browser opens several connections at once."""

    daemon_threads = True


if __name__ == "__main__":
    client = Client(os.environ.get("IDENTITYD", "http://127.0.0.1:8888"), "wiki", os.environ["IDENTITYD_SECRET"])
    guarded = WsgiGuard(wiki, client, public=os.environ.get("IDENTITYD_PUBLIC", "http://127.0.0.1:8887"))
    make_server("127.0.0.1", int(os.environ.get("PORT", "8000")), guarded, server_class=Server).serve_forever()
