"""MMLU, C-Eval and CLUEWSC: published files load whole, golden cases, averages by hand."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.benchmarks import subjects
from stages.benchmarks.averages import Judged
from stages.benchmarks.benchmark import Item
from stages.benchmarks.multiple_choice import subject_id
from stages.benchmarks.registry import BENCHMARKS
from stages.data.files import DataError
from stages.verifiers.verdict import Verdict

BENCH = Path("../shared/bench")
needs_bench = pytest.mark.skipif(not BENCH.exists(), reason=f"{BENCH} is not here (published benchmark files)")
CASES = [json.loads(line) for line in Path("tests/cases/multiple_choice.jsonl").read_text(encoding="utf-8").splitlines()]
NAMES = ("mmlu", "ceval", "cluewsc")


@pytest.mark.parametrize("case", CASES, ids=[f"{case['benchmark']}: {case['why']}" for case in CASES])
def test_golden_cases(case: dict[str, Any]) -> None:
    item = Item("anatomy/0", "q", None, case["gold"], "anatomy", ("a", "b", "c", "d"))
    (verdict,) = BENCHMARKS[case["benchmark"]].judge([(item, case["response"])], 1, 10)
    assert (verdict.outcome, verdict.extracted) == (case["outcome"], case["extracted"]), verdict.reason


CONSTANT = {"mmlu": {"A": 22.95, "B": 24.65, "C": 25.51, "D": 26.89}, "ceval": {"A": 23.03, "D": 26.30}, "cluewsc": {"A": 50.0}}


@needs_bench
@pytest.mark.parametrize("name, size", [("mmlu", 14042), ("ceval", 1346), ("cluewsc", 976)])
def test_published_files_load_whole_and_constant_answers_score_what_they_must(name: str, size: int) -> None:
    """Constant answers: the shares were counted from the same files by other means."""
    loaded = BENCHMARKS[name].read(BENCH)
    assert (len(loaded.items), loaded.part) == (size, None)
    for letter, percent in CONSTANT[name].items():
        assert 100 * sum(item.gold == letter for item in loaded.items) / size == pytest.approx(percent, abs=0.006)


@needs_bench
def test_quoted_fields_line_breaks_and_the_text_none_survive() -> None:
    items = {item.id: item for item in BENCHMARKS["mmlu"].read(BENCH).items}
    assert items["abstract_algebra/2"].options == ("0", "1", "0,1", "0,4")
    assert any("\n" in item.question for item in items.values())
    assert sum("None" in item.options or "N/A" in item.options for item in items.values()) > 0
    assert all(len(item.options) == 4 for item in items.values())


@needs_bench
def test_the_subjects_are_those_of_the_published_files() -> None:
    mmlu = json.loads((BENCH / "mmlu/subject_categories.json").read_text(encoding="utf-8"))
    ceval = json.loads((BENCH / "ceval/subject_categories.json").read_text(encoding="utf-8"))
    assert {name: entry["category"] for name, entry in mmlu.items()} == subjects.MMLU
    assert {name: (entry["name"], entry["category"]) for name, entry in ceval.items()} == subjects.CEVAL
    assert (len(subjects.CEVAL_HARD), subjects.CEVAL_HARD - set(subjects.CEVAL)) == (8, set())


def test_the_mmlu_prompt_is_that_of_simple_evals() -> None:
    item = Item("anatomy/0", "Where?", None, "A", "anatomy", ("here", "there", "None", "0"))
    prompt = BENCHMARKS["mmlu"].prompt(item)
    assert prompt.question.startswith("Answer the following multiple choice question. The last line of your response should be")
    assert prompt.question.endswith("\n\nWhere?\n\nA) here\nB) there\nC) None\nD) 0")
    assert (prompt.image, prompt.instruction) == (None, "")


def test_the_chinese_prompts_are_the_published_ones() -> None:
    item = Item("law/0", "何者？", None, "A", "law", ("甲", "乙", "丙", "丁"))
    assert BENCHMARKS["ceval"].prompt(item).question == (
        "以下是中国关于法学考试的单项选择题，请选出其中的正确答案。\n\n何者？\nA. 甲\nB. 乙\nC. 丙\nD. 丁\n答案："
    )


def test_the_cluewsc_prompt_names_both_spans(tmp_path: Path) -> None:
    row = {
        "target": {"span1_text": "毛豆", "span1_index": 0, "span2_text": "他", "span2_index": 3},
        "idx": 7,
        "label": "false",
        "text": "毛豆说他",
    }
    (tmp_path / "cluewsc").mkdir()
    (tmp_path / "cluewsc/test_public.json").write_text(json.dumps(row), encoding="utf-8")
    (item,) = BENCHMARKS["cluewsc"].read(tmp_path).items
    assert (item.id, item.gold) == ("7", "B")
    assert BENCHMARKS["cluewsc"].prompt(item).question == (
        "毛豆说他\n此处，“他”是否指代“毛豆“？\nA. 是\nB. 否\n请从”A“，”B“中进行选择。\n答："
    )


def test_the_hubs_parquet_forms_load(tmp_path: Path) -> None:
    import pandas as pd

    mmlu = [
        {"question": f"q{n}", "subject": s, "choices": ["a", "b", "c", "d"], "answer": 2}
        for s in ("anatomy", "virology")
        for n in range(2)
    ]
    ceval = [{"id": 0, "question": "q", "A": "a", "B": "b", "C": "c", "D": "d", "answer": "B", "explanation": ""}]
    clue = [
        {"idx": 3, "text": "t", "label": 1, "target": {"span1_text": "x", "span2_text": "y", "span1_index": 0, "span2_index": 1}}
    ]
    for name, rows in {
        "mmlu/all/test-00000-of-00001.parquet": mmlu,
        "ceval/law/val-00000-of-00001.parquet": ceval,
        "cluewsc/cluewsc2020/validation-00000-of-00001.parquet": clue,
    }.items():
        (tmp_path / name).parent.mkdir(parents=True)
        pd.DataFrame(rows).to_parquet(tmp_path / name)
    loaded = {name: BENCHMARKS[name].read(tmp_path) for name in NAMES}
    assert [(item.id, item.gold) for item in loaded["mmlu"].items] == [
        ("anatomy/0", "C"), ("anatomy/1", "C"), ("virology/0", "C"), ("virology/1", "C"),
    ]  # fmt: skip
    assert [(item.id, item.gold) for item in loaded["ceval"].items] == [("law/0", "B")]
    assert [(item.id, item.gold) for item in loaded["cluewsc"].items] == [("3", "B")]
    assert "not FewCLUE's test_public split" in str(loaded["cluewsc"].part)
    assert loaded["mmlu"].part == "the file holds 4 of 14042 items"


@pytest.mark.parametrize(
    "name, file, content, message",
    [
        ("mmlu", "test/anatomy_test.csv", "q,a,b,c,d,E\n", "row 1: the answer 'E' is none of the 4 options"),
        ("mmlu", "test/anatomy_test.csv", "q,a,b,c,A\n", "row 1 has 5 columns, expected 6"),
        ("ceval", "val/law_val.csv", "id,question,A,B,C,D\n0,q,a,b,c,d\n", "row 1 has no 'answer'"),
        ("ceval", "val/lore_val.csv", "id,question,A,B,C,D,answer\n0,q,a,b,c,d,A\n", "'lore' is none of the 52 subjects"),
        ("cluewsc", "test_public.json", '{"idx": 1, "label": "maybe", "text": "t", "target": {}}\n', "neither true nor false"),
        ("mmlu", "all/test-0.parquet", "PAR1", "not a readable Parquet file"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, name: str, file: str, content: str, message: str) -> None:
    path = tmp_path / name / file
    path.parent.mkdir(parents=True)
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        BENCHMARKS[name].read(tmp_path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_macro_and_micro_by_hand() -> None:
    """Anatomy 1 of 1, law 1 of 3: micro 2/4, macro (1 + 1/3) / 2 = 2/3. C-Eval's headline is the macro one, MMLU's the micro."""
    rights = {"anatomy": [True], "virology": [True, False, False]}
    judged = [
        Judged(Item(f"{name}/{n}", "q", None, "A", name), (Verdict("right" if right else "wrong", "A", ""),))
        for name, values in rights.items()
        for n, right in enumerate(values)
    ]
    mmlu = BENCHMARKS["mmlu"].average(judged)
    assert (mmlu.score.mean, mmlu.figures["macro_subjects"], mmlu.figures["accuracy_other"]) == (0.5, 66.67, 50.0)
    renamed = {"anatomy": "law", "virology": "physician"}
    chinese = [Judged(Item(one.item.id, "q", None, "A", renamed[one.item.group]), one.verdicts) for one in judged]
    ceval = BENCHMARKS["ceval"].average(chinese)
    assert ceval.score.mean == pytest.approx(2 / 3)
    assert ceval.figures == {
        "accuracy_humanities": 100.0,
        "accuracy_other": 33.33,
        "micro": 50.0,
        "subjects": 2,
        "read_by_fallback": 0.0,
    }


@pytest.mark.parametrize(
    "row, found",
    [
        ({"id": "anatomy/3"}, "anatomy/3"),
        ({"id": "anatomy-3"}, "anatomy/3"),
        ({"id": "high_school_physics_3"}, "high_school_physics/3"),
        ({"id": "test/anatomy/003"}, "anatomy/3"),
        ({"id": "anatomy_test/3"}, "anatomy/3"),
        ({"subject": "high school physics", "i": 3}, "high_school_physics/3"),
        ({"subject": "law", "id": 3}, "law/3"),
        ({"id": "3"}, "3"),
        ({"answer": "A"}, None),
    ],
)
def test_ids_of_subjects(row: dict[str, Any], found: str | None) -> None:
    assert subject_id(row) == found


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", [*NAMES, "mmmu", "mathvista"])
def test_hostile_responses_end_in_a_verdict(name: str) -> None:
    """Quadratic expressions would take hours on a megabyte."""
    data = {"choice": True, "golds": ["A"], "images": [], "answer_type": "text", "precision": 0, "task": "t", "question_type": "m"}
    items = [Item("law/0", "q", None, "A", "law", ("a", "b", "c", "d"), data)]
    if name in ("mmmu", "mathvista"):
        items.append(Item("x", "q", None, "7", "x", (), {**data, "choice": False, "answer_type": "integer", "golds": ["7"]}))
    million = 1_000_000
    parts = [
        *("答案是", "Answer ", "Answer:", "answer is ", "(", "\\boxed{", "{", "1,", "1" * 50 + "a", "A "),
        *("*", "\0", "\ud800", "\u202e", "= ", "-1.", "选", "is ", "\n", "1" * 50 + "."),
    ]
    parts += ["9" * 1_000_000, "1," + "111," * 300_000 + "1111"]
    texts = [part * max(1, million // len(part)) for part in parts]
    for item in items:
        assert len(BENCHMARKS[name].judge([(item, text) for text in texts], 1, 10)) == len(texts)


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=200), st.sampled_from(["mmlu", "ceval", "cluewsc"]))
def test_any_text_has_one_verdict_and_always_the_same(text: str, name: str) -> None:
    item = Item("law/0", "q", None, "A", "law", ("a", "b", "c", "d"))
    first, second = (BENCHMARKS[name].judge([(item, text)], 1, 10) for _ in range(2))
    assert first == second
