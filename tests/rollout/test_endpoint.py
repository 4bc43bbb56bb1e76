"""The client of endpoints against a real HTTP server: what it sends, what it reads, what it tries again, when it gives up."""

import base64
import io
from pathlib import Path
from typing import Any

import pytest
from chat_server import Reply, Seen, asked, completion, served
from PIL import Image

from stages.data.files import DataError
from stages.prompts.messages import data_url
from stages.prompts.prompt import Prompt
from stages.rollout import endpoint as module
from stages.rollout.endpoint import Endpoint
from stages.rollout.engine import Sampling
from stages.rollout.responder import Failure, Outcome, Refusal, Request, Response


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def ask(
    seen: Seen, prompts: list[Prompt], concurrency: int = 4, found: dict[int, Outcome] | None = None, **more: Any
) -> dict[int, Outcome]:
    """One answer to each prompt, by index; into `found`, too, for runs that end early."""
    told: dict[int, Outcome] = {} if found is None else found

    def done(index: int, outcomes: list[Outcome]) -> None:
        (told[index],) = outcomes

    sampling = Sampling(0.6, 0.95, 50, seed=2**62 + 5)
    Endpoint(seen.address, "m", concurrency, **more).respond([Request((prompt,), 1, sampling) for prompt in prompts], done)
    return told


def questions(count: int) -> list[Prompt]:
    return [Prompt(f"question {number}", None, instruction="") for number in range(count)]


def test_what_is_sent_and_what_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    with served(lambda *_: completion("fine", "length")) as seen:
        found = ask(seen, questions(1))
    assert found == {0: (Response("fine", "length", 3, 7),)}
    assert seen.bodies == [
        {
            "path": "/v1/chat/completions", "model": "m", "messages": [{"role": "user", "content": "question 0"}],
            "temperature": 0.6, "top_p": 0.95, "max_tokens": 50, "seed": 5,
        }
    ]  # fmt: skip
    assert seen.headers[0]["authorization"] == "Bearer secret"


def test_fields_are_added_replaced_and_left_out() -> None:
    fields = {"max_tokens": None, "temperature": None, "max_completion_tokens": 9, "top_p": 1.0}
    with served(lambda *_: completion("fine")) as seen:
        ask(seen, questions(1), fields=fields)
    assert seen.bodies[0].keys() - {"path", "model", "messages"} == {"top_p", "seed", "max_completion_tokens"}
    assert seen.bodies[0]["top_p"] == 1.0


def test_pictures_are_data_urls_in_their_places(tmp_path: Path) -> None:
    names = []
    for number, kind in enumerate(("PNG", "JPEG", "BMP")):
        names.append(str(tmp_path / f"{number}.picture"))
        Image.new("RGB", (4, 3 + number), (number, 0, 0)).save(names[-1], kind)
    with served(lambda *_: completion("fine")) as seen:
        ask(seen, [Prompt("<image 2> or <image 3>?", tuple(names), instruction="")])
    parts = seen.bodies[0]["messages"][0]["content"]
    assert [part.get("text") for part in parts] == [None, None, " or ", None, "?"]
    urls = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
    assert [url.partition(";")[0] for url in urls] == ["data:image/png", "data:image/jpeg", "data:image/png"]
    pictures = [Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) for url in urls]
    assert [picture.size for picture in pictures] == [(4, 3), (4, 4), (4, 5)], "the first, which has no mark, comes first"


