"""Rows as code benchmarks publish them: a bare rating of any id, verdicts beside programs."""

import json
from pathlib import Path
from typing import Any

import pytest

from stages.benchmarks.registry import BENCHMARKS
from stages.benchmarks.scoring import Scored, score_file
from stages.data.files import DataError

BENCH = Path("../shared/bench/livecodebench")
RUNS = Path("../shared/conformance/livecodebench")
STATEMENT = {
    "question_id": "q1",
    "question_content": "Add two numbers.",
    "contest_date": "2024-12-07T00:00:00",
    "starter_code": "",
    "difficulty": "easy",
}
PROGRAM = "So:\n```python\nprint(1)\n```\n"


def _scored(name: str, data: Path, rows: list[dict[str, Any]]) -> Scored:
    file = data / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return score_file(BENCHMARKS[name], data, file, 1)


@pytest.mark.parametrize(
    ("row", "percentile"),
    [
        ({"id": "o1-mini", "rating": 1578}, 89.2),
        ({"id": "QwQ-32B-Preview", "rating": 1261}, 63.6),
        ({"rating": 1578}, 89.2),
        ({"rating": "1578"}, 89.2),
        ({"id": "rating", "response": 1578}, 89.2),
        ({"id": "rating", "response": "1578"}, 89.2),
        ({"id": "any", "response": ["1261"]}, 63.6),
        ({"rating": 1578.0}, 89.2),
    ],
    ids=str,
)
def test_a_rating_of_any_id_has_its_published_percentile(tmp_path: Path, row: dict[str, Any], percentile: float) -> None:
    (tmp_path / "sorted_ratings.json").write_text("[]")
    result = _scored("codeforces", tmp_path, [row]).result
    assert (result["score"], result["n"], result["missing"], result["unmatched"]) == (percentile, 1, 0, 0)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"id": "a", "rating": 1578}, {"id": "b", "rating": 1261}], r"2 ratings \(1578 of 'a', 1261 of 'b'\); a file holds one"),
        ([{"rating": 1}, {"rating": 2}, {"rating": 3}], r"3 ratings \(1, 2, 3\)"),
        ([{"response": ["1", "2"]}], "2 ratings"),
        ([], "no rating in 0 rows; expected one row such as"),
        ([{"id": "1/A", "verdicts": [True]}], "no rating in 1 rows; .* contests.jsonl beside the data for verdicts"),
        ([{"rating": True}], "no rating in 1 rows"),
        ([{"rating": "high"}], "the row's response is no rating"),
    ],
    ids=str,
)
def test_anything_but_one_rating_is_one_clear_line(tmp_path: Path, rows: list[dict[str, Any]], message: str) -> None:
    (tmp_path / "sorted_ratings.json").write_text("[]")
    with pytest.raises(DataError, match=message) as raised:
        _scored("codeforces", tmp_path, rows)
    assert "\n" not in str(raised.value)


def _live(folder: Path) -> None:
    rows = [STATEMENT, {**STATEMENT, "question_id": "q2"}]
    (folder / "questions_release_v5_880.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.mark.parametrize(
    ("row", "score", "extracted"),
    [
        ({"graded_list": [True], "output_list": [PROGRAM]}, 50.0, "print(1)"),
        ({"graded_list": [True]}, 50.0, None),
        ({"verdicts": [True, False], "response": [PROGRAM, PROGRAM]}, 25.0, "print(1)"),
        ({"verdicts": True, "response": PROGRAM}, 50.0, "print(1)"),
        ({"verdicts": ["right", "error"], "response": [PROGRAM, None]}, 25.0, "print(1)"),
        ({"verdicts": [True]}, 50.0, None),
        ({"graded_list": [True], "response": "no program"}, 50.0, ""),
    ],
    ids=str,
)
def test_published_verdicts_stand_and_the_program_is_shown(
    tmp_path: Path, row: dict[str, Any], score: float, extracted: str | None
) -> None:
    _live(tmp_path)
    scored = _scored("livecodebench", tmp_path, [{"question_id": "q1", **row}, {"question_id": "q1", **row}, {"question_id": "q9"}])
    assert (scored.result["score"], scored.result["missing_ids"], scored.result["unmatched_ids"]) == (score, ["q2"], ["q9"])
    assert (scored.result["duplicates"], scored.verdicts[0]["extracted"]) == (1, extracted)
    assert scored.verdicts[0]["reason"].startswith("as given; fewer" if extracted == "" else "as given")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"graded_list": [True, True], "output_list": [PROGRAM]}, r"row 1 \(id 'q1'\): 2 verdicts of 1 responses"),
        ({"graded_list": [3]}, "the verdict '3' is none of true, false"),
        ({"graded_list": []}, "has none of verdicts, graded_list"),
    ],
    ids=str,
)
def test_verdicts_that_cannot_be_read_are_named(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    _live(tmp_path)
    with pytest.raises(DataError, match=message):
        _scored("livecodebench", tmp_path, [{"question_id": "q1", **row}])


@pytest.mark.skipif(not (BENCH.exists() and RUNS.exists()), reason=f"{RUNS} is not here (published LiveCodeBench verdicts)")
@pytest.mark.parametrize(("rule", "score", "n"), [(None, 53.12, 64), ("2408-2411", 52.02, 223), ("all", 68.41, 880)])
def test_published_rows_score_as_published(rule: str | None, score: float, n: int) -> None:
    """Rows as published: output_list, code_list, graded_list. Every program is extracted as the authors did."""
    benchmark = BENCHMARKS["livecodebench"] if rule is None else BENCHMARKS["livecodebench"].rules[rule]
    scored = score_file(benchmark, BENCH, RUNS / "o1-mini.jsonl", 1)
    assert (scored.result["score"], scored.result["n"]) == (score, n)
    with (RUNS / "o1-mini.jsonl").open() as lines:
        code = {row["question_id"]: row["code_list"][0] for row in map(json.loads, lines)}
    assert [row["id"] for row in scored.verdicts if row["extracted"] != code[row["id"]]] == []


def test_the_named_file_is_read_and_not_the_one_beside_it(tmp_path: Path) -> None:
    cases = json.dumps([{"input": "1", "output": "1"}])
    for name, question in (("test5.jsonl", "q1"), ("test6.jsonl", "q6")):
        (tmp_path / name).write_text(json.dumps({**STATEMENT, "question_id": question, "public_test_cases": cases}) + "\n")
    for name, question in (("test5.jsonl", "q1"), ("test6.jsonl", "q6")):
        loaded = BENCHMARKS["livecodebench"].read_answers(tmp_path / name)
        assert ([item.id for item in loaded.items], loaded.files) == ([question], (tmp_path / name,))
    other = tmp_path / "other.jsonl"
    other.write_text(json.dumps({**STATEMENT, "question_id": "q6"}) + "\n" + json.dumps({**STATEMENT, "question_id": "q7"}) + "\n")
    items = BENCHMARKS["livecodebench"].read_answers(other).items
    assert [(item.id, "at" in item.data) for item in items] == [("q6", True), ("q7", False)], "tests come from beside it"
    other.write_text('{"question_id": "q7", "prompt": "?"}\n')
    with pytest.raises(DataError, match=r"other\.jsonl: row 1 has no 'contest_date'; its fields are question_id, prompt"):
        BENCHMARKS["livecodebench"].read_answers(other)
