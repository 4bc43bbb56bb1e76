"""Endpoints that send what they like, against a real HTTP server: each costs its question, and nothing else; time, memory, the
journal and the terminal stay as they are."""

import gzip
import json
import resource
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from stages.data.files import DataError
from stages.prompts.prompt import Prompt
from stages.rollout import bounded_client
from stages.rollout.endpoint import Endpoint
from stages.rollout.engine import Sampling
from stages.rollout.responder import Failure, Outcome, Request, Response

Handler = BaseHTTPRequestHandler


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "planted-key-f3a9")


@contextmanager
def served(answer: Callable[[Handler], None]) -> Iterator[tuple[str, list[str]]]:
    """The address of a server, and the Authorization headers that it got."""
    seen: list[str] = []

    class Each(Handler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            seen.append(str(self.headers["Authorization"]))
            with suppress(ConnectionError):
                answer(self)
            self.close_connection = True

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Each)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", seen
    finally:
        server.shutdown()
        server.server_close()


def send(handler: Handler, content: bytes, status: int = 200, **headers: str) -> None:
    handler.send_response(status)
    for name, value in {"Content_Type": "application/json", "Content_Length": str(len(content)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(content)


def ask(address: str, retries: int = 0, seconds: float = 30.0) -> Outcome:
    """The outcome of one question."""
    found: list[Outcome] = []
    request = Request((Prompt("?", None, instruction=""),), 1, Sampling(0.0, 1.0, 9, 0))
    Endpoint(address, "m", 1, retries=retries, seconds=seconds).respond([request], lambda _, outcomes: found.extend(outcomes))
    (outcome,) = found
    return outcome


def of(content: bytes, **headers: str) -> Outcome:
    with served(lambda handler: send(handler, content, **headers)) as (address, _):
        return ask(address)


def completion(message: Any = None, **changed: Any) -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": "stop", "message": message or {"role": "assistant", "content": "fine"}}
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    return {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice], "usage": usage, **changed}


def said(content: Any, **more: Any) -> dict[str, Any]:
    return completion({"role": "assistant", "content": content, **more})


SHAPES: dict[str, Any] = {
    "no choices": completion(choices=[]),
    "choices null": completion(choices=None),
    "choices a text": completion(choices="fine"),
    "choices a dict": completion(choices={"0": 1}),
    "a choice null": completion(choices=[None]),
    "a choice a number": completion(choices=[7]),
    "a choice empty": completion(choices=[{}]),
    "a message null": completion(choices=[{"message": None, "finish_reason": "stop"}]),
    "a message a text": completion(choices=[{"message": "fine", "finish_reason": "stop"}]),
    "content a list": said([{"type": "text", "text": "fine"}]),
    "content a number": said(7),
    "content a dict": said({"text": "fine"}),
    "reasoning a list": said("fine", reasoning_content=["fine"]),
    "finish a number": completion(choices=[{"message": {"content": "fine"}, "finish_reason": 7}]),
    "usage a list": completion(usage=[1]),
    "usage a text": completion(usage="many"),
    "usage empty": completion(usage={}),
    "tokens a text": completion(usage={"prompt_tokens": 7, "completion_tokens": "3"}),
    "tokens negative": completion(usage={"prompt_tokens": 7, "completion_tokens": -3}),
    "tokens true": completion(usage={"prompt_tokens": 7, "completion_tokens": True}),
    "tokens infinite": completion(usage={"prompt_tokens": 7, "completion_tokens": float("inf")}),
    "tokens huge": completion(usage={"prompt_tokens": 7, "completion_tokens": 10**30}),
    "a list": [completion()],
    "null": None,
    "a number": 7,
}


@pytest.mark.parametrize("body", SHAPES.values(), ids=SHAPES)
def test_what_is_no_completion_is_a_failure_of_that_question(body: Any) -> None:
    assert isinstance(of(json.dumps(body).encode()), Failure)


RAW = {
    "HTML with 200": (b"<html>log in</html>", {"Content_Type": "text/html"}),
    "HTML as JSON": (b"<html>log in</html>", {}),
    "nothing": (b"", {}),
    "half of it": (json.dumps(completion()).encode()[:-20], {}),
    "no UTF-8": (b'{"choices": [{"message": {"content": "\xff\xfe"}}]}', {}),
    "deep lists": (b"[" * 100_000 + b"]" * 100_000, {}),
    "deep dicts": (b'{"choices":' * 50_000 + b"1" + b"}" * 50_000, {}),
    "deep in a message": (json.dumps(completion()).encode().replace(b'"fine"', b'{"a":' * 900 + b"1" + b"}" * 900), {}),
    "a number of a million digits": (json.dumps(completion()).encode().replace(b"10}", b"9" * 1_000_000 + b"}"), {}),
    "no gzip": (b"plain", {"Content_Encoding": "gzip"}),
    "half a gzip": (gzip.compress(json.dumps(completion()).encode())[:-9], {"Content_Encoding": "gzip"}),
    "gzip twice": (gzip.compress(gzip.compress(b"{}")), {"Content_Encoding": "gzip, gzip"}),
    "a packing not asked for": (zlib.compress(json.dumps(completion()).encode()), {"Content_Encoding": "deflate"}),
}


@pytest.mark.parametrize("content, headers", RAW.values(), ids=RAW)
def test_bytes_that_hold_no_completion_are_a_failure(content: bytes, headers: dict[str, str]) -> None:
    assert isinstance(of(content, **headers), Failure)


def test_what_is_packed_as_asked_is_read() -> None:
    packed = gzip.compress(json.dumps(completion()).encode())
    assert of(packed, Content_Encoding="gzip") == (Response("fine", "stop", 3, 7),)


@pytest.mark.parametrize("packed", [True, False], ids=["3 GB in 3 MB of gzip", "without end"])
def test_memory_is_bounded(packed: bool) -> None:
    block = bytes(1 << 20)
    if packed:
        packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
        blocks = [packer.compress(block) for _ in range(3 << 10)] + [packer.flush()]
    else:
        blocks = [block] * (1 << 10)

    def answer(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        if packed:
            handler.send_header("Content-Encoding", "gzip")
        handler.end_headers()
        for part in blocks:
            handler.wfile.write(part)

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with served(answer) as (address, _):
        outcome = ask(address)
    assert isinstance(outcome, Failure)
    assert "more than 64 MiB" in outcome.reason
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < 4 * (bounded_client.ANSWER_BYTES >> 20), f"{grown:.0f} MiB more than before"


@pytest.mark.parametrize("headers_too", [True, False], ids=["from the first header", "in the body"])
def test_a_slow_drip_ends_with_the_limit_of_the_whole_answer(headers_too: bool) -> None:
    """A byte every 50 ms: no wait for a byte is long."""
    over = threading.Event()

    def answer(handler: Handler) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Slow: " + b"a" * 2000
        if not headers_too:
            handler.wfile.write(head + b"\r\n\r\n")
        for position in range(2000):
            if over.wait(0.05):
                return
            handler.wfile.write(head[position : position + 1] if headers_too else b" ")

    begun = time.monotonic()
    with served(answer) as (address, seen):
        outcome = ask(address, retries=1, seconds=1.0)
        over.set()
    assert isinstance(outcome, Failure)
    assert "no whole answer within 1 s" in outcome.reason
    assert len(seen) == 2, "it is tried again like any other that is late"
    assert time.monotonic() - begun < 10


def test_retry_after_of_thirty_years_is_not_waited_for() -> None:
    begun = time.monotonic()
    with served(lambda handler: send(handler, b"{}", 429, Retry_After="1e9")) as (address, seen):
        assert isinstance(ask(address, retries=10), Failure)
    assert len(seen) == 1
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirection_is_not_followed_and_the_key_does_not_travel(status: int) -> None:
    with served(lambda handler: send(handler, json.dumps(completion()).encode())) as (other, stolen):
        target = f"{other.replace('//', '//me:word@')}/chat/completions"
        with served(lambda handler: send(handler, b"{}", status, Location=target)) as (address, seen):
            outcome = ask(address)
    assert isinstance(outcome, Failure)
    assert f"it redirects to {other}/chat/completions, which is not followed" in outcome.reason
    assert (len(seen), stolen) == (1, [])


def test_a_key_that_is_sent_back_is_not_stored() -> None:
    (response,) = of(json.dumps(said("Bearer planted-key-f3a9, right?", reasoning_content="planted-key-f3a9")).encode())  # type: ignore[misc]
    assert response == Response("Bearer ***, right?", "stop", 3, 7, "***")
    with served(lambda handler: send(handler, b'{"error": {"message": "planted-key-f3a9 is wrong"}}', 400)) as (address, _):
        outcome = ask(address)
    assert isinstance(outcome, Failure)
    assert "*** is wrong" in outcome.reason
    with served(lambda handler: send(handler, b'{"error": {"message": "planted-key-f3a9 is wrong"}}', 401)) as (address, _):
        with pytest.raises(DataError) as stopped:
            ask(address)
        assert "planted-key" not in str(stopped.value)


def test_control_characters_do_not_reach_the_terminal_and_half_characters_not_the_journal() -> None:
    evil = "\x1b]0;title\x07\x1b[2J\r\n\x9b31m"
    with served(lambda handler: send(handler, json.dumps({"error": {"message": evil}}).encode(), 400)) as (address, _):
        outcome = ask(address)
    assert isinstance(outcome, Failure)
    assert outcome.reason.isprintable()
    (response,) = of(json.dumps({**said("a\ud800b"), "x": 1}).encode())  # type: ignore[misc]
    assert response.text == "a?b"
    response.text.encode("utf-8")
    choice = {"message": {"content": "fine"}, "finish_reason": "\x1b[31m" + "x" * 1000}
    (response,) = of(json.dumps(completion(choices=[choice])).encode())  # type: ignore[misc]
    assert response.finish.isprintable()
    assert len(response.finish) <= 40


@pytest.mark.parametrize(
    "address", ["http://me:word@127.0.0.1:1/v1", "http://me@127.0.0.1:1/v1", "http://127.0.0.1:1/v1?api_key=word"]
)
def test_an_address_with_a_password_is_refused_without_showing_it(address: str) -> None:
    with pytest.raises(DataError, match="no password or key in an address") as refused:
        Endpoint(address, "m", 1)
    assert "word@" not in str(refused.value)
    assert "=word" not in str(refused.value)
