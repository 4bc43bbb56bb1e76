"""Graders of other harnesses: what the published ones say of golden pairs, each with its reason."""

import json
from pathlib import Path
from typing import Any

import pytest

from stages.benchmarks.items import Item
from stages.benchmarks.registry import BENCHMARKS
from stages.verifiers.qwen_forms import normal_form, stated_answer

CASES = [json.loads(line) for line in Path("tests/cases/named_graders.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("case", CASES, ids=[f"{case['rule']}: {case['why']}" for case in CASES])
def test_golden_cases(case: dict[str, Any]) -> None:
    benchmark = BENCHMARKS["math500"].rules[case["rule"]]
    (verdict,) = benchmark.judge([(Item("1", "q", None, case["gold"], "g"), f"\\boxed{{{case['answer']}}}")], 1, 20)
    assert verdict.outcome == case["outcome"], verdict.reason


def test_qwens_normal_form_takes_numbers_of_any_length() -> None:
    assert (normal_form("007"), normal_form("0" + 5000 * "9")) == ("7", 5000 * "9")


@pytest.mark.parametrize(
    "response, answer",
    [
        ("so \\boxed{1} or \\boxed{\\frac{1}{2}}", "\\frac{1}{2}"), ("\\boxed{3", "3"), ("\\boxed 5$ then", "5"),
        ("The answer is 4.", "4"), ("答案是 7\n\nrest", "7"), ("3 apples and 1,200 pears", "1200"), ("none", None),
    ],
)  # fmt: skip
def test_where_qwens_harness_finds_the_answer(response: str, answer: str | None) -> None:
    assert stated_answer(response) == answer
