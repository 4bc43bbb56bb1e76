"""The scripted engine keeps the Protocol's promises."""

import pytest

from stages.data.files import DataError
from stages.rollout.engine import Engine, Prompt, Sampling
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
