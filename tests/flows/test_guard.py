"""Who may speak to a server of the project: the guard alone, before an application that notes what got through."""

import asyncio
import hashlib
import hmac

import pytest

from flows.guard import ENTER, Guard, Message
from flows.keys import PROOF, basic

PORT = 4201
OWN = {"host": "127.0.0.1:4201"}
LOGIN = "k15:secret"


def asked(
    headers: dict[str, str], path: str = "/", method: str = "POST", login: str | None = None, kind: str = "http", query: str = ""
) -> tuple[int, bytes, bool]:
    """Status (or a socket's closing code), body, and whether the application was reached."""
    reached, sent = [], list[Message]()

    async def app(scope: Message, _receive: object, _send: object) -> None:
        reached.append(scope["path"])

    async def receive() -> Message:
        raise AssertionError("nothing is read here")

    async def send(message: Message) -> None:
        sent.append(message)

    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": kind, "method": method, "path": path, "headers": raw, "query_string": query.encode()}
    asyncio.run(Guard(app, PORT, "secret", login)(scope, receive, send))
    status = next((message.get("status", message.get("code")) for message in sent), 0)
    return status, b"".join(message.get("body", b"") for message in sent), bool(reached)


@pytest.mark.parametrize(
    "headers",
    [
        {},  # a program: curl, Prefect's client
        {"origin": "http://127.0.0.1:4201", "sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "none", "sec-fetch-mode": "navigate"},
    ],
)
def test_the_own_page_and_programs_get_through(headers: dict[str, str]) -> None:
    assert asked({**OWN, **headers})[2]


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:4202"},
        {"origin": "http://localhost:4201"},
        {"origin": "https://127.0.0.1:4201"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"},  # a form that is sent
    ],
)
@pytest.mark.parametrize("kind, code", [("http", 403), ("websocket", 1008)])
def test_a_page_of_another_origin_does_not(headers: dict[str, str], kind: str, code: int) -> None:
    """Not even with the key: a browser adds it by itself."""
    status, _, reached = asked({**OWN, **headers, "authorization": basic(LOGIN)}, login=LOGIN, kind=kind)
    assert (status, reached) == (code, False)


def test_a_link_to_the_page_may_be_followed_but_not_framed() -> None:
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert asked({**OWN, **link, "sec-fetch-dest": "document"}, method="GET")[2]
    assert asked({**OWN, **link, "sec-fetch-dest": "iframe"}, method="GET")[0] == 403


@pytest.mark.parametrize("host", ["evil.example:4201", "evil.example", "localhost:4201", "127.0.0.1", "127.0.0.1:80", None])
def test_a_name_that_was_rebound_to_this_machine_is_refused(host: str | None) -> None:
    status, body, reached = asked({"host": host} if host else {}, method="GET")
    assert (status, reached) == (403, False)
    assert b"answers as 127.0.0.1:4201 only" in body


@pytest.mark.parametrize("given", [None, basic("k15:other"), "Bearer secret", basic(LOGIN)[:-2], "", "Basic \xff"])
def test_without_the_key_nothing_is_reached_where_the_guard_asks_for_it(given: str | None) -> None:
    status, _, reached = asked({**OWN, **({"authorization": given} if given is not None else {})}, login=LOGIN)
    assert (status, reached) == (401, False)
    assert asked({**OWN, "authorization": basic(LOGIN)}, login=LOGIN)[2]


def test_the_proof_is_of_the_key_the_nonce_and_the_port() -> None:
    expected = hmac.new(b"secret", b"abc 4201", hashlib.sha256).hexdigest().encode()
    assert asked(OWN, PROOF, "GET", query="nonce=abc") == (200, expected, False)
    assert asked(OWN, PROOF, "GET", query="nonce=abd")[1] != expected


def test_the_entrance_holds_no_key_and_is_prefects_only() -> None:
    status, body, _ = asked(OWN, ENTER, "GET")
    assert (status, b"secret" in body) == (200, False)
    assert asked({**OWN, "authorization": basic(LOGIN)}, ENTER, "GET", login=LOGIN)[2]


def test_the_start_and_the_end_of_the_application_pass() -> None:
    assert asked({}, kind="lifespan")[2]
