"""The scripted engine keeps the Protocol's promises."""

from dataclasses import replace

import pytest
import torch

from stages.data.files import DataError
from stages.prompts.render import Rendered
from stages.rollout.engine import Engine, Piece, Prompt, Repetition, Request, RolloutEngine, Sampling
from stages.rollout.scripted import END, LOGPROB, ScriptedEngine


def sampling(max_tokens: int = 100) -> Sampling:
    return Sampling(temperature=1.0, top_p=1.0, max_tokens=max_tokens, seed=0)


def test_answers_come_in_the_order_of_prompts_and_samples() -> None:
    engine: Engine = ScriptedEngine(lambda prompt, n: f"{prompt.question}{n}")
    groups = engine.generate([Prompt("a", None), Prompt("b", None)], sampling(), samples=2)
    assert [[completion.text for completion in group] for group in groups] == [["a0", "a1"], ["b0", "b1"]]


def test_tokens_are_bytes_and_an_end() -> None:
    ((completion,),) = ScriptedEngine(lambda *_: "né").generate([Prompt("q", None)], sampling())
    assert completion.token_ids == (0x6E, 0xC3, 0xA9, END)
    assert completion.logprobs == (LOGPROB,) * 4
    assert completion.finish == "stop"


def test_a_long_answer_is_cut_without_an_end() -> None:
    ((completion,),) = ScriptedEngine(lambda *_: "né").generate([Prompt("q", None)], sampling(max_tokens=2))
    assert (completion.text, completion.token_ids, completion.finish) == ("n", (0x6E, 0xC3), "length")


def test_a_prompt_over_the_context_is_refused() -> None:
    engine = ScriptedEngine(lambda *_: "x", context=3)
    with pytest.raises(DataError, match="prompt of 4 tokens is over the context of 3: 'long'"):
        engine.generate([Prompt("ok", None), Prompt("long", None)], sampling())


def request(question: str, start: bytes = b"", budget: int = 100, limit: int = 100) -> Request:
    return Request(Prompt(question, None), Rendered((), {}, {}), tuple(start), budget, limit, 0)


def texts(engine: RolloutEngine, pieces: list[Piece]) -> list[tuple[str, str]]:
    return [(engine.decode(piece.token_ids), piece.finish) for piece in pieces]


def test_requests_are_answered_by_prompt_and_number_and_told_at_once() -> None:
    engine: RolloutEngine = ScriptedEngine(lambda prompt, n: f"{prompt.question}{n}")
    told: list[tuple[int, Piece]] = []
    pieces = engine.extend([request("a"), request("b"), request("a")], sampling(), lambda *one: told.append(one))
    assert texts(engine, pieces) == [("a0", "stop"), ("b0", "stop"), ("a1", "stop")]
    assert told == list(enumerate(pieces))
    assert pieces[0] == Piece((*b"a0", END), (LOGPROB,) * 3, "stop")


def test_budget_limit_and_context_end_an_answer() -> None:
    engine = ScriptedEngine(lambda *_: "0123456789", context=8)
    pairs = [(3, 9, "012", "cut"), (9, 3, "012", "length"), (3, 3, "012", "length"), (50, 50, "0123456", "length")]
    for budget, limit, text, finish in pairs:
        assert texts(engine, engine.extend([request("q", budget=budget, limit=limit)], sampling())) == [(text, finish)]
    for wrong in (request("q", budget=0), request("q", limit=0), request("q", start=b"0123456")):
        with pytest.raises(DataError, match="no token can be added to this response"):
            engine.extend([wrong], sampling())


def test_an_answer_goes_on_where_it_was_cut() -> None:
    """Each of two that began alike with an answer of its own; the end token alone may be what is left."""
    engine = ScriptedEngine(lambda _, n: ("Try one.", "Try two.", "No.")[n % 3])
    asked = [request("q", b"Try"), request("q", b"Try"), request("q"), request("q", b"No.")]
    found = engine.extend(asked, sampling())
    assert texts(engine, found) == [(" one.", "stop"), (" two.", "stop"), ("Try one.", "stop"), ("", "stop")]
    assert found[3].token_ids == (END,)
    with pytest.raises(DataError, match="no scripted answer to 'q' goes on from 'Maybe'"):
        engine.extend([request("q", b"Maybe")], sampling())


def test_pieces_together_are_the_answer() -> None:
    engine = ScriptedEngine(lambda *_: "né" * 5)
    one, whole = request("q", budget=4), ()
    while True:
        (piece,) = engine.extend([replace(one, start=whole)], sampling())
        whole += piece.token_ids
        if piece.finish != "cut":
            break
    assert whole == (*("né" * 5).encode(), END)
    assert engine.decode(whole) == "né" * 5


def test_an_answer_that_repeats_itself_ends_there() -> None:
    engine = ScriptedEngine(lambda *_: "so " + "ab" * 9)
    watched = replace(sampling(), repetition=Repetition(4, 3, 6, distinct=1))
    assert texts(engine, engine.extend([request("q"), request("q", b"so aba")], watched)) == [
        ("so ababab", "repeat"),
        ("bab", "repeat"),
    ]
    ((completion,),) = engine.generate([Prompt("q", None)], watched)
    assert (completion.text, completion.finish) == ("so ababab", "repeat")


def test_it_sleeps_and_takes_weights_as_a_real_one() -> None:
    engine: RolloutEngine = ScriptedEngine(lambda *_: "x")
    engine.sleep()
    with pytest.raises(DataError, match="the engine sleeps; call wake before extend"):
        engine.extend([request("q")], sampling())
    engine.take_weights([("a", torch.zeros(1)), ("b", torch.zeros(1))])
    assert engine.weights == ("a", "b")
    with pytest.raises(DataError, match="weight a arrived twice"):
        engine.take_weights([("a", torch.zeros(1)), ("a", torch.zeros(1))])
    engine.wake()
    assert texts(engine, engine.extend([request("q")], sampling())) == [("x", "stop")]
