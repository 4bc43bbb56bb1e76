"""The stage program warm_up: rejection sampling of the teacher's demonstrations, behaviours, gate."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from stages.data.files import read_records, write_records
from stages.data.records import CuratedProblem, Demonstration
from stages.problems.behaviours import count_behaviours
from stages.problems.procedural import generate
from stages.problems.teaching import without_repeats

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def prompt_set(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prompts")
    drawn = [problem for family in ("arithmetic", "chart") for problem in generate(family, "train", 20, 0, folder)]
    problems = [CuratedProblem(**problem.model_dump(), pass_rate=0.5) for problem in drawn]
    real = {"source": "gsm8k", "parameters": {}, "family": "gsm8k", "image": None, "modality": "text"}
    right = "First, 2 + 3 = 5.\nCheck: 5 - 3 = 2.\n\\boxed{5}"
    for name, solution in (("right", right), ("wrong", "Let us guess.\n\\boxed{6}"), ("silent", None)):
        changed = {**real, "id": name, "answer": "5", "solution_long": solution, "solution_short": None}
        problems.append(problems[0].model_copy(update=changed))
    write_records(folder / "problems.jsonl", problems)
    return folder


def warm_up(folder, prompts, **changed):
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["warm_up"] |= {"min_rows": 10, "self_taught": None, **changed}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    command = [sys.executable, "-m", "stages.warm_up", "--prompt-set", prompts, "--model", "no-model"]
    command += ["--out", "out", "--report", "report", "--docs", "docs"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_only_right_demonstrations_are_kept_and_everything_is_counted(tmp_path, prompt_set):
    done = warm_up(tmp_path, prompt_set, tries=3, hazard=0.5)
    assert done.returncode == 0, done.stderr
    rows = read_records(tmp_path / "out/demonstrations.jsonl", Demonstration)
    answers = {row.id: row.answer for row in read_records(prompt_set / "problems.jsonl", CuratedProblem)}
    assert all(row.response.endswith(f"\\boxed{{{answers[row.problem_id]}}}") for row in rows)
    assert "right" in {row.problem_id for row in rows}
    assert not {"wrong", "silent"} & {row.problem_id for row in rows}
    assert len({(row.problem_id, row.response) for row in rows}) == len(rows)
    funnel = json.loads((tmp_path / "report/funnel.json").read_text())
    repeated, wrong = funnel["steps"]
    assert repeated["before"] == 40 * 3 + 2
    assert wrong["after"] == len(rows)
    assert wrong["removed"] > 10
    assert all(funnel["behaviours"][name]["total"] > 0 for name in ("planning", "evaluation", "reflection"))
    assert funnel["prompts"]["without_teacher"] == 1
    assert funnel["characters"]["min"] <= funnel["characters"]["median"] <= funnel["characters"]["max"]
    assert json.loads((tmp_path / "report/validation.json").read_text())["success"] is True


def test_a_set_that_fails_the_gate_is_not_handed_over(tmp_path, prompt_set):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/demonstrations.jsonl").write_text("of an earlier run\n")
    done = warm_up(tmp_path, prompt_set, min_rows=10_000)
    assert done.returncode == 2
    assert "ExpectTableRowCountToBeBetween(min_value=10000)" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out/demonstrations.jsonl").exists()
    assert not (tmp_path / "report/funnel.json").exists()
    assert json.loads((tmp_path / "report/validation.json").read_text())["success"] is False


def test_equal_responses_of_a_problem_count_once():
    def row(identity, problem, response):
        fields = {"question": "q", "image": None, "verifier": "integer", "response_ids": None, "form": "long", "behaviours": {}}
        return Demonstration(id=identity, problem_id=problem, family="f", response=response, **fields)

    kept = without_repeats([row("a", "p", "x"), row("b", "p", "x"), row("c", "q", "x"), row("d", "p", "y")])
    assert [demonstration.id for demonstration in kept] == ["a", "c", "d"]


def test_behaviours_of_a_real_solution():
    text = "First we need to find x. Suppose x = 2. Check: 2 + 2 = 4. Wait, that is wrong; try x = 3."
    assert count_behaviours(text) == {"planning": 2, "evaluation": 4, "reflection": 2, "exploration": 2}
    assert count_behaviours("") == {"planning": 0, "evaluation": 0, "reflection": 0, "exploration": 0}
