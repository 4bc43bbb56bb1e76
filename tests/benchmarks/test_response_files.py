"""Published forms of files of responses are read as they are: each kind through the scorer of MATH-500."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from stages.benchmarks.registry import BENCHMARKS
from stages.benchmarks.response_files import read_lines
from stages.benchmarks.scoring import score_file
from stages.data.files import DataError

CASES = [json.loads(line) for line in Path("tests/cases/response_files.jsonl").read_text(encoding="utf-8").splitlines()]
PROBLEMS = [
    {"unique_id": "p1", "problem": "What is 2+2?", "answer": "4"},
    {"unique_id": "p2", "problem": "What is 2+3?", "answer": "5"},
]


@pytest.mark.parametrize("case", CASES, ids=[case["why"] for case in CASES])
def test_published_forms(tmp_path: Path, case: dict[str, Any]) -> None:
    data = tmp_path / "test.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in PROBLEMS))
    path = tmp_path / case["name"]
    lines = "".join(json.dumps(row) + "\n" for row in case.get("lines", []))
    content = (lines or json.dumps(case["content"], indent=1)).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    scored = score_file(BENCHMARKS["math500"], data, path, 1)
    assert [row.get("item", row["id"]) for row in scored.verdicts if row["correct"]] == case["right"]
    assert scored.result["matched_by_prompt"] == case["by_prompt"]


def test_an_object_on_one_line_is_read_by_id(tmp_path: Path) -> None:
    path = tmp_path / "total_val_output.json"
    path.write_text('{"validation_Art_1": "A", "validation_Art_2": "B"}')
    assert [row for _, row in read_lines(path)] == [
        {"id": "validation_Art_1", "response": "A"},
        {"id": "validation_Art_2", "response": "B"},
    ]


def test_a_file_that_is_no_gzip_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_text("{}")
    with pytest.raises(DataError, match=r"a\.jsonl\.gz: cannot be read as gzip"):
        read_lines(path)
