"""`k15 verify`, from the shell: a verdict a row by the rules of RL, the counts, and rows that are no claims."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from stages.verifiers.languages import missing
from stages.verifiers.sandbox import why_unavailable

HERE = why_unavailable() or missing("python")


def k15(path: Path, rows: list[dict[str, Any]]) -> subprocess.CompletedProcess[str]:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = [sys.executable, "-m", "flows.k15", "verify", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=180)


def test_a_verdict_a_row_in_order_and_the_counts_last(tmp_path: Path) -> None:
    done = k15(
        tmp_path / "rows.jsonl",
        [
            {"id": "a", "verifier": "integer", "gold": 18, "response": "<think>?</think> \\boxed{18 \\text{ dollars}}"},
            {"verifier": "math", "gold": "5", "response": "\\boxed{\\neq 5}", "question": "x?"},
            {"verifier": "math", "gold": "\\foo", "response": "\\boxed{5}"},
            {"verifier": "choice", "gold": "B", "response": "no box"},
            {"verifier": "judge", "gold": "Paris", "response": "\\boxed{France}", "question": "Where?"},
        ],
    )
    assert done.returncode == 0, done.stderr
    *found, counts = map(json.loads, done.stdout.splitlines())
    assert [(row["row"], row["outcome"], row["extracted"]) for row in found] == [
        (1, "right", "18 \\text{ dollars}"),
        (2, "wrong", "\\neq 5"),
        (3, "error", "5"),
        (4, "wrong", None),
        (5, "error", "France"),
    ]
    assert found[0]["id"] == "a"
    assert all(row["reason"] for row in found)
    assert counts == {"rows": 5, "right": 1, "wrong": 2, "error": 2}


@pytest.mark.skipif(HERE is not None, reason=str(HERE))
def test_tests_of_a_program_stand_in_the_row_as_they_are(tmp_path: Path) -> None:
    gold = {"tests": [{"input": "3 4\n", "output": "7\n"}]}
    done = k15(
        tmp_path / "rows.jsonl",
        [{"verifier": "code", "gold": gold, "response": "```python\nprint(sum(map(int, input().split())))"}],
    )
    assert json.loads(done.stdout.splitlines()[0])["outcome"] == "right", done.stdout


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"gold": "5", "response": ""}, "row 1 has no 'verifier'; a row holds verifier, gold, response and, for a judge, question"),
        ({"verifier": "maths", "gold": "5", "response": ""}, "row 1: verifier is 'maths', expected one of integer, "),
        ({"verifier": "math", "gold": True, "response": ""}, "row 1: gold is a bool, expected a text"),
        ({"verifier": "math", "gold": "5", "response": ["a"]}, "row 1: response is a list, expected a text"),
    ],
)
def test_a_row_that_is_no_claim_is_one_clear_error(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    done = k15(tmp_path / "rows.jsonl", [row])
    assert done.returncode != 0
    assert f"{tmp_path / 'rows.jsonl'}: {message}" in done.stderr
    assert "Traceback" not in done.stderr
