"""Tables 2 and 3 keep real benchmarks and stand-ins apart, give a reason for every empty cell, and mark the best."""

import csv
import io
from typing import Any

import pytest
from synthetic_run import benchmark, evaluation

from stages.reporting.evaluations import CHECKPOINTS, Evaluation
from stages.reporting.table_files import long_csv, markdown, wide_csv
from stages.reporting.tables import Table, partial_table, published_table, size, stand_in_table


def run(**benchmarks: Any) -> dict[str, Evaluation]:
    values = {name: evaluation(name) for name in CHECKPOINTS}
    for value in values.values():
        value["benchmarks"] |= benchmarks
    return {name: Evaluation.model_validate(value) for name, value in values.items()}


def cells(table: Table, label: str) -> dict[str, Any]:
    line = next(line for line in table.lines if line.label.startswith(label))
    return {head.name: cell for head, cell in zip(table.heads, line.cells, strict=True)}


def test_published_numbers_stand_as_printed() -> None:
    table2, table3 = (published_table(number, run()) for number in (2, 3))
    assert cells(table2, "AIME 2024")["Kimi k1.5"].text == "77.5"
    assert cells(table2, "Codeforces")["OpenAI o1-mini"].text == "88"
    assert cells(table3, "MMLU")["LLaMA-3.1 405B-Inst."].text == "88.6"
    assert cells(table2, "MathVista")["QwQ-32B Preview"].reason == "the report gives none"


def test_best_of_the_row_is_computed_over_theirs_and_ours() -> None:
    row = cells(published_table(2, run()), "MATH-500")
    assert [name for name, cell in row.items() if cell.best] == ["Kimi k1.5"]
    row = cells(published_table(2, run(math500=benchmark(0.99, 500, "MATH-500"))), "MATH-500")
    assert [name for name, cell in row.items() if cell.best] == ["long SFT", "long RL"]
    row = cells(published_table(2, run()), "Codeforces")
    assert [name for name, cell in row.items() if cell.best] == ["OpenAI o1", "Kimi k1.5"]


def test_ours_has_interval_n_and_k() -> None:
    cell = cells(published_table(2, run(math500=benchmark(0.1, 500, "MATH-500", k=4))), "MATH-500")["long RL"]
    assert cell.text == "10.0"
    assert cell.detail == ("[8.7, 11.3]", "120 tokens", "n=500, k=4")  # 1.96 * sqrt(.1 * .9 / 2000) = 1.3 points


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        ({"missing": "no folder bench/math500"}, "no folder bench/math500"),
        (
            benchmark(0.2, 50, "MATH-500", limited=True),
            "run on 50 items of 500 (first 50): see the table of partial runs",
        ),
        (benchmark(0.2, 499, "MATH-500"), "run on 499 items of 500: see the table of partial runs"),
        (benchmark(0.2, 500, "MATH-500") | {"stand_in": True}, "a stand-in is no published benchmark"),
    ],
)
def test_empty_cells_say_why(result: dict[str, Any], reason: str) -> None:
    cell = cells(published_table(2, run(math500=result)), "MATH-500")["long RL"]
    assert (cell.value, cell.reason) == (None, reason)
    assert reason in markdown(published_table(2, run(math500=result)))


def test_every_empty_cell_of_every_table_has_a_reason() -> None:
    for table in (*(published_table(number, run()) for number in (2, 3)), stand_in_table(run()), partial_table(run())):
        for line in table.lines:
            assert len(line.cells) == len(table.heads)
            assert all(cell.reason for cell in line.cells if cell.value is None), line


def test_stand_ins_never_reach_tables_2_and_3_and_are_named() -> None:
    table = stand_in_table(run())
    assert [line.label for line in table.lines][:3] == ["overall (stand-in)", "text (stand-in)", "image (stand-in)"]
    assert all(line.label.endswith("(stand-in)") for line in table.lines)
    for number in (2, 3):
        text = markdown(published_table(number, run()))
        assert "arithmetic" not in text
        assert "stand-in" not in text


def test_a_partial_benchmark_has_a_table_of_its_own() -> None:
    table = partial_table(run())
    assert [line.label for line in table.lines] == ["MathVision (part of the items)"]
    limited = partial_table(run(math500=benchmark(0.2, 50, "MATH-500", limited=True)))
    assert limited.notes == ("MATH-500: first 50.",)
    assert limited.notes[0] in markdown(limited)
    whole = partial_table(run(mathvision={"missing": "x"}))
    assert not whole.lines
    assert "No benchmark was run on part of its items." in markdown(whole)


def test_markdown_marks_the_best_and_numbers_reasons() -> None:
    rows = [line for line in markdown(published_table(2, run())).splitlines() if line.startswith("| Codeforces")]
    assert rows == ["| Codeforces (Percentile) | 62 | 88 | – (a) | **94** | **94** | – (c) | – (c) |"]


def test_csv_files_hold_the_same_numbers() -> None:
    wide = list(csv.DictReader(io.StringIO(wide_csv(published_table(2, run())))))
    row = next(row for row in wide if row["Benchmark (metric)"].startswith("MATH-500"))
    assert (row["OpenAI o1"], row["long RL"], row["long RL: n"], row["long RL: k"]) == ("94.8", "2.5", "500", "1")
    assert next(row for row in wide if row["Benchmark (metric)"].startswith("AIME"))["long RL: reason"]
    long = list(csv.DictReader(io.StringIO(long_csv(stand_in_table(run())))))
    assert len(long) == 9 * 8
    first = long[0]
    assert (first["row"], first["checkpoint"], first["accuracy"], first["n"], first["stand_in"]) == (
        "overall (stand-in)", "base", "6.0", "576", "1",
    )  # fmt: skip


@pytest.mark.parametrize(("weights", "text"), [(912_384, "912 k"), (2_900_000, "2.9 M"), (72_000_000_000, "72 B"), (12, "12")])
def test_size(weights: int, text: str) -> None:
    assert size(weights) == text
