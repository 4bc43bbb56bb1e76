"""`k15 compare`, from the shell, on what `k15 score --verdicts` wrote."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


def k15(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "flows.k15", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture
def verdicts(tmp_path: Path) -> list[str]:
    """Two models on four problems: 0 and 1 right, then 1, 2 and 3; the second has no answer to 0."""
    folder = tmp_path / "aime2024"
    folder.mkdir()
    (folder / "test.jsonl").write_text("".join(json.dumps({"id": n, "problem": "?", "answer": n}) + "\n" for n in range(4)))
    made = []
    for name, answers in {"first": {0: 0, 1: 1, 2: 9, 3: 9}, "second": {1: 1, 2: 2, 3: 3}}.items():
        rows = "".join(json.dumps({"id": n, "response": f"\\boxed{{{answer}}}"}) + "\n" for n, answer in answers.items())
        (tmp_path / f"{name}.jsonl").write_text(rows)
        made.append(str(tmp_path / f"{name}_verdicts.jsonl"))
        done = k15(
            "score", "aime2024", "--data", str(tmp_path), "--responses", str(tmp_path / f"{name}.jsonl"), "--verdicts", made[-1]
        )
        assert done.returncode == 0, done.stderr
    return made


def test_the_last_line_is_the_result(verdicts: list[str]) -> None:
    done = k15("compare", *verdicts)
    assert (done.returncode, done.stderr) == (0, "")
    *lines, last = done.stdout.splitlines()
    result = json.loads(last)
    assert (result["n"], result["first_score"], result["second_score"], result["difference"]) == (3, 33.33, 100.0, 66.67)
    assert result["ci95"][0] < 66.67 < result["ci95"][1]
    assert lines[1].startswith("second minus first: +66.67 points [")
    assert lines[1].endswith("better on 2 items, worse on 0")
    assert lines[2:] == ["1 items of the first file alone are not compared: 0"]
    assert k15("compare", *verdicts).stdout == done.stdout


def test_a_mistake_is_one_line(verdicts: list[str], tmp_path: Path) -> None:
    done = k15("compare", verdicts[0], str(tmp_path / "first.jsonl"))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert done.stderr.endswith("its fields are id, response; give a file that `k15 score --verdicts` wrote\n")
