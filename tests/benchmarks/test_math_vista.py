"""MathVista: published files and the hub's form load, golden cases of both integer rules, edit distances."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.benchmarks.benchmark import Item
from stages.benchmarks.math_vista_rules import MAX_EXTRACTION, edit_distance
from stages.benchmarks.registry import BENCHMARKS
from stages.data.files import DataError

BENCH = Path("../shared/bench")
MATHVISTA = BENCHMARKS["mathvista"]
RULES = {"current": MATHVISTA, "published": MATHVISTA.rules["published"]}
CASES = [json.loads(line) for line in Path("tests/cases/math_vista.jsonl").read_text(encoding="utf-8").splitlines()]
needs_bench = pytest.mark.skipif(not BENCH.exists(), reason=f"{BENCH} is not here (published benchmark files)")


def item(case: dict[str, Any]) -> Item:
    kind = "multi_choice" if case["choices"] else "free_form"
    data = {
        "answer_type": case["answer_type"],
        "precision": case["precision"] or 0,
        "task": "t",
        "question_type": kind,
        "query": None,
    }
    return Item("1", "q", None, case["gold"], "t", tuple(case["choices"]), data)


@pytest.mark.parametrize("case", CASES, ids=[f"{case['rule']}: {case['why']}" for case in CASES])
def test_golden_cases(case: dict[str, Any]) -> None:
    benchmark = RULES[case["rule"]]
    judge = benchmark.judge if case["given"] == "response" else benchmark.score_extraction
    assert judge is not None
    (verdict,) = judge([(item(case), case["text"])], 1, 10)
    assert (verdict.outcome, verdict.extracted) == (case["outcome"], case["extracted"]), verdict.reason


@needs_bench
def test_testmini_loads_whole_for_scoring_with_its_queries() -> None:
    loaded = MATHVISTA.read_answers(BENCH)
    assert (len(loaded.items), loaded.part) == (1000, None)
    kinds = [item.data["answer_type"] for item in loaded.items]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {"text": 540, "integer": 418, "float": 40, "list": 2}
    first = next(item for item in loaded.items if item.id == "2")
    assert MATHVISTA.prompt(first).question == (
        "Hint: Please answer the question requiring an integer answer and provide the final value, e.g., 1, 2, 3, at the end.\n"
        "Question: what is the total volume of the measuring cup? (Unit: g)"
    )


@needs_bench
def test_it_cannot_be_asked_without_its_pictures() -> None:
    with pytest.raises(DataError, match=r"1000 of 1000 pictures are absent, for example .*images/1.jpg; put the pictures"):
        MATHVISTA.read(BENCH)


def test_the_hubs_parquet_form_loads_with_its_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pandas as pd

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    row = {
        "pid": "7", "question": "How many?", "image": "images/7.jpg", "decoded_image": {"bytes": b"\xff\xd8\xff1", "path": None},
        "choices": None, "unit": None, "precision": 1.0, "answer": "1.2", "question_type": "free_form", "answer_type": "float",
        "metadata": {"task": "geometry problem solving"}, "query": "Hint: How many?",
    }  # fmt: skip
    (tmp_path / "mathvista/data").mkdir(parents=True)
    pd.DataFrame([row]).to_parquet(tmp_path / "mathvista/data/testmini-00000-of-00001-725687bf7a18d64b.parquet")
    (found,) = MATHVISTA.read(tmp_path).items
    assert (found.id, found.gold, found.data["precision"], found.group) == ("7", "1.2", 1, "geometry problem solving")
    assert MATHVISTA.prompt(found).question == "Hint: How many?"
    assert Path(str(found.image)).read_bytes() == b"\xff\xd8\xff1"


def test_without_its_query_an_item_cannot_be_asked() -> None:
    with pytest.raises(DataError, match=re.escape("item 1 has no query; put the authors' query.json")):
        MATHVISTA.prompt(item(CASES[0]))


def test_a_long_extraction_is_an_error() -> None:
    assert MATHVISTA.score_extraction is not None
    (verdict,) = MATHVISTA.score_extraction([(item(CASES[0]), "x" * (MAX_EXTRACTION + 1))], 1, 10)
    assert (verdict.outcome, verdict.reason) == ("error", "an extraction of 2001 characters; at most 2000 are compared")


def test_edit_distances_by_hand() -> None:
    assert [edit_distance(*pair) for pair in (("kitten", "sitting"), ("", "abc"), ("abc", ""), ("a", "a"))] == [3, 3, 3, 0]


@given(st.text(max_size=12), st.text(max_size=12))
def test_edit_distance_is_symmetric_and_bounded(first: str, second: str) -> None:
    distance = edit_distance(first, second)
    assert distance == edit_distance(second, first)
    assert abs(len(first) - len(second)) <= distance <= max(len(first), len(second))
