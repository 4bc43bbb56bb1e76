"""Inputs at fault: one message with the file, what was found and what to run."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter
from synthetic_run import evaluation, write_csv, write_json

from stages.data.files import DataError
from stages.reporting.curves import Validation, read_curve, validation_suites
from stages.reporting.evaluations import CHECKPOINTS, Benchmark, Evaluation, Missing, read_evaluations
from stages.reporting.inputs import Generation, read_funnel, read_generations, read_seconds


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in CHECKPOINTS:
        write_json(tmp_path / f"{name}.json", evaluation(name))
    return tmp_path


def test_evaluations_in_the_order_of_the_recipe(folder: Path) -> None:
    found = read_evaluations(folder)
    assert list(found) == list(CHECKPOINTS)
    assert isinstance(found["dpo"].benchmarks["math500"], Benchmark)
    assert isinstance(found["dpo"].benchmarks["aime2024"], Missing)
    assert found["dpo"].overall.n == 576


def test_missing_evaluation_names_the_stage_to_run(folder: Path) -> None:
    (folder / "dpo.json").unlink()
    with pytest.raises(DataError, match=r"dpo\.json: no such file; run `dvc repro evaluate@dpo`"):
        read_evaluations(folder)


def broken(**change: Any) -> dict[str, Any]:
    value = evaluation("dpo")
    value["suites"]["overall"] |= change
    return value


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (broken(accuracy=63.0), r"dpo\.json: suites\.overall\.accuracy: .*less than or equal to 1"),
        (broken(ci95=[0.1]), r"suites\.overall\.ci95"),
        (broken(n="many"), r"suites\.overall\.n: .*integer"),
        (evaluation("base"), r"holds checkpoint 'base', expected 'dpo'"),
        ({**evaluation("dpo"), "suites": {}}, r"no 'overall', found none"),
        ({}, r"checkpoint: Field required"),
        ([], r"dpo\.json: file: "),
    ],
)
def test_broken_evaluation(folder: Path, value: Any, message: str) -> None:
    write_json(folder / "dpo.json", value)
    with pytest.raises(DataError, match=message):
        read_evaluations(folder)


def test_evaluation_that_is_not_json(folder: Path) -> None:
    (folder / "dpo.json").write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match=r"dpo\.json: not JSON"):
        read_evaluations(folder)


def test_a_checkpoint_that_no_table_has_is_an_error(folder: Path) -> None:
    """In the list of params.yaml, or as a file that a stage of somebody's own left: never read by nobody."""
    with pytest.raises(
        DataError, match=r"evaluate\.checkpoints: distilled: no table of the report has it, expected base, .*CHECKPOINTS"
    ):
        read_evaluations(folder, ["base", "distilled"])
    write_json(folder / "distilled.json", evaluation("dpo"))
    with pytest.raises(
        DataError, match=r"distilled\.json: no table of the report has a checkpoint 'distilled'.*move it away, or add"
    ):
        read_evaluations(folder)


def test_curve_with_empty_cells_and_extra_columns(tmp_path: Path) -> None:
    rows = [
        {
            "iteration": 0,
            "reward": 0.1,
            "validation_accuracy": 0.2,
            "validation_mean_tokens": 10,
            "validation_p95_tokens": 20,
        },
        {"iteration": 1, "reward": 0.2, "surprise": 5},
        {
            "iteration": 2,
            "reward": 0.3,
            "validation_accuracy": 0.4,
            "validation_mean_tokens": 11,
            "validation_p95_tokens": 21,
        },
    ]
    write_csv(tmp_path / "rl.csv", "iteration", rows)
    curve = read_curve(tmp_path / "rl.csv", "iteration")
    assert curve.points("reward") == [(0, 0.1), (1, 0.2), (2, 0.3)]
    assert curve.points("surprise") == [(1, 5)]
    assert curve.points("no such column") == []
    assert validation_suites(curve) == {"total": [Validation(0, 0.2, 10, 20), Validation(2, 0.4, 11, 21)]}


