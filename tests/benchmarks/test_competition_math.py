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
    """Once, without any box, it takes the last number (82). Three boxes of the thinking part count, as the text after it was cut
    off (61, 61, 65): without them the same three are wrong here."""
    rows = [json.loads(line) for line in (AIME_RUNS / "areal_eval_30x2.jsonl").read_text().splitlines()]
    items = {item.id: item for item in AIME.read(BENCH).items}
    pairs = [(items[str(row["question_id"])], row["completion"]) for row in rows]
    assert len(rows) == 60
    for benchmark, expected in (
        (AIME.rules["after-thinking"], [61, 61, 82, 65]),
        (AIME, [82]),
        (AIME.rules["whole-response"], [82]),
    ):
        verdicts = benchmark.judge(pairs, 1, 10)
        differ = [row for row, verdict in zip(rows, verdicts, strict=True) if (verdict.outcome == "right") != (row["reward"] == 1)]
        assert [row["question_id"] for row in differ] == expected
        assert all(row["reward"] == 1 for row in differ)


@pytest.mark.parametrize("name", ["aime2024", "math500"])
@pytest.mark.parametrize(
    "response, outcome, details",
    [
        ("<think>\\boxed{7}</think>So \\boxed{3}", "right", {}),
        ("<think>\\boxed{3}</think>So \\boxed{7}", "wrong", {}),
        ("<think>\\boxed{7} or \\boxed{3}</think>Thus we", "right", {"read_from": "thinking"}),
        ("<think>\\boxed{3}</think>\\boxed{7}</think>Thus", "wrong", {"read_from": "thinking"}),
        ("<think>\\boxed{3}</think>\\boxed{}", "wrong", {}),
        ("<think>no</think>3", "wrong", {}),
        ("\\boxed{3}", "right", {}),
    ],
)
def test_what_follows_the_thinking_part_decides_where_it_has_a_box(name: str, response: str, outcome: str, details: object) -> None:
    (verdict,) = BENCHMARKS[name].judge([(Item("1", "q", None, "3", ""), response)], 1, 10)
    assert (verdict.outcome, verdict.details) == (outcome, details)


def _write(path: Path, *rows: dict[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_the_hubs_parquet_forms_load(tmp_path: Path) -> None:
    import pandas as pd

    math = {"problem": "P", "answer": "3", "subject": "Algebra", "level": 2, "unique_id": "test/algebra/1.json", "solution": "s"}
    aime = {"id": 60, "problem": "P", "solution": "so \\boxed{025}", "url": "u"}
    for name, row in {"math500": math, "aime2024": aime}.items():
        (tmp_path / name / "data").mkdir(parents=True)
        pd.DataFrame([row]).to_parquet(tmp_path / name / "data/test-00000-of-00001.parquet")
    assert [(item.id, item.gold) for item in MATH500.read(tmp_path).items] == [("test/algebra/1.json", "3")]
    assert [(item.id, item.gold) for item in AIME.read(tmp_path).items] == [("60", "25")]


@needs_bench
@pytest.mark.parametrize(
    "name, file, count, first",
    [
        ("math500", "math500/test_prime_expected_answer.jsonl", 500, ("test/algebra/4.json", "4")),
        ("aime2024", "aime2024/aime24_qwq_prompts.jsonl", 30, ("0", "204")),
        ("aime2024", "aime2024/aime25_qwq_prompts.jsonl", 30, ("0", "70")),
    ],
)
def test_other_published_files_load(name: str, file: str, count: int, first: tuple[str, str]) -> None:
    loaded = BENCHMARKS[name].read_answers(BENCH / file)
    assert (len(loaded.items), loaded.part) == (count, None)
    assert (loaded.items[0].id, loaded.items[0].gold) == first
    assert not any("put your final answer" in item.question for item in loaded.items)


@pytest.mark.parametrize(
    "row, item",
    [
        ({"problem": "P", "answer": "3"}, ("0", "P", "3", "MATH")),
        ({"question": "Q", "gt": "3", "idx": 7, "level": "Level 4"}, ("7", "Q", "3", "MATH, level 4")),
        ({"problem": "P", "gold": 3, "id": "a", "idx": 7, "type": "Algebra"}, ("a", "P", "3", "Algebra")),
        ({"problem": "P", "ground_truth": "x", "unique_id": "u", "id": "a"}, ("u", "P", "x", "MATH")),
        ({"problem": "P", "answer": None, "solution": "so \\boxed{\\frac{1}{2}}."}, ("0", "P", "\\frac{1}{2}", "MATH")),
        ({"problem": "P", "answer": 0}, ("0", "P", "0", "MATH")),
    ],
)
def test_math_style_sets_of_other_fields_load(tmp_path: Path, row: dict[str, object], item: tuple[str, ...]) -> None:
    path = tmp_path / "olympiad.jsonl"
    _write(path, row)
    (found,) = MATH500.read_answers(path).items
    assert (found.id, found.question, found.gold, found.group) == item


def test_an_unusable_answer_makes_its_item_an_error_not_the_file(tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    _write(
        path,
        {"idx": 0, "question": "Q", "gt": ""},
        {"idx": 1, "question": "Q", "gt": "^{6}"},
        {"idx": 2, "question": "Q", "gt": "6"},
    )
    loaded = MATH500.read_answers(path)
    assert loaded.part == "1 items have no answer that can be read: 0"
    verdicts = MATH500.judge([(item, "\\boxed{6}") for item in loaded.items], 1, 10)
    assert [verdict.outcome for verdict in verdicts] == ["error", "error", "right"]
    assert "the gold answer ''" in verdicts[0].reason
    _write(path, {"question": "Q"})
    with pytest.raises(DataError, match="row 1 has no 'answer'; its fields are question"):
        MATH500.read_answers(path)


@pytest.mark.parametrize("file", ["test-00000-of-00001.parquet", "test.parquet"])
def test_a_flat_folder_of_parquet_loads(tmp_path: Path, file: str) -> None:
    import pandas as pd

    pd.DataFrame([{"problem": "P", "answer": "3"}]).to_parquet(tmp_path / file)
    assert [item.gold for item in MATH500.read_answers(tmp_path).items] == ["3"]
    pd.DataFrame([{"ID": "2024-II-4", "Problem": "P", "Solution": "s", "Answer": 33}]).to_parquet(tmp_path / file)
    assert [(item.id, item.gold) for item in AIME.read_answers(tmp_path).items] == [("2024-II-4", "33")]
    assert AIME.row_id({"ID": "2024-II-4"}) == "2024-II-4"