def test_a_broken_picture_is_refused_without_a_request(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nrest")
    with served(lambda *_: completion("fine")) as seen:
        found = ask(seen, [Prompt("?", str(tmp_path / "broken.png")), Prompt("?", str(tmp_path / "absent.png")), *questions(1)])
    assert [type(outcome) for _, outcome in sorted(found.items())] == [Refusal, Refusal, tuple]
    assert "broken.png: cannot be read as a picture" in str(found[0])
    assert len(seen.bodies) == 1
    with pytest.raises(DataError, match="cannot be read as a picture"):
        data_url(str(tmp_path / "absent.png"))


@pytest.mark.parametrize(
    "message, response",
    [
        ({"content": "7", "reasoning_content": "3 + 4"}, Response("7", "stop", 3, 7, "3 + 4")),
        ({"content": "7", "reasoning": "3 + 4"}, Response("7", "stop", 3, 7, "3 + 4")),
        ({"content": None, "reasoning_content": "3 + ..."}, Response("", "stop", 3, 7, "3 + ...")),
        ({"content": "<think>3 + 4</think>7"}, Response("<think>3 + 4</think>7", "stop", 3, 7)),
    ],
)
def test_thinking_is_kept_apart_where_it_comes_apart(message: dict[str, Any], response: Response) -> None:
    with served(lambda *_: completion(message["content"], **message)) as seen:
        assert ask(seen, questions(1)) == {0: (response,)}


def test_an_endpoint_may_count_no_tokens() -> None:
    reply = completion("fine")
    with served(lambda *_: Reply(body={**reply.body, "usage": None})) as seen:
        assert ask(seen, questions(1)) == {0: (Response("fine", "stop", None, None),)}


def test_a_busy_or_broken_server_is_asked_again_after_a_while() -> None:
    """429 with Retry-After, 500, an answer: three requests, the waits kept, one answer."""
    replies = [Reply(429, headers={"Retry-After": "0.6"}), Reply(500), completion("at last")]
    with served(lambda number, _: replies[number]) as seen:
        assert ask(seen, questions(1)) == {0: (Response("at last", "stop", 3, 7),)}
    first, second = (later - earlier for earlier, later in zip(seen.times, seen.times[1:], strict=False))
    assert first >= 0.6, "as long as the server says"
    assert second >= 0.75, "0.5 s, doubled at the second try, less jitter of a quarter"


def test_a_dropped_connection_and_a_timeout_are_tried_again() -> None:
    replies = [Reply(0), Reply(seconds=1.0), completion("in time")]
    with served(lambda number, _: replies[number]) as seen:
        assert ask(seen, questions(1), seconds=0.5) == {0: (Response("in time", "stop", 3, 7),)}
    assert len(seen.bodies) == 3


def test_what_fails_in_the_end_is_named_and_costs_no_other() -> None:
    def script(_: int, body: dict[str, Any]) -> Reply:
        return Reply(503, {"error": {"message": "no room"}}) if asked(body) == "question 1" else completion("fine")

    with served(script) as seen:
        found = ask(seen, questions(4), retries=1)
    assert isinstance(found[1], Failure)
    assert found[1].reason.startswith("status 503: ")
    assert "no room" in found[1].reason
    assert [number for number, outcome in sorted(found.items()) if isinstance(outcome, tuple)] == [0, 2, 3]
    assert sum(asked(body) == "question 1" for body in seen.bodies) == 2


@pytest.mark.parametrize("body", ["<html>a login page</html>", {"error": "quota"}, {"choices": []}])
def test_an_answer_that_is_no_completion_is_a_failure(body: Any) -> None:
    with served(lambda *_: Reply(200, body)) as seen:
        (outcome,) = ask(seen, questions(1), retries=0).values()
    assert isinstance(outcome, Failure)


@pytest.mark.parametrize("status, words", [(401, "the key in OPENAI_API_KEY is not accepted"), (404, "no such model or address")])
def test_what_every_request_would_get_ends_the_run(status: int, words: str) -> None:
    """What was answered before is told."""
    found: dict[int, Outcome] = {}
    with served(lambda number, _: Reply(status) if number >= 3 else completion("fine")) as seen:
        with pytest.raises(DataError, match=f"{words} .*correct it, then the same command goes on"):
            ask(seen, questions(50), concurrency=1, found=found)
        assert len(seen.bodies) == 4
    assert [type(outcome) for outcome in found.values()] == [tuple] * 3 + [Failure]


def test_a_server_that_answers_nothing_is_not_asked_for_ever() -> None:
    with served(lambda *_: Reply(400)) as seen:
        with pytest.raises(DataError, match=f"{module.FAILURES_IN_A_ROW} requests failed in a row, the last with status 400"):
            ask(seen, questions(100), concurrency=3)
        assert module.FAILURES_IN_A_ROW <= len(seen.bodies) < module.FAILURES_IN_A_ROW + 3


def test_failures_between_answers_do_not_end_it() -> None:
    with served(lambda number, _: Reply(400) if number % 2 else completion("fine")) as seen:
        found = ask(seen, questions(60), concurrency=1)
    assert sum(isinstance(outcome, Failure) for outcome in found.values()) == 30


def test_an_error_of_whoever_listens_is_raised_as_it_is() -> None:
    def done(*_: Any) -> None:
        raise DataError("the disk is full")

    requests = [Request((prompt,), 1, Sampling(0.0, 1.0, 9, 0)) for prompt in questions(3)]
    with served(lambda *_: completion("fine")) as seen, pytest.raises(DataError, match="the disk is full"):
        Endpoint(seen.address, "m", 3).respond(requests, done)


def test_no_more_requests_are_open_than_allowed() -> None:
    def script(number: int, _: dict[str, Any]) -> Reply:
        reply = completion(str(number))
        return Reply(reply.status, reply.body, seconds=0.1)

    with served(script) as seen:
        assert len(ask(seen, questions(20), concurrency=5)) == 20
    assert seen.most == 5


def test_a_server_on_this_machine_needs_no_key_and_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with served(lambda *_: completion("fine")) as seen:
        assert ask(seen, questions(1), retries=0) == {0: (Response("fine", "stop", 3, 7),)}


def test_a_server_elsewhere_needs_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="no key; put yours into the environment variable OPENAI_API_KEY"):
        Endpoint("https://models.example/v1", "m", 1)
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    assert "secret" not in repr(Endpoint("https://models.example/v1", "m", 1))


@pytest.mark.parametrize("address", ["127.0.0.1:8000/v1", "ftp://127.0.0.1/v1", "http:///v1", ""])
def test_an_address_must_be_one(address: str) -> None:
    with pytest.raises(DataError, match="no address of a server; expected one like http"):
        Endpoint(address, "m", 1)
