"""How boxed answers of MATH-style sets are judged: cases with a why, the box of a thinking part, and what each reading turns."""

import json
from pathlib import Path

import pytest

from stages.benchmarks.competition_math_rules import as_graders_read, judge_answers, judge_boxes, math_claim, read_answer
from stages.benchmarks.items import Item
from stages.verifiers.verdict import Verdict

CASES = [json.loads(line) for line in Path("tests/cases/math_graders.jsonl").read_text(encoding="utf-8").splitlines()]
EQUAL = Verdict("right", "x", "equal as list")


def item(gold: str) -> Item:
    return Item("1", "q", None, gold, "MATH")


def test_cases() -> None:
    """All in one call, so that the worker processes start once."""
    verdicts = judge_answers("math", [(item(case["gold"]), f"So \\boxed{{{case['answer']}}}.") for case in CASES], 2, 30)
    found = [verdict.outcome for verdict in verdicts]
    wrong = [(case["why"], outcome) for case, outcome in zip(CASES, found, strict=True) if outcome != case["outcome"]]
    assert wrong == []


@pytest.mark.parametrize(
    "response, text, details",
    [
        ("\\boxed{1}", "\\boxed{1}", {}),
        ("<think>\\boxed{2}</think>\nSo \\boxed{1}", "So \\boxed{1}", {}),
        ("<think>\\boxed{2}</think>So 1", "\\boxed{2}So 1", {"read_from": "thinking"}),
        ("<think>\\boxed{2} or", "\\boxed{2} or", {"read_from": "thinking"}),
        ("<think>2", "", {}),
        ("Of <think> tags \\boxed{2}", "Of <think> tags \\boxed{2}", {}),
        ("<think>2</think>So 1", "So 1", {}),
        ("a</think>\\boxed{2}</think>b", "a\\boxed{2}b", {"read_from": "thinking"}),
    ],
)
def test_the_part_of_a_response_that_is_read(response: str, text: str, details: dict[str, str]) -> None:
    assert read_answer(response) == (text, details)


def test_a_box_of_the_thinking_part_is_told_beside_the_verdict() -> None:
    texts = ["<think>\\boxed{7}</think>cut off he", "<think>\\boxed{7}</think>\\boxed{8}", "no box at all"]
    verdicts = judge_boxes("math", [(item("7"), text) for text in texts], 1, 30)
    assert [(verdict.outcome, dict(verdict.details)) for verdict in verdicts] == [
        ("right", {"read_from": "thinking"}), ("wrong", {}), ("wrong", {}),
    ]  # fmt: skip


def test_only_what_was_read_as_equal_is_turned_and_errors_stand() -> None:
    assert as_graders_read("a,b", "(b,a)", Verdict("right", "(b,a)", "equal as written")).outcome == "right"
    assert as_graders_read("a,b", "(b,a)", EQUAL).reason == "brackets around a list that has none"
    error = Verdict("error", None, "stopped for time")
    assert as_graders_read("B", "(B) 3", error) is error
    assert as_graders_read("B", None, Verdict("wrong", None, "")).outcome == "wrong"


def test_a_float_with_an_exponent_is_answered_by_a_plain_number() -> None:
    """Qwen's grader reads floats beside floats only; the verifier itself, which rewards, reads both."""
    assert as_graders_read("1e-3", "0.001", EQUAL).outcome == "right"
    assert as_graders_read("1e-3", "1.0E-03", EQUAL).outcome == "right"
    assert as_graders_read("1e-3", "10^{-3}", EQUAL).outcome == "wrong"
    assert as_graders_read("0.001", "10^{-3}", EQUAL).outcome == "right"


def test_a_head_that_lost_its_argument_is_taken_off() -> None:
    assert math_claim(" f()=x ") == "x"
    assert math_claim("f(x)=x") == "f(x)=x"
