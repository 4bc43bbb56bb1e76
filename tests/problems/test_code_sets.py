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


def table_of(question: str) -> str:
    """A program that knows what the question's assertions say, and nothing else."""
    lines = [line for line in question.splitlines() if line.startswith("assert ")]
    name = lines[0].split("(")[0].removeprefix("assert ").strip()
    pairs = [line.removeprefix("assert ").split("==", 1) for line in lines if "==" in line]
    seen = ", ".join(f"(({call.strip()[len(name) :].strip()[1:-1]},), {value.strip()})" for call, value in pairs)
    return f"```python\nseen = [{seen}]\ndef {name}(*given):\n    return next((b for a, b in seen if a == given), None)\n```"


@needs_sandbox
def test_a_table_written_from_the_question_of_mbpp_is_not_rewarded() -> None:
    tests = ["assert double(2) == 4", "assert double(5) == 10", "assert double(7) == 14"]
    draft = read_mbpp({"text": "Double.", "task_id": 1, "test_list": tests, "code": "def double(x): return 2 * x"}, "mbpp")
    assert tests[0] in draft.question
    assert tests[1] not in draft.question
    assert code_rewards.hidden_tests(draft.question, draft.answer) == (2, 3)
    assert verify_program(draft.answer, table_of(draft.question)).outcome == "wrong"
    assert verify_program(draft.answer, table_of(draft.question + "\n" + "\n".join(tests[1:]))).outcome == "right", (
        "with all it would be"
    )
    assert verify_program(draft.answer, str(draft.solution_short)).outcome == "right"


@pytest.mark.parametrize(
    ("question", "tests", "hidden"),
    [
        ("Input: 3  Output: 6", [{"input": "3\n", "output": "6"}], 0),
        ("Input: 3  Output: 6", [{"input": "3", "output": "6"}, {"input": "5", "output": "10"}], 1),
        ("add(1, 2) is 3", [{"function": "add", "arguments": "1\n2", "result": "3"}], 0),
        ("add two numbers", [{"function": "add", "arguments": "1\n2", "result": "3"}], 1),
        ("assert f('a') == 1", [{"statements": 'assert f("a")  == 1'}], 0),
    ],
)
def test_tests_that_the_question_does_not_show_are_counted(question: str, tests: list[dict[str, str]], hidden: int) -> None:
    assert code_rewards.hidden_tests(question, json.dumps({"tests": tests})) == (hidden, len(tests))


def test_every_row_of_mbpp_has_hidden_tests_but_one() -> None:
    """That one's three assertions are the same."""
    drafts = [read_mbpp(row, "mbpp") for row in published("code_mbpp/mbpp.jsonl")]
    hidden = [code_rewards.hidden_tests(draft.question, draft.answer)[0] for draft in drafts]
    assert sum(count == 0 for count in hidden) == 1
