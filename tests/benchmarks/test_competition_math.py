"""MATH-500 and AIME 2024: published files load as they are, published verdicts come out."""

import json
import re
from pathlib import Path

import pytest

from stages.benchmarks.benchmark import Item
from stages.benchmarks.registry import BENCHMARKS
from stages.data.files import DataError
from stages.rollout.engine import Prompt

SHARED = Path("../shared")
BENCH = SHARED / "bench"
AIME_RUNS = SHARED / "conformance/aime2024"
needs_bench = pytest.mark.skipif(not BENCH.exists(), reason=f"{BENCH} is not here (published benchmark files)")
needs_runs = pytest.mark.skipif(not AIME_RUNS.exists(), reason=f"{AIME_RUNS} is not here (published AIME verdicts)")
MATH500, AIME = BENCHMARKS["math500"], BENCHMARKS["aime2024"]


@needs_bench
def test_published_math500_loads_whole() -> None:
    loaded = MATH500.read(BENCH)
    assert (len(loaded.items), loaded.part) == (500, None)
    assert loaded.items[0].id == "test/precalculus/807.json"
    assert loaded.items[0].gold == "\\left( 3, \\frac{\\pi}{2} \\right)"
    assert sum(item.group.endswith("level 5") for item in loaded.items) == 134


@needs_bench
def test_published_aime_loads_whole_with_leading_zeros_read() -> None:
    loaded = AIME.read(BENCH)
    assert (len(loaded.items), loaded.part) == (30, None)
    assert {item.id: item.gold for item in loaded.items}["67"] == "25", "published as 025"


def test_aime_answers_may_stand_in_the_solution(tmp_path: Path) -> None:
    _write(tmp_path / "aime2024/test.jsonl", {"id": 60, "problem": "P", "solution": "\\boxed{204}"})
    loaded = AIME.read(tmp_path)
    assert [item.gold for item in loaded.items] == ["204"]
    assert loaded.part == "the file holds 1 of 30 items", "a part never stands in the tables"


def test_the_prompt_is_the_published_one() -> None:
    item = Item("1", "How many?", None, "3", "g")
    asked = "How many?\nPlease reason step by step, and put your final answer within \\boxed{}."
    assert MATH500.prompt(item) == AIME.prompt(item) == Prompt(asked, None, instruction="")


@pytest.mark.parametrize(
    "row, message",
    [
        ({"id": 1, "problem": "P", "answer": "1000"}, "row 1: the answer '1000' is not an integer from 0 to 999"),
        ({"id": 1, "problem": "P", "answer": "-3"}, "row 1: the answer '-3' is not an integer from 0 to 999"),
        ({"id": 1, "answer": "3"}, "row 1 has no 'problem'; its fields are id, answer"),
        ({"id": 1, "problem": " ", "answer": "3"}, "row 1 (id '1') has an empty question or answer"),
    ],
)
def test_a_damaged_row_is_named(tmp_path: Path, row: dict[str, object], message: str) -> None:
    path = tmp_path / "aime2024/test.jsonl"
    _write(path, row)
    with pytest.raises(DataError, match=re.escape(f"{path}: {message}")):
        AIME.read(tmp_path)


def test_an_id_twice_is_an_error(tmp_path: Path) -> None:
    row = {"id": 1, "problem": "P", "answer": "3"}
    _write(tmp_path / "aime2024/test.jsonl", row, row)
    with pytest.raises(DataError, match="the id '1' occurs twice"):
        AIME.read(tmp_path)


@pytest.mark.parametrize("name", list(BENCHMARKS))
def test_missing_files_are_one_line_that_says_what_to_put_where(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError) as caught:
        BENCHMARKS[name].read(tmp_path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(tmp_path / name) in message
    assert BENCHMARKS[name].files[0] in message
    assert f"hf download {BENCHMARKS[name].hub_id}" in message


def test_the_registry_knows_each_benchmark_by_its_own_name() -> None:
    assert {name: benchmark.name for name, benchmark in BENCHMARKS.items()} == {name: name for name in BENCHMARKS}


@needs_runs
def test_aime_verdicts_of_deepscaler_are_reproduced() -> None:
    rows = [json.loads(line) for line in (AIME_RUNS / "DeepScaleR-1.5B-Preview_8192tok.jsonl").read_text().splitlines()]
    pairs = [(Item(str(row["id"]), "q", None, str(row["gold_answer"]), ""), row["generated_responses"][0]) for row in rows]
    verdicts = AIME.judge(pairs, 1, 10)
    assert [verdict.outcome == "right" for verdict in verdicts] == [row["is_correct"] for row in rows]
    assert sum(row["is_correct"] for row in rows) == 9


@needs_runs
@needs_bench
def test_aime_verdicts_of_areal_differ_only_where_its_verifier_is_more_lenient() -> None:
    """It takes a box of the thinking part when the text after it was cut off (61, 61, 65), and once, without any box,
    the last number (82). With the mark of the thinking part taken away, only the latter remains."""
    rows = [json.loads(line) for line in (AIME_RUNS / "areal_eval_30x2.jsonl").read_text().splitlines()]
    items = {item.id: item for item in AIME.read(BENCH).items}
    assert len(rows) == 60
    for mark, expected in (("</think>", [61, 61, 82, 65]), ("", [82])):
        texts = [row["completion"].replace("</think>", mark) for row in rows]
        pairs = [(items[str(row["question_id"])], text) for row, text in zip(rows, texts, strict=True)]
        found = [verdict.outcome == "right" for verdict in AIME.judge(pairs, 1, 10)]
        differ = [row for row, right in zip(rows, found, strict=True) if right != (row["reward"] == 1)]
        assert [row["question_id"] for row in differ] == expected
        assert all(row["reward"] == 1 for row in differ)


def _write(path: Path, *rows: dict[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
