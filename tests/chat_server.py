"""A small real HTTP server that answers /chat/completions by a script, for what no model server does on demand: errors, delays."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Reply:
    """What the server says to one request."""

    status: int = 200
    """0 hangs up without a word."""
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    """Before it is said."""


@dataclass
class Seen:
    """What the server has got so far."""

    address: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    now: int = 0
    most: int = 0
    """Requests that were open at the same time."""


def completion(text: str | None, finish: str = "stop", **message: Any) -> Reply:
    """An ordinary answer."""
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text, **message}}
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    return Reply(body={"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice], "usage": usage})


def asked(body: dict[str, Any]) -> str:
    """The text of the one user turn."""
    content = body["messages"][0]["content"]
    return content if isinstance(content, str) else "".join(part.get("text", "[picture]") for part in content)


@contextmanager
def served(script: Callable[[int, dict[str, Any]], Reply]) -> Iterator[Seen]:
    """A server on a free port; `script` gets the number of the request, from 0, and its body."""
    seen, lock = Seen(), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                number = len(seen.bodies)
                seen.bodies.append({"path": self.path, **body})
                seen.headers.append({name.lower(): value for name, value in self.headers.items()})
                seen.times.append(time.monotonic())
                seen.now += 1
                seen.most = max(seen.most, seen.now)
            reply = script(number, body)
            time.sleep(reply.seconds)
            with lock:
                seen.now -= 1
            if reply.status == 0:
                self.close_connection = True
                return
            content = reply.body.encode() if isinstance(reply.body, str) else json.dumps(reply.body or {"error": "none"}).encode()
            self.send_response(reply.status)
            kind = "text/html" if isinstance(reply.body, str) else "application/json"
            for name, value in {"Content-Type": kind, "Content-Length": str(len(content)), **reply.headers}.items():
                self.send_header(name, value)
            with suppress(ConnectionError):  # a client that waited too long has gone
                self.end_headers()
                self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    seen.address = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
