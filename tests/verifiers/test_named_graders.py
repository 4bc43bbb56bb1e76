"""Graders of other harnesses: what the published ones say of golden pairs, each with its reason."""

import json
from pathlib import Path
from typing import Any

import pytest

from stages.benchmarks.items import Item
from stages.benchmarks.registry import BENCHMARKS

CASES = [json.loads(line) for line in Path("tests/cases/named_graders.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("case", CASES, ids=[f"{case['rule']}: {case['why']}" for case in CASES])
def test_golden_cases(case: dict[str, Any]) -> None:
    benchmark = BENCHMARKS["math500"].rules[case["rule"]]
    (verdict,) = benchmark.judge([(Item("1", "q", None, case["gold"], "g"), f"\\boxed{{{case['answer']}}}")], 1, 20)
    assert verdict.outcome == case["outcome"], verdict.reason