def test_validation_suites_total_first(tmp_path: Path) -> None:
    kinds = ("accuracy", "mean_tokens", "p95_tokens")
    row = {f"validation/{family}/{kind}": 1 for family in ("chart", "arithmetic") for kind in kinds}
    row |= {f"validation_{kind}": 1 for kind in kinds} | {"validation/half/accuracy": 1}
    write_csv(tmp_path / "rl.csv", "iteration", [{"iteration": 4, **row}])
    assert list(validation_suites(read_curve(tmp_path / "rl.csv", "iteration"))) == ["total", "arithmetic", "chart"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"x\.csv:1: no column 'step', found an empty file"),
        ("iteration,loss\n", r"x\.csv:1: no column 'step', found \['iteration', 'loss'\]"),
        ("step,loss\n0,1\n1\n", r"x\.csv:3: 1 cells, the header has 2"),
        ("step,loss\n0,abc\n", r"x\.csv:2: column 'loss': expected a number, found 'abc'"),
    ],
)
def test_broken_curve(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "x.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_curve(tmp_path / "x.csv", "step")


def test_missing_curve_and_funnel(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"x\.csv: no such file; run the stage"):
        read_curve(tmp_path / "x.csv", "step")
    with pytest.raises(DataError, match=r"funnel\.json: no such file; run `dvc repro curate`"):
        read_funnel(tmp_path / "funnel.json", "curate")


def test_timings_may_be_absent(tmp_path: Path) -> None:
    assert read_seconds(tmp_path / "none", []) == {}
    write_json(tmp_path / "rl@long.json", {"stage": "rl@long", "seconds": 12.5, "more": 1})
    assert read_seconds(tmp_path, []) == {"rl@long": 12.5}


def test_broken_generation_names_line_and_field(tmp_path: Path) -> None:
    (tmp_path / "dpo.jsonl").write_text(json.dumps({"suite": "chart"}) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"dpo\.jsonl:1: \w+: Field required; run `dvc repro --force evaluate@dpo`"):
        read_generations(tmp_path, ["dpo"])


def test_what_evaluate_writes_is_what_the_report_reads() -> None:
    from stages.benchmarks.answering import Answered, Drawn
    from stages.benchmarks.decoding import Decoding
    from stages.benchmarks.journal import Slot
    from stages.benchmarks.scores import rows, stand_in_scores
    from stages.benchmarks.suites import Asked, Suite
    from stages.rollout.engine import Prompt
    from stages.rollout.responder import Response
    from stages.verifiers.verdict import Verdict

    asked = Asked("p1", Prompt("2+2?", None), "2+2?", None, "4")
    unasked = Asked("p2", Prompt("?", "gone.png"), "?", "gone.png", "5")
    suite = Suite("arithmetic", True, "text", Decoding(1.0, 1.0, 2, 9, ""), (asked, unasked), lambda _: [], None)
    response = Response("\\boxed{4}", "stop", 3, 5)
    verdicts = (Verdict("right", "4", "equal"), Verdict("wrong", None, "no box"))
    slots = tuple(Slot("arithmetic", "p1", number, "hash", {}, 0) for number in range(2))
    answered = [
        Answered(Drawn(asked, slots, (response, response), None, ()), verdicts),
        Answered(Drawn(unasked, slots, (), "gone.png: no such file", ()), ()),
    ]
    value = {**evaluation("dpo"), "suites": stand_in_scores([suite], [answered])}
    overall = Evaluation.model_validate(json.loads(json.dumps(value))).overall
    assert (overall.accuracy, overall.n, overall.k, overall.mean_tokens) == (0.25, 2, 2, 3)
    assert [row.id for row in overall.excluded] == ["p2"]
    found = [TypeAdapter(Generation).validate_python(row) for row in rows(suite, answered)]
    assert [(row.id, row.finish, row.outcome) for row in found] == [
        ("p1", "stop", "right"), ("p1", "stop", "wrong"), ("p2", "excluded", "wrong"),
    ]  # fmt: skip


def test_only_the_wanted_evaluations_are_read(tmp_path: Path) -> None:
    """A file of another run, of a checkpoint that is not evaluated in this one, is left alone, whatever it holds."""
    for name in CHECKPOINTS:
        write_json(tmp_path / f"{name}.json", evaluation(name))
    (tmp_path / "dpo.json").write_text("half a fi")
    assert list(read_evaluations(tmp_path, {"long_rl", "base"})) == ["base", "long_rl"]
    (tmp_path / "merged.json").unlink()
    with pytest.raises(DataError, match=r"merged.json: no such file"):
        read_evaluations(tmp_path, ["merged", "base"])
