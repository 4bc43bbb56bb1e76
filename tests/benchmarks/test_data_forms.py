"""The forms in which published data lies: Parquet, answers alone, questions whose pictures are absent."""

import json
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from stages.benchmarks.registry import BENCHMARKS
from stages.benchmarks.scoring import score_file
from stages.data.files import DataError

IFEVAL = {
    "key": 7,
    "prompt": "Write without commas.",
    "instruction_id_list": ["punctuation:no_comma", "length_constraints:number_words"],
    "kwargs": [{"num_words": None, "relation": None}, {"num_words": 2, "relation": "at least"}],
}
MMLU = {"question": "1 + 1?", "subject": "anatomy", "choices": ["1", "2", "3", "4"], "answer": 1}
MMMU = {
    "id": "validation_Art_1",
    "question": "<image 1>?",
    "options": ["a", "b"],
    "answer": "B",
    "question_type": "multiple-choice",
}
VISTA = {
    "question": "?",
    "image": "images/1.jpg",
    "choices": None,
    "answer": "2",
    "answer_type": "integer",
    "question_type": "free_form",
    "precision": None,
}


def _parquet(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return path


def _result(name: str, data: Path, row: dict[str, Any], tmp_path: Path, rule: str | None = None) -> dict[str, Any]:
    responses = tmp_path / "responses.jsonl"
    responses.write_text(json.dumps(row) + "\n")
    benchmark = BENCHMARKS[name] if rule is None else BENCHMARKS[name].rules[rule]
    return score_file(benchmark, data, responses, 1).result


def test_ifeval_as_parquet(tmp_path: Path) -> None:
    file = _parquet(tmp_path / "data" / "train-00000-of-00001.parquet", [IFEVAL])
    for data in (tmp_path, file):
        result = _result("ifeval", data, {"key": 7, "response": "two words"}, tmp_path)
        assert (result["score"], result["inst_strict"], result["n"]) == (100.0, 100.0, 1)
    assert _result("ifeval", file, {"key": 7, "response": "one,"}, tmp_path)["inst_strict"] == 0.0


@pytest.mark.parametrize("named", [True, False])
def test_mmlu_as_parquet_of_each_subject(tmp_path: Path, named: bool) -> None:
    """The hub's rows name their subject; where they do not, the folder does."""
    for subject in ("anatomy", "virology"):
        row = {**MMLU, "subject": subject} if named else {key: value for key, value in MMLU.items() if key != "subject"}
        _parquet(tmp_path / subject / "test-00000-of-00001.parquet", [row])
    result = _result("mmlu", tmp_path, {"id": "virology/0", "response": "Answer: B"}, tmp_path)
    assert (result["score"], result["n"], result["subjects"], result["missing_ids"]) == (50.0, 2, 2, ["anatomy/0"])
    assert (
        _result("mmlu", tmp_path / "virology/test-00000-of-00001.parquet", {"id": "virology/0", "response": "B"}, tmp_path)["n"]
        == 1
    )


def test_mmmu_is_scored_by_answers_alone_and_by_questions_without_pictures(tmp_path: Path) -> None:
    answers, questions = tmp_path / "answer_dict_val.json", tmp_path / "val_questions_577_from_mmmu_pro.jsonl"
    questions.write_text(json.dumps({**MMMU, "images": ["images/absent.png"]}) + "\n")
    answers.write_text(json.dumps({MMMU["id"]: {"question_type": "multiple-choice", "ground_truth": "B"}}))
    for data in (answers, questions, tmp_path):
        result = _result("mmmu", data, {"id": MMMU["id"], "response": "(B)"}, tmp_path)
        assert (result["score"], result["n"]) == (100.0, 1)
    with pytest.raises(DataError, match="1 pictures are absent"):
        BENCHMARKS["mmmu"].load(questions)
    answers.write_text('{"validation_Art_1": ["B"]}')
    with pytest.raises(DataError, match="'validation_Art_1' has no ground_truth and question_type"):
        BENCHMARKS["mmmu"].read_answers(answers)


def test_mathvista_by_its_annotations_and_by_both_rules(tmp_path: Path) -> None:
    """2.0 is the integer 2 as the authors' repository reads it now, and was none in the published scores."""
    (tmp_path / "testmini.json").write_text(json.dumps({"1": VISTA}))
    annotations = tmp_path / "annot_testmini.json"
    annotations.write_text('{"1": {"answer_latex": "2"}}')
    row = {"pid": "1", "extraction": "2.0"}
    both = {"default": 100.0, "published": 0.0}
    for rule, score in ((None, 100.0), ("published", 0.0)):
        result = _result("mathvista", annotations, row, tmp_path, rule)
        assert (result["score"], result["rule_name"], result["scores_by_rule"]) == (score, rule or "default", both)
    (tmp_path / "testmini.json").unlink()
    with pytest.raises(DataError, match=r"expected questions and answers by pid; give testmini\.json"):
        BENCHMARKS["mathvista"].read_answers(annotations)
