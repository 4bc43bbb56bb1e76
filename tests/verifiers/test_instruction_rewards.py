"""Instruction checks as a reward: golden cases through the one door."""

import json
from pathlib import Path
from typing import Any

import pytest

from stages.verifiers.verdict import Verdict, answerable, verify, verify_all

CASES = [json.loads(line) for line in Path("tests/cases/instruction_rewards.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("case", CASES, ids=[case["why"] for case in CASES])
def test_golden_cases(case: dict[str, Any]) -> None:
    verdict = verify("instructions", case["gold"], case["response"])
    assert verdict.outcome == case["outcome"], verdict.reason
    assert (answerable("instructions", case["gold"]) is None) is (case["outcome"] != "error")


def test_a_verdict_names_what_was_not_followed() -> None:
    gold = '[{"instruction": "punctuation:no_comma"}, {"instruction": "startend:quotation"}]'
    assert verify("instructions", gold, "a b") == Verdict("wrong", "1 of 2 followed", "not followed: startend:quotation")
    assert (
        answerable("instructions", '[{"instruction": "no:comma"}]')
        == verify("instructions", '[{"instruction": "no:comma"}]', "").reason
    )


def test_a_response_of_a_million_characters_is_judged_or_an_error_and_costs_no_other() -> None:
    gold = '[{"instruction": "punctuation:no_comma"}]'
    verdicts = verify_all(
        [("instructions", gold, "x" * 10**6), ("instructions", gold, "x" * 10**6 + "y"), ("instructions", gold, "x")]
    )
    assert [verdict.outcome for verdict in verdicts] == ["right", "error", "right"]
