"""Codeforces by vote: which program is the attempt, where the test inputs come from, what `k15 score` and `generate` make of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from stages.benchmarks import coding_ballots
from stages.benchmarks.averages import Judged
from stages.benchmarks.benchmark import Item
from stages.benchmarks.coding_entries import CODING
from stages.benchmarks.generation import Wanted, generate
from stages.benchmarks.scoring import score_file
from stages.data.files import DataError
from stages.rollout.engine import Prompt
from stages.rollout.responder import EngineResponder
from stages.rollout.scripted import ScriptedEngine
from stages.verifiers.languages import missing
from stages.verifiers.sandbox import why_unavailable
from stages.verifiers.verdict import Verdict

REASON = why_unavailable() or missing("python")
needs_sandbox = pytest.mark.skipif(REASON is not None, reason=str(REASON))
ATTEMPTS, VOTE = CODING["codeforces"], CODING["codeforces"].rules["vote"]
DOUBLE, ALSO, SQUARE, CRASH = "print(int(input()) * 2)", "n = int(input())\nprint(n + n)", "print(int(input()) ** 2)", "1 / 0"


def block(program: str) -> str:
    return f"So:\n```python\n{program}\n```"


@pytest.fixture
def contest(tmp_path: Path) -> Path:
    """One contest of two problems, each to double a number, with 210 human participants."""
    folder = tmp_path / "codeforces"
    folder.mkdir()
    rows = [[500.0 * (index // 50), index % 50, 800 + 10 * index] for index in range(210)]
    (folder / "contests.jsonl").write_text(
        json.dumps({"contest_id": 1, "icpc": False, "points": {"A": 500, "B": 1000}, "rows": rows}) + "\n"
    )
    tests = [{"input": "4\n", "output": "8\n"}, {"input": "5\n", "output": "10\n"}]
    problems = [{"contest_id": 1, "index": index, "statement": f"Double ({index}).", "tests": tests} for index in "AB"]
    (folder / "problems.jsonl").write_text("".join(json.dumps(row) + "\n" for row in problems))
    return tmp_path


def write(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@needs_sandbox
def test_the_chosen_program_is_the_only_attempt(contest: Path) -> None:
    """Of A the second and fourth sample agree and are right; of B two wrong ones agree, though a right one stands first."""
    rows = [
        {"id": "1/A", "response": [block(SQUARE), block(DOUBLE), block(CRASH), block(ALSO)], "inputs": ["3\n", "7\n"]},
        {"id": "1/B", "response": [block(DOUBLE), block(SQUARE), block(f"{SQUARE}  # again")], "inputs": "```\n3\n```"},
    ]
    found = score_file(VOTE, contest, write(contest / "given.jsonl", *rows), 2)
    chosen = [(row["id"], row["sample"], row["correct"]) for row in found.verdicts if row.get("details", {}).get("chosen")]
    assert chosen == [("1/A", 1, True), ("1/B", 1, False)]
    assert found.result["rule"] == coding_ballots.RULE
    assert [found.result[name] for name in ("voted", "votes_without_inputs", "votes_for_none")] == [2, 0, 0]
    single = [{"id": "1/A", "response": block(DOUBLE)}, {"id": "1/B", "response": block(SQUARE)}]
    alone = score_file(ATTEMPTS, contest, write(contest / "single.jsonl", *single), 2).result
    assert found.result["rating"] == alone["rating"], "as if the chosen ones were all that was tried"
    eight = score_file(ATTEMPTS, contest, contest / "given.jsonl", 2).result
    assert eight["rating"] > alone["rating"], "without the vote B is solved at its first attempt"
    assert score_file(VOTE, contest, contest / "single.jsonl", 2).result["rating"] == alone["rating"], "one sample needs no vote"


@needs_sandbox
def test_inputs_may_stand_in_a_file_beside_and_an_invalid_one_does_no_harm(contest: Path) -> None:
    """The right programs fail together on an input that is no number; thinking is not read for inputs."""
    write(contest / "r.jsonl", {"id": "1/A", "response": [block(SQUARE), block(DOUBLE), block(ALSO)]})
    write(contest / "r_inputs.jsonl", {"id": "1/A", "response": "<think>```\n0\n```</think>```\nx\n```\n```\n9\n```"})
    found = score_file(VOTE, contest, contest / "r.jsonl", 1)
    assert [row.get("details") for row in found.verdicts] == [None, {"chosen": True}, None]
    assert found.result["missing_ids"] == ["1/B"]


@needs_sandbox
def test_without_inputs_for_a_problem_its_first_program_is_chosen_and_counted(contest: Path) -> None:
    rows = [
        {"id": "1/A", "response": [block(DOUBLE), block(SQUARE)], "inputs": ["3\n"]},
        {"id": "1/B", "response": ["no program", block(SQUARE), block(DOUBLE)]},
    ]
    found = score_file(VOTE, contest, write(contest / "given.jsonl", *rows), 1)
    assert [row["sample"] for row in found.verdicts if row.get("details", {}).get("chosen")] == [0, 1]
    assert found.result["votes_without_inputs"] == 1


def test_what_cannot_be_voted_on_is_refused(contest: Path) -> None:
    rows = [{"id": "1/A", "response": [block(DOUBLE), block(SQUARE)]}]
    given = write(contest / "given.jsonl", *rows)
    with pytest.raises(
        DataError, match=r"no test inputs for the vote over 1 problems; expected `inputs` in the rows, or given_inputs"
    ):
        score_file(VOTE, contest, given, 1)
    write(given, {"id": "1/A", "verdicts": [True, False], "inputs": ["3"]})
    with pytest.raises(DataError, match=r"'1/A' has verdicts without programs"):
        score_file(VOTE, contest, given, 1)
    write(given, {"id": "1/A", "response": ["a", "b"], "inputs": 3})
    with pytest.raises(DataError, match=r"given.jsonl:1: inputs: 3; expected a list of texts"):
        score_file(VOTE, contest, given, 1)


def test_problems_that_nobody_chose_for_have_no_attempt(contest: Path) -> None:
    items = VOTE.read_answers(contest).items
    wrong, right = Verdict("wrong", "x", ""), Verdict("right", "x", "")
    none = coding_ballots.percentile([Judged(item, (right, right)) for item in items])
    assert none.figures["votes_for_none"] == 2
    assert none.score.mean == coding_ballots.percentile([Judged(item, (wrong,)) for item in items]).score.mean


def test_the_rules_of_a_table_and_of_several_samples() -> None:
    assert ATTEMPTS.for_table(2) is ATTEMPTS
    assert ATTEMPTS.for_table(2, samples=8) is VOTE
    live = CODING["livecodebench"]
    assert live.for_table(2, samples=8) is live.for_table(None) is live
    assert live.for_table(3) is live.rules["2408-2411"]


@needs_sandbox
def test_generate_asks_for_inputs_once_a_problem_and_score_says_the_same(contest: Path) -> None:
    asked: list[str] = []

    def script(prompt: Prompt, sample: int) -> str:
        if coding_ballots.inputs_prompt("").question.strip() in prompt.question:
            asked.append(prompt.question)
            return "```\n3\n```\n```\n8\n```"
        return block((SQUARE, DOUBLE, ALSO)[sample])

    wanted = Wanted(["codeforces"], contest, None, "long", 0, 1, {"samples": 3, "max_tokens": 200})
    responder = EngineResponder(lambda: ScriptedEngine(script), 8, {"model": "scripted"})
    found = generate(wanted, responder, contest / "out", "mine", None, {}, lambda *_: None)
    assert len(asked) == 2
    assert found.cost.responses == 2 * 3 + 2
    cell = found.cells["codeforces"]
    assert (cell["rule"], cell["k"], cell["figures"]["voted"]) == (coding_ballots.RULE, 3, 2)
    assert (cell["limited"], cell["part"]) == (False, None), "all problems of the user's contests: it stands in table 2"
    again = score_file(VOTE, contest, contest / "out/codeforces.jsonl", 1).result
    assert (again["rating"], again["score"]) == (cell["figures"]["rating"], round(100 * cell["accuracy"], 2))
    one = Wanted(["codeforces"], contest, None, "long", 0, 1, {"samples": 1, "max_tokens": 200})
    alone = generate(one, responder, contest / "one", "mine", None, {}, lambda *_: None)
    assert alone.cells["codeforces"]["rule"] == ATTEMPTS.rule
    assert not (contest / "one/codeforces_inputs.jsonl").exists()


def test_the_prompt_for_inputs_shows_the_statement() -> None:
    prompt = coding_ballots.prompt(Item("1/A", "Double it.", None, "t", "1"))
    assert prompt.question.startswith("Double it.\n\nWrite test inputs")
