"""Test-case generation end to end in the sandbox, on right, wrong, slow and special-judge problems, and its votes by hand."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from chat_server import asked, completion, served
from hypothesis import given, settings
from hypothesis import strategies as st
from imports import PROJECT

from stages.curation.code_problems import NO_TESTS, NOT_PASSED, SPECIAL_JUDGE, TOO_FEW, CodeProblem, several_answers
from stages.curation.code_yield import funnel, table
from stages.curation.test_generation import judged, outputs, passes, vote
from stages.data.files import read_records, read_rows
from stages.problems.jsonl import read_row
from stages.run.optional import CodeTests
from stages.verifiers.languages import missing
from stages.verifiers.sandbox import why_unavailable
from stages.verifiers.verdict import verify

CASES = Path("tests/cases/code_problems.jsonl")
HERE = why_unavailable() or missing("python")
needs_sandbox = pytest.mark.skipif(HERE is not None, reason=str(HERE))
EXPECTED = {
    "right": None,  # ten right submissions of three forms agree on every input
    "one-wrong": None,  # nine of ten pass, which is enough
    "two-wrong": NOT_PASSED,  # eight agree on every test, but eight passing submissions are too few
    "slow": NO_TESTS,  # four time out on nearly every input, so that no seven agree
    "one-slow": None,  # one submission is too slow; nine pass
    "crash": NOT_PASSED,  # submissions that crash at once do not pass
    "same-input": NO_TESTS,  # a generator that ignores its number makes one input
    "few-inputs": NO_TESTS,  # a generator that fails on most numbers
    "no-generator": None,  # the model writes it
    "few-submissions": TOO_FEW,
    "declared": SPECIAL_JUDGE,  # the row says that several outputs are right
    "stated": SPECIAL_JUDGE,  # the statement says so
    "disputed": SPECIAL_JUDGE,  # right submissions print different things and nothing says that they may
}
GENERATOR = "Here it is.\n```python\nimport sys\nprint(sys.argv[1], 7)\n```"


def rules(**changed: Any) -> CodeTests:
    preset = yaml.safe_load((PROJECT / "flows/presets/code-tests.yaml").read_text(encoding="utf-8"))["code_tests"]["contests"]
    return CodeTests(**{**preset, "inputs": 12, "min_tests": 10, "seconds": 2.0, **changed})


def program(folder: Path, **changed: Any) -> subprocess.CompletedProcess[str]:
    params = yaml.safe_load((PROJECT / "params.yaml").read_text(encoding="utf-8"))
    params["code_tests"] = {"mine": rules(**changed).model_dump()}
    (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    words = [sys.executable, "-m", "stages.code_tests", "mine", "--problems", str(PROJECT / CASES)]
    environment = {name: value for name, value in os.environ.items() if name != "OPENAI_API_KEY"} | {"PYTHONPATH": str(PROJECT)}
    return subprocess.run(
        [*words, "--out", "out", "--report", "report"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@needs_sandbox
def test_every_kind_of_problem_from_its_file_to_a_reward(tmp_path: Path) -> None:
    with served(lambda *_: completion(GENERATOR)) as seen:
        done = program(tmp_path, model="writer", endpoint=seen.address)
    assert done.returncode == 0, done.stderr
    assert ["print a + b" in asked(body) for body in seen.bodies] == [True], "only where a generator is missing and of use"
    assert "cyaron" in asked(seen.bodies[0])

    excluded = {row["id"]: row for row in read_rows(tmp_path / "out/excluded.jsonl")}
    kept = {row["id"]: row for row in read_rows(tmp_path / "out/problems.jsonl")}
    assert {name: excluded[name]["rule"] if name in excluded else None for name in EXPECTED} == EXPECTED, excluded
    assert set(kept) == {name for name, rule in EXPECTED.items() if rule is None}
    assert "no more" in excluded["few-inputs"]["reason"], "the first failure of the generator is shown"

    content = json.loads((tmp_path / "report/funnel.json").read_text(encoding="utf-8"))
    assert [(step["removed"], step["after"], step["reported_after"]) for step in content["steps"]] == [
        *((1, 12, None), (3, 9, 614), (3, 6, 463), (2, 4, 323)),
    ]
    assert "1000 (100.0%)" in done.stdout
    assert "323 (32.3%)" in done.stdout
    assert "4 (30.8%)" in done.stdout

    draft = read_row(kept["one-wrong"], "code")
    right, wrong = (f"```python\na, b = map(int, input().split())\nprint(a {sign} b)\n```" for sign in "+*")
    assert verify(draft.verifier, draft.answer, right).outcome == "right"
    assert verify(draft.verifier, draft.answer, wrong).outcome == "wrong"
    tests = kept["no-generator"]["answer"]["tests"]
    assert tests[:2] == [{"input": "1 7\n", "output": "8\n"}, {"input": "2 7\n", "output": "9\n"}]


def test_the_journal_is_read_before_anything_is_run(tmp_path: Path) -> None:
    """A file of one unusable problem: nothing has to be run, and its outcome is the same from the journal."""
    problem = CodeProblem(id="a", question="q", submissions=["print(1)"], special_judge=True)
    row = json.dumps(problem.model_dump())
    from stages.curation.code_problems import CodeOutcome
    from stages.data.journal import append, restored

    outcome = CodeOutcome(id="a", rule=SPECIAL_JUDGE, reason="the row says so", tests=[], counts={})
    append(tmp_path / "journal.jsonl", [outcome, outcome])
    with (tmp_path / "journal.jsonl").open("a", encoding="utf-8") as file:
        file.write(row[:20])
    assert restored(tmp_path / "journal.jsonl", CodeOutcome) == [outcome, outcome]
    assert (tmp_path / "journal.jsonl").read_bytes().endswith(b"}\n"), "the torn line is gone, so that the next one is whole"


def test_a_vote_needs_seven_of_ten() -> None:
    assert vote(["5"] * 7 + ["6"] * 3, 7).output == "5"
    assert vote(["5"] * 6 + ["6"] * 4, 7).output is None
    assert vote(["5\n", "5", " 5 ", "5.0", None, None, None, "5", "5", "5"], 7).output == "5\n"
    assert vote([None] * 4 + ["5"] * 6, 7) == vote(["5"] * 6, 7)
    assert vote([], 7).finished == 0


def test_both_votes_on_a_hand_made_table() -> None:
    """Three inputs, ten submissions: the last input has no seven, and of the two tests kept nine submissions pass both."""
    table = [["1", "2", "3"]] * 6 + [["1", "2", "4"]] * 3 + [["1", "9", "4"]]
    problem = CodeProblem(id="a", question="q", submissions=["x"] * 10)
    outcome = judged(problem, ["i", "j", "k"], table, {}, rules(min_tests=2))
    assert outcome.tests == [{"input": "i", "output": "1"}, {"input": "j", "output": "2"}]
    assert outcome.counts == {"agreed": 2, "disputed": 1, "unfinished": 0, "run": 10, "passing": 9}
    assert judged(problem, ["i", "j", "k"], table, {}, rules(min_tests=3)).rule == NO_TESTS
    assert judged(problem, ["i", "j", "k"], table, {}, rules(min_tests=2, passing=10)).rule == NOT_PASSED


@settings(deadline=None, max_examples=50)
@given(st.lists(st.sampled_from(["1", "2", "3", None]), min_size=10, max_size=10))
def test_who_agrees_with_the_vote_passes_it(column: list[str | None]) -> None:
    found = vote(column, 7)
    assert (found.output is not None) == any(column.count(value) >= 7 for value in "123")
    assert sum(passes([value], [found]) for value in column) == (column.count(found.output) if found.output else 10)


@pytest.mark.parametrize(
    ("statement", "several"),
    [
        ("If there are several shortest paths, print any of them.", True),
        ("If there are multiple answers, you may output any.", True),
        ("Print any valid arrangement.", True),
        ("Print the number of ways modulo 998244353.", False),
        ("No two of them share any letter.", False),
        ("Print the sum of all numbers.", False),
    ],
)
def test_statements_that_allow_several_answers(statement: str, several: bool) -> None:
    problem = CodeProblem(id="a", question=statement, submissions=["x"])
    assert (several_answers(problem) is not None) is several
    assert several_answers(problem.model_copy(update={"special_judge": False})) is None, "the row knows better"


@needs_sandbox
def test_a_submission_that_fails_now_and_then_is_run_on_the_rest() -> None:
    problem = CodeProblem(id="a", question="q", submissions=["n = int(input())\nassert n % 4\nprint(n)", "assert False"])
    first, second = problem.references()
    assert outputs(first, [str(n) for n in range(1, 8)], 2.0) == ["1\n", "2\n", "3\n", None, "5\n", "6\n", "7\n"]
    assert outputs(second, ["1"] * 5, 2.0) == [None] * 5


def test_the_yield_of_nothing_is_no_error() -> None:
    assert "0" in table(funnel([], []))


def test_the_cases_are_a_file_of_code_problems() -> None:
    assert [problem.id for problem in read_records(CASES, CodeProblem)] == list(EXPECTED)
