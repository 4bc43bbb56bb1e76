"""Tests of published code problems judge as the published harness does: right solutions pass, wrong ones do not."""

import json
from itertools import pairwise
from pathlib import Path

import pytest

from stages.problems.code_sets import read_leetcode, read_mbpp
from stages.verifiers import code_rewards
from stages.verifiers.code_rewards import verify_program
from stages.verifiers.code_tests import AssertTest, CallTest
from stages.verifiers.languages import missing
from stages.verifiers.sandbox import why_unavailable

REASON = why_unavailable() or missing("python")
needs_sandbox = pytest.mark.skipif(REASON is not None, reason=str(REASON))
SHARED = Path("../shared/train")
CONTEST = "my_solution = Solution()\ntest_input = { 'a': 2, 'b': 5 }\nassert my_solution.power(**test_input) == 32"


@needs_sandbox
def test_a_right_solution_passes_both_kinds_of_tests() -> None:
    row = {"text": "t", "task_id": 1, "test_list": ["assert swap([1, 2]) == [2, 1]", "assert swap([(1, 2), 3]) == [3, (1, 2)]"]}
    draft = read_mbpp({**row, "code": "def swap(x):\r\n    return x[::-1]"}, "mbpp")
    assert [type(test) for test in code_rewards.tests_from(draft.answer)[1]] == [CallTest, AssertTest]
    assert verify_program(draft.answer, str(draft.solution_short)).outcome == "right"
    assert verify_program(draft.answer, "```python\ndef swap(x):\n    return x\n```").outcome == "wrong"


@needs_sandbox
def test_arguments_of_a_contest_keep_their_order() -> None:
    draft = read_leetcode({"task_id": "w", "prompt_sft": "p", "test": CONTEST}, "leetcode")
    program = "```python\nclass Solution:\n    def power(self, a, b):\n        return {}\n```"
    assert verify_program(draft.answer, program.format("a ** b")).outcome == "right"
    assert verify_program(draft.answer, program.format("b ** a")).outcome == "wrong"


def published(path: str) -> list[dict[str, object]]:
    if not (SHARED / path).is_file():
        pytest.skip(f"no {SHARED / path}: needs the published file")
    return [json.loads(line) for line in (SHARED / path).read_text(encoding="utf-8").splitlines()]


def test_every_published_row_of_mbpp_is_read() -> None:
    drafts = [read_mbpp(row, "mbpp") for row in published("code_mbpp/mbpp.jsonl")]
    tests = [test for draft in drafts for test in code_rewards.tests_from(draft.answer)[1]]
    assert len(drafts) == 974
    assert len(tests) == 2922
    assert sum(isinstance(test, CallTest) for test in tests) > 1800, "most are calls with plain values"


def test_every_published_contest_is_read_with_its_arguments_in_the_order_of_the_signature() -> None:
    rows = published("code_leetcode180/20240121-Jul.jsonl")
    kinds = []
    for row in rows:
        tests = code_rewards.tests_from(read_leetcode(row, "leetcode").answer)[1]
        kinds.append({type(test) for test in tests})
        given = str(row["test"]).partition("test_input = {")[2].partition("}")[0]
        signature = str(row["prompt"]).rpartition("def ")[2]
        names = [part.partition(":")[0].strip() for part in signature.partition("(self, ")[2].split(", ")]
        assert all(given.find(f'"{one}"') <= given.find(f'"{two}"') for one, two in pairwise(names))
    assert len(rows) == 180
    assert kinds.count({CallTest}) >= 175


@needs_sandbox
def test_published_solutions_of_mbpp_pass() -> None:
    drafts = [read_mbpp(row, "mbpp") for row in published("code_mbpp/mbpp.jsonl")[::97]]
    verdicts = [verify_program(draft.answer, str(draft.solution_short)) for draft in drafts]
    assert [verdict.reason for verdict in verdicts if verdict.outcome != "right"] == []
