"""Stands before a server of the project (any ASGI application): who may speak to it, and how it shows that it is the one.

Requests that name another host (DNS rebinding) or come from a page of another origin are refused, whatever they carry; so the
application's own rules on origins, which allow every page or every port of this machine, do not matter any more."""

import hmac
import urllib.parse
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from flows.keys import PROOF, USER, basic, proof

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

ENTER = "/k15/enter"
"""A page that logs a browser in to Prefect's page by the key behind the # of its address, which browsers send to nobody."""
LOGIN = b"""<!doctype html><meta charset="utf-8"><title>k15</title><script>
const login = decodeURIComponent(location.hash.slice(1));
if (login) localStorage.setItem("prefect-password", btoa(login));
location.replace("/");
</script>"""
NONCE = 128
"""Characters of a nonce at most."""


class Guard:
    """The application behind the rules. `login` is the user and key that every request must carry; None leaves that to the
    application, as with Prefect, whose interface asks for them itself."""

    def __init__(self, app: App, port: int, key: str, login: str | None) -> None:
        self._app, self._port, self._key = app, port, key
        self._authorization = basic(login) if login else None
        self._host = f"127.0.0.1:{port}"

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if why := self._refusal(headers, scope.get("method", "")):
            return await _answer(scope, send, 403, f"{why}\n".encode())
        if scope["path"] == PROOF:
            nonce = urllib.parse.parse_qs(scope["query_string"].decode("latin-1")).get("nonce", [""])[0][:NONCE]
            return await _answer(scope, send, 200, proof(self._key, nonce, self._port).encode())
        if self._authorization:
            if not hmac.compare_digest(headers.get("authorization", "").encode(), self._authorization.encode()):
                asks = (b"www-authenticate", f'Basic realm="k15: user {USER}, the key that make ui prints"'.encode())
                return await _answer(scope, send, 401, b"the key of this project is needed; `make ui` prints it\n", asks)
        elif scope["path"] == ENTER:
            return await _answer(scope, send, 200, LOGIN, (b"content-type", b"text/html"))
        return await self._app(scope, receive, send)

    def _refusal(self, headers: Mapping[str, str], method: str) -> str:
        """Why a request is none of the project's own page or programs; empty when it is."""
        if headers.get("host") != self._host:
            return f"this server answers as {self._host} only"
        if headers.get("origin", f"http://{self._host}") != f"http://{self._host}":
            return "requests from pages of another origin are refused"
        opened = method == "GET" and headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin") and not opened:
            return "requests from pages of another origin are refused"
        return ""


async def _answer(scope: Message, send: Send, status: int, body: bytes, *headers: tuple[bytes, bytes]) -> None:
    """A short answer of our own; a socket is closed instead."""
    if scope["type"] == "websocket":
        return await send({"type": "websocket.close", "code": 1008})
    more = [(b"content-length", str(len(body)).encode()), (b"cache-control", b"no-store"), (b"referrer-policy", b"no-referrer")]
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *more]})
    await send({"type": "http.response.body", "body": body})
    return None
