"""Programs against tests as a reward: golden cases through the one door."""

import json
from pathlib import Path
from typing import Any

import pytest

from stages.verifiers import code_rewards
from stages.verifiers.languages import missing
from stages.verifiers.sandbox import why_unavailable
from stages.verifiers.verdict import answerable, verify

CASES = [json.loads(line) for line in Path("tests/cases/code_rewards.jsonl").read_text(encoding="utf-8").splitlines()]
HERE = why_unavailable() or missing("python") or missing("sh")
needs_sandbox = pytest.mark.skipif(HERE is not None, reason=str(HERE))


@needs_sandbox
@pytest.mark.parametrize("case", CASES, ids=[case["why"] for case in CASES])
def test_golden_cases(case: dict[str, Any]) -> None:
    verdict = verify("code", case["gold"], case["response"])
    assert verdict.outcome == case["outcome"], verdict.reason
    assert (answerable("code", case["gold"]) is None) is (case["outcome"] != "error")


def test_without_a_sandbox_no_program_is_right_and_curation_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_rewards, "why_unavailable", lambda: "no bubblewrap here")
    gold = '{"tests": [{"input": "3", "output": "6"}]}'
    assert answerable("code", gold) == "no bubblewrap here"
    verdict = verify("code", gold, "```\nprint(6)\n```")
    assert (verdict.outcome, verdict.reason) == ("error", "no bubblewrap here")


def test_tests_that_are_none_are_named_before_the_sandbox_is_looked_for() -> None:
    assert answerable("code", "6") == "the tests need a language of " + ", ".join(code_rewards.LANGUAGES) + (
        " and a list of tests that is not empty"
    )
