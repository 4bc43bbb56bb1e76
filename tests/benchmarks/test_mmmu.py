"""MMMU: published files and the hub's form load, prompts, golden cases, the number patterns against the authors' own."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.benchmarks import mmmu_rules
from stages.benchmarks.benchmark import Item
from stages.benchmarks.registry import BENCHMARKS
from stages.data.files import DataError

BENCH = Path("../shared/bench")
MMMU = BENCHMARKS["mmmu"]
CASES = [json.loads(line) for line in Path("tests/cases/mmmu.jsonl").read_text(encoding="utf-8").splitlines()]
needs_bench = pytest.mark.skipif(not BENCH.exists(), reason=f"{BENCH} is not here (published benchmark files)")
PNG = bytes.fromhex("89504e470d0a1a0a")


def item(gold: str, options: list[str], images: tuple[str, ...] = ()) -> Item:
    data = {"choice": bool(options), "golds": [gold], "images": list(images)}
    return Item("validation_Art_1", "What is <image 1>?", images[0] if images else None, gold, "Art", tuple(options), data)


@pytest.mark.parametrize("case", CASES, ids=[case["why"] for case in CASES])
def test_golden_cases(case: dict[str, Any]) -> None:
    (verdict,) = MMMU.judge([(item(case["gold"], case["options"]), case["response"])], 1, 10)
    assert (verdict.outcome, verdict.extracted) == (case["outcome"], case["extracted"]), verdict.reason


@needs_bench
def test_all_answers_load_for_scoring_and_the_questions_with_pictures_for_asking() -> None:
    answers, asked = MMMU.read_answers(BENCH), MMMU.read(BENCH)
    assert (len(answers.items), answers.part) == (900, None)
    assert sum(item.data["choice"] for item in answers.items) == 847
    assert len({item.group for item in answers.items}) == 30
    assert (len(asked.items), asked.part) == (
        88,
        "the 88 of 900 questions whose text and pictures are in val_questions_with_images.jsonl",
    )
    several = [item for item in asked.items if len(item.data["images"]) > 1]
    assert len(several) == 6
    assert all(item.image == item.data["images"][0] for item in several)


@needs_bench
def test_options_that_mmmu_pro_corrected_are_not_taken() -> None:
    """Its answers to these two differ from the validation set's, so its options stand in another order."""
    items = {item.id: item for item in MMMU.read_answers(BENCH).items}
    assert [items[name].options for name in ("validation_Art_16", "validation_Design_2")] == [(), ()]
    assert sum(item.options != () for item in items.values()) == 575


def test_the_hubs_parquet_form_loads_with_its_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pandas as pd

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    rows = [
        {
            "id": "validation_Art_1", "question": "<image 1> or <image 2>?", "options": "['one', '<image 2>']", "answer": "B",
            "question_type": "multiple-choice", "image_1": {"bytes": PNG + b"1", "path": "a.png"},
            "image_2": {"bytes": PNG + b"2", "path": "b.png"}, "image_3": None,
        },
        {
            "id": "validation_Art_2", "question": "<image 1>", "options": "[]", "answer": "['3.4', 'pi']",
            "question_type": "open", "image_1": {"bytes": PNG + b"1", "path": "a.png"}, "image_2": None, "image_3": None,
        },
    ]  # fmt: skip
    (tmp_path / "mmmu/Art").mkdir(parents=True)
    pd.DataFrame(rows).to_parquet(tmp_path / "mmmu/Art/validation-00000-of-00001.parquet")
    first, second = MMMU.read(tmp_path).items
    assert (first.gold, first.options, second.options, second.data["golds"]) == ("B", ("one", "<image 2>"), (), ["3.4", "pi"])
    assert [Path(image).read_bytes() for image in first.data["images"]] == [PNG + b"1", PNG + b"2"]
    assert first.image == second.image == first.data["images"][0], "one picture, one file"
    assert str(first.image).startswith(str(tmp_path / "cache"))


def test_the_prompts_are_the_authors() -> None:
    assert MMMU.prompt(item("A", ["x", "y"], ("p.png",))).question == (
        "What is <image 1>?\n\n(A) x\n(B) y\n\nAnswer with the option's letter from the given choices directly."
    )
    assert MMMU.prompt(item("7", [])).question == "What is <image 1>?\n\nAnswer the question using a single word or phrase."


def test_without_the_texts_of_options_a_response_without_a_letter_is_an_error() -> None:
    bare = item("A", ["x", "y"])
    unknown = Item(bare.id, bare.question, None, "A", "Art", (), bare.data)
    right, undecided = MMMU.judge([(unknown, "(A)"), (unknown, "the first one of them, I would say")], 1, 10)
    assert (right.outcome, undecided.outcome) == ("right", "error")
    assert "put the questions there" in undecided.reason


def test_a_row_may_bring_the_options_that_were_shown() -> None:
    assert MMMU.completed is not None
    known = MMMU.completed(item("B", ["x", "y"]), {"index2ans": {"A": "cat", "B": "dog", "C": "cow"}})
    assert known.options == ("cat", "dog", "cow")
    for row in ({}, {"index2ans": {"A": "only one"}}, {"index2ans": {"B": "x", "A": "y"}}, {"index2ans": "A"}):
        assert MMMU.completed(item("B", ["x", "y"]), row).options == ("x", "y")


def test_a_missing_picture_is_named(tmp_path: Path) -> None:
    row = {"id": "validation_Art_1", "question": "q", "options": ["x", "y"], "answer": "A", "question_type": "multiple-choice"}
    (tmp_path / "mmmu").mkdir()
    (tmp_path / "mmmu/val_questions_with_images.jsonl").write_text(json.dumps({**row, "images": ["images/1.png"]}))
    with pytest.raises(DataError, match=re.escape("1 pictures are absent, for example")):
        MMMU.read(tmp_path)


@settings(deadline=None, max_examples=500)
@given(st.text(alphabet="0123.,-eE+ ax", max_size=24))
def test_the_patterns_for_numbers_find_what_the_authors_find(text: str) -> None:
    """Theirs take quadratic time on long runs of digits; ours may not start within a run."""
    theirs = (
        r"-?\b\d{1,3}(?:,\d{3})+\b",
        r"-?\d+(?:\.\d+)?[eE][+-]?\d+",
        r"-?(?:\d+\.\d+|\.\d+|\d+\b)(?![eE][+-]?\d+)(?![,\d])",
    )
    assert mmmu_rules._numbers(text) == [found for pattern in theirs for found in re.findall(pattern, text)]
