"""Where pictures stand in a turn, and where the instruction."""

from typing import get_args

import pytest
from tiny import params, problem

from stages.data.records import CuratedProblem, VerifierName
from stages.problems.teaching import demonstrations
from stages.prompts.messages import messages
from stages.prompts.prompt import Picture, Prompt
from stages.run.params import WarmUp

A, B, C = Picture("a.png"), Picture("b.png"), Picture("c.png")


@pytest.mark.parametrize(
    "prompt, turn",
    [
        (Prompt("2 + 2?", None), ["2 + 2?\nAnswer."]),
        (Prompt("2 + 2?", None, ""), ["2 + 2?"]),
        (Prompt("2 + 2?", None, "Say."), ["2 + 2?\nSay."]),
        (Prompt("What?", "a.png"), [A, "What?\nAnswer."]),
        (Prompt("See <image 1>. What?", "a.png", ""), [A, "See <image 1>. What?"]),
        (Prompt("See <image 1>. What?", ("a.png",), ""), ["See ", A, ". What?"]),
        (Prompt("<image 1>\n\n(A) x", ("a.png",), ""), [A, "\n\n(A) x"]),
        (Prompt("<image 2> or <image 1>", ("a.png", "b.png")), [B, " or ", A, "\nAnswer."]),
        (Prompt("<image 2>?", ("a.png", "b.png", "c.png"), ""), [A, C, B, "?"]),
        (Prompt("<image 1> and <image 1>", ("a.png",), ""), [A, " and ", A]),
        (Prompt("<image 0> <image 3> <image1> <image 1>", ("a.png", "b.png"), ""), [B, "<image 0> <image 3> <image1> ", A]),
        (Prompt("<image 1>", (), ""), ["<image 1>"]),
        (Prompt("<image 1>", ("a.png",), "See <image 1>."), [A, "\nSee <image 1>."]),
    ],
)
def test_the_turn(prompt: Prompt, turn: list[str | Picture]) -> None:
    assert prompt.turn("Answer.") == turn


def test_a_text_alone_is_sent_as_text() -> None:
    assert messages(Prompt("<image 1>?", None)) == [{"role": "user", "content": "<image 1>?"}]


@pytest.mark.parametrize("verifier", get_args(VerifierName))
def test_only_verifiers_that_read_a_box_ask_for_one(verifier: VerifierName) -> None:
    boxed = verifier in ("integer", "math", "text", "choice")
    asked = problem(2, verifier=verifier, question="Write it.", solution_long="So it is.\n\\boxed{2}")
    assert Prompt.of(asked).turn("Answer in a box.") == ["Write it.\nAnswer in a box." if boxed else "Write it."]
    (shown,) = demonstrations(CuratedProblem.model_validate(asked), WarmUp(**params()["warm_up"]), 0)
    assert Prompt.of(shown) == Prompt.of(asked), "a demonstration is shown with the prompt that RL will use"
