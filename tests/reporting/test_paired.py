"""Paired comparisons of the report: the same problems, pooled and by suite, in the order of the recipe."""

from typing import Any

import pytest
from synthetic_run import benchmark, evaluation, score

from stages.benchmarks.statistics import paired_difference
from stages.reporting.evaluations import CHECKPOINTS, Evaluation
from stages.reporting.inputs import Generation
from stages.reporting.paired import PAIRS, paired_table
from stages.reporting.tables import Cell, Table


def row(suite: str, name: str, outcome: str, image: str | None = None) -> Generation:
    shared = {"question": "q", "gold": "1", "text": "t", "tokens": 1, "finish": "stop"}
    return Generation(suite=suite, id=name, outcome=outcome, image=image, **shared)  # type: ignore[arg-type]


def evaluations(**benchmarks: Any) -> dict[str, Evaluation]:
    suites = {name: score(0.5, 10) for name in ("overall", "text", "image", "sums", "charts")}
    found = {name: evaluation(name) | {"suites": suites, "benchmarks": benchmarks} for name in CHECKPOINTS}
    return {name: Evaluation.model_validate(value) for name, value in found.items()}


def table(changes: dict[str, list[Generation]], **benchmarks: Any) -> Table:
    rows = [row("sums", str(n), "wrong") for n in range(10)] + [row("charts", str(n), "right", "c.png") for n in range(10)]
    return paired_table(dict.fromkeys(CHECKPOINTS, rows) | changes, evaluations(**benchmarks), paired_difference, {})


def cells(found: Table, label: str) -> tuple[Cell, ...]:
    return next(line.cells for line in found.lines if line.label == label)


def test_the_pairs_are_rl_after_sft_and_each_method_after_rl() -> None:
    found = table({})
    assert PAIRS == (
        ("long_sft", "long_rl"), ("long_rl", "merged"), ("long_rl", "shortest"), ("long_rl", "dpo"), ("long_rl", "short_rl"),
    )  # fmt: skip
    assert [head.name for head in found.heads][:2] == ["long RL minus long SFT", "merged minus long RL"]
    assert [line.label for line in found.lines] == [
        f"{name} (stand-in)" for name in ("overall", "text", "image", "charts", "sums")
    ]  # fmt: skip


def test_gains_and_losses_by_hand() -> None:
    """Long RL: sums 0 to 2 gained, chart 0 lost. Sums: 3 of 10, by suite; text the same, overall 2 of 20: ids of suites differ."""
    better = [row("sums", str(n), "right" if n < 3 else "error") for n in range(10)]
    better += [row("charts", str(n), "wrong" if n == 0 else "right", "c.png") for n in range(10)]
    found = table({"long_rl": better})
    first, second = cells(found, "sums (stand-in)")[:2]
    assert (first.text, first.detail[1:]) == ("+30.0", ("n=10", "better 3, worse 0"))
    estimate = paired_difference([[False]] * 10, [[True]] * 3 + [[False]] * 7)
    assert first.detail[0] == f"[{100 * estimate.low:+.1f}, {100 * estimate.high:+.1f}]"
    assert second.text == "-30.0", "the others stayed as they were"
    assert cells(found, "text (stand-in)")[0] == first
    assert cells(found, "image (stand-in)")[0].text == "-10.0"
    overall = cells(found, "overall (stand-in)")[0]
    assert (overall.text, overall.facts["n"], overall.facts["gained"], overall.facts["lost"]) == ("+10.0", "20", "3", "1")


def test_bold_says_that_zero_lies_outside() -> None:
    found = table({"long_rl": [row("sums", str(n), "right") for n in range(10)]})
    cell = cells(found, "sums (stand-in)")[0]
    assert (cell.best, float(cell.facts["ci95_low"]) > 0) == (True, True)
    assert not cells(table({}), "sums (stand-in)")[0].best


def test_samples_of_a_problem_are_averaged_first() -> None:
    twice = [row("sums", str(n), outcome) for n in range(10) for outcome in ("right", "wrong")]
    cell = cells(table({"long_rl": twice}), "sums (stand-in)")[0]
    assert (cell.text, cell.detail[1]) == ("+50.0", "n=10")


def test_problems_of_one_side_are_told_and_left_out() -> None:
    fewer = [row("sums", str(n), "right") for n in range(4)]
    found = table({"long_rl": fewer})
    assert cells(found, "sums (stand-in)")[0].detail[1:] == ("n=4", "better 4, worse 0", "6 answered by one only")
    assert cells(found, "charts (stand-in)")[0].reason == "not answered by both"


@pytest.mark.parametrize(("limited", "label"), [(False, "AIME 2024"), (True, "AIME 2024 (part of the items)")])
def test_benchmarks_stand_below_the_suites_and_in_no_pool(limited: bool, label: str) -> None:
    answered = [row("aime2024", str(n), "right") for n in range(30)]
    wrong = [row("aime2024", str(n), "wrong") for n in range(30)]
    found = table({"long_sft": wrong, "long_rl": answered}, aime2024=benchmark(0.5, 30, "AIME 2024", limited=limited))
    assert found.lines[-1].label == label
    assert found.lines[-1].cells[0].text == "+100.0"
    assert cells(found, "overall (stand-in)")[0].reason == "not answered by both"
