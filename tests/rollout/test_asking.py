"""Asking a model plain questions: a scripted engine, a real HTTP server, a tiny checkpoint."""

from collections.abc import Sequence

import pytest
from chat_server import Reply, asked, completion, served
from tiny import Tiny

from stages.data.files import DataError
from stages.rollout.asking import Asking, asking
from stages.rollout.engine import Prompt, Sampling
from stages.rollout.responder import EngineResponder
from stages.rollout.scripted import ScriptedEngine
from stages.verifiers.verdict import Claim, verify_all


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def scripted(answers: dict[str, str], context: int = 100, tokens: int = 50) -> Asking:
    engine = ScriptedEngine(lambda prompt, _: answers[prompt.question], context)
    return Asking(EngineResponder(lambda: engine, 2, {}), Sampling(0.0, 1.0, tokens, 0))


def test_replies_stand_in_the_order_of_the_prompts_and_failures_in_their_places() -> None:
    ask = scripted({"a": "A", "b": "B" * 60, "c": "C", "d": "D"})
    replies = ask(["c", "a", "x" * 200, "b", "d"])
    assert [str(reply) for reply in replies] == [
        "C",
        "A",
        "prompt of 200 tokens is over the context of 100: '" + "x" * 80 + "'",
        "its reply was cut at its limit of tokens",
        "D",
    ]
    assert [isinstance(reply, DataError) for reply in replies] == [False, False, True, True, False]


def test_a_prompt_is_asked_as_it_is() -> None:
    seen: list[Prompt] = []
    engine = ScriptedEngine(lambda prompt, _: str(seen.append(prompt)))
    Asking(EngineResponder(lambda: engine, 2, {}))(["q"])
    assert seen == [Prompt("q", None, instruction="")]


def test_a_judge_behind_an_address() -> None:
    def script(_: int, body: dict[str, object]) -> Reply:
        text = asked(body)
        if "it is seven" in text:
            return Reply(400, {"error": {"message": "no"}})
        return completion(f'Compared.\n{{"correct": {str("it is four" in text).lower()}}}')

    claims = [Claim("judge", "4", f"it is {word}", "two and two?") for word in ("four", "seven", "five")]
    with served(script) as seen:
        verdicts = verify_all(claims, judge=asking("served", seen.address, 8))
    assert [verdict.outcome for verdict in verdicts] == ["right", "error", "wrong"]
    assert verdicts[1].reason.startswith("the judge did not answer: status 400")
    assert {body["model"] for body in seen.bodies} == {"served"}
    assert {body["temperature"] for body in seen.bodies} == {0.0}


def test_a_refused_key_stops_everything() -> None:
    with (
        served(lambda *_: Reply(401, {"error": {"message": "who are you"}})) as seen,
        pytest.raises(DataError, match="not accepted"),
    ):
        asking("served", seen.address, 8)(["q"] * 3)


def test_a_key_is_needed_for_an_address_elsewhere() -> None:
    with pytest.raises(DataError, match="OPENAI_API_KEY"):
        asking("served", "http://example.org/v1", 8)


def test_a_checkpoint_here_answers_the_same_twice(tiny: Tiny) -> None:
    ask = asking(str(tiny.folder), None, 4)
    short = Asking(ask.responder, Sampling(0.0, 1.0, 6, 0))
    prompts: Sequence[str] = ["What is 1 + 1?", "one", "What is 2 + 2?"]
    first = [str(reply) for reply in short(prompts)]
    assert first == [str(reply) for reply in short(prompts)]
    assert len(first) == 3
