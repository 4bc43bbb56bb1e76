"""Tables 2 and 3 keep real benchmarks and stand-ins apart, give a reason for every empty cell, and mark the best."""

import csv
import io
from typing import Any

import pytest
from synthetic_run import benchmark, evaluation

from stages.reporting import published_tables, run_tables
from stages.reporting.columns import Column, own_columns
from stages.reporting.evaluations import CHECKPOINTS, BenchmarkResult, Evaluation
from stages.reporting.html_tables import results_table
from stages.reporting.published import published
from stages.reporting.run_tables import stand_in_table
from stages.reporting.table_files import long_csv, markdown, reasons, wide_csv
from stages.reporting.tables import Cell, Head, Line, Table, size


def published_table(number: int, runs: dict[str, Evaluation], *more: Column) -> Table:
    return published_tables.published_table(number, [*own_columns(runs), *more])


def partial_table(runs: dict[str, Evaluation]) -> Table:
    return run_tables.partial_table(own_columns(runs))


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
    # 1.96 * sqrt(.1 * .9 / 2000) = 1.3 points
    assert cell.detail == ("[8.7, 11.3]", "120 tokens", "n=500, k=4", "inside: none")


def test_published_values_inside_the_interval_are_named() -> None:
    """62.5 of 64: half an interval of 11.9 points, so 53.1 and 67.2 lie inside, 40.6 does not. Ends belong to the interval."""
    table = published_table(2, run(livecodebench=benchmark(0.625, 64, "LiveCodeBench")))
    cell = cells(table, "LiveCodeBench")["long RL"]
    assert cell.detail[-1] == "inside: OpenAI o1-mini, OpenAI o1, Kimi k1.5"
    edge = benchmark(0.625, 64, "LiveCodeBench") | {"ci95": [0.406, 0.53]}
    cell = cells(published_table(2, run(livecodebench=edge)), "LiveCodeBench")["long RL"]
    assert cell.detail[-1] == "inside: QwQ-32B Preview"
    assert cell.facts["published_inside"] == "QwQ-32B Preview"


def test_a_score_without_an_interval_holds_nothing() -> None:
    rating = benchmark(0.9, 40, "Codeforces") | {"ci95": [0.0, 1.0], "stderr": None}
    cell = cells(published_table(2, run(codeforces=rating)), "Codeforces")["long RL"]
    assert cell.detail == ("no interval", "120 tokens", "n=40, k=1")


def test_the_reports_own_bold_is_marked_where_it_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Had the report printed only Kimi k1.5 bold in the tied row, and MMMU's second."""
    facts = published()
    table2 = facts.table(2)
    best = {row.benchmark: ["Kimi k1.5"] for row in table2.rows} | {"livecodebench": ["OpenAI o1"], "mmmu": ["QVQ-72B Preview"]}
    changed = facts.model_copy(update={"tables": [table2.model_copy(update={"bold": best}), facts.table(3)]})
    monkeypatch.setattr(published_tables, "published", lambda: changed)
    table = published_table(2, run(math500=benchmark(0.99, 500, "MATH-500")))
    assert {name: cell.mark for name, cell in cells(table, "Codeforces").items() if cell.mark} == {"OpenAI o1": "◇"}
    assert {name: cell.mark for name, cell in cells(table, "MMMU").items() if cell.mark} == {
        "QVQ-72B Preview": "◆", "OpenAI o1": "◇",
    }  # fmt: skip
    assert not any(cell.mark for cell in cells(table, "MATH-500").values()), "of the report's columns, whatever ours are"
    assert "| **94**◇ | **94** |" in markdown(table)
    assert "<sup>◇</sup>" in results_table(table)
    assert table.notes[0].startswith("◆: bold in the report")


def test_the_reports_bold_type_is_marked_where_it_is_not_the_best_and_its_source_is_named() -> None:
    """Of MMLU the report prints its own 87.4 bold, though LLaMA-3.1's 88.6 is the best; elsewhere the best is bold."""
    table2, table3 = published_table(2, run()), published_table(3, run())
    marks = {
        (table.name, line.label, head.name): cell.mark
        for table in (table2, table3)
        for line in table.lines
        for head, cell in zip(table.heads, line.cells, strict=True)
        if cell.mark
    }
    assert marks == {
        ("table3", "MMLU (EM)", "LLaMA-3.1 405B-Inst."): "◇", ("table3", "MMLU (EM)", "Kimi k1.5"): "◆",
    }  # fmt: skip
    assert table2.notes[0].startswith("The report prints the best of its columns bold in every row. Its bold type is taken from")
    assert "not checked against the report's file" in table3.notes[0]


def test_without_transcribed_bold_type_the_table_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = published()
    plain = facts.model_copy(update={"tables": [table.model_copy(update={"bold": None}) for table in facts.tables]})
    monkeypatch.setattr(published_tables, "published", lambda: plain)
    assert published_table(2, run()).notes[0] == (
        "The report's own bold type was not transcribed: bold here is computed from the numbers alone."
    )


def test_a_row_of_another_window_stays_empty() -> None:
    """LiveCodeBench: 64 problems in table 2, 223 in table 3."""
    runs = run(livecodebench=benchmark(0.5, 64, "LiveCodeBench"))
    assert cells(published_table(2, runs), "LiveCodeBench")["long RL"].text == "50.0"
    cell = cells(published_table(3, runs), "LiveCodeBench")["short RL"]
    assert cell.reason.startswith("scored on the 64 items of table 2; here are 223: contests 2024-08 to 2024-11")
    runs = run(livecodebench=benchmark(0.5, 223, "LiveCodeBench"))
    assert cells(published_table(3, runs), "LiveCodeBench")["short RL"].text == "50.0"
    assert not [line for line in partial_table(runs).lines if line.label.startswith("LiveCodeBench")]


def test_columns_of_other_models_stand_after_ours() -> None:
    result: dict[str, BenchmarkResult] = dict(run(math500=benchmark(0.97, 500, "MATH-500"))["dpo"].benchmarks)
    other = Column("Other 7B", "measured by this code", 2, None, result)
    table = published_table(2, run(), other)
    assert [head.name for head in table.heads[-3:]] == ["long SFT", "long RL", "Other 7B"]
    assert [name for name, cell in cells(table, "MATH-500").items() if cell.best] == ["Other 7B"]
    assert "Other 7B" not in [head.name for head in published_table(3, run(), other).heads]
    assert '<th scope="colgroup" colspan="1" class="own">measured by this code</th>' in results_table(table)


def test_more_reasons_than_letters() -> None:
    lines = tuple(Line("b", str(n), (Cell(None, reason=f"reason {n}"),)) for n in range(30))
    table = Table("t", "T", "c", "f", (Head("h", "g"),), lines, ())
    letters = list(reasons(table).values())
    assert (letters[0], letters[25], letters[26], letters[29]) == ("a", "z", "aa", "ad")
    assert "(ad)" in markdown(table)


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        ({"missing": "no folder bench/math500"}, "no folder bench/math500"),
        (
            benchmark(0.2, 50, "MATH-500", limited=True),
            "run on 50 items of 500 (first 50): see the table of partial runs",
        ),
        (benchmark(0.2, 499, "MATH-500"), "run on 499 items of 500: see the table of partial runs"),
        (benchmark(0.2, 501, "MATH-500"), "run on 501 items of 500: see the table of partial runs"),
        (benchmark(0.2, 500, "MATH-500") | {"stand_in": True}, "a stand-in is no published benchmark"),
    ],
)
def test_empty_cells_say_why(result: dict[str, Any], reason: str) -> None:
    cell = cells(published_table(2, run(math500=result)), "MATH-500")["long RL"]
    assert (cell.value, cell.reason) == (None, reason)
    assert reason in markdown(published_table(2, run(math500=result)))


def test_every_empty_cell_of_every_table_has_a_reason() -> None:
    for table in (*(published_table(number, run()) for number in (2, 3)), stand_in_table(run(), {}), partial_table(run())):
        for line in table.lines:
            assert len(line.cells) == len(table.heads)
            assert all(cell.reason for cell in line.cells if cell.value is None), line


def test_stand_ins_never_reach_tables_2_and_3_and_are_named() -> None:
    table = stand_in_table(run(), {})
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
    facts = ("stderr", "p95_tokens", "truncated", "unparsed", "published_inside")
    assert [row[f"long RL: {name}"] for name in facts] == ["0.69", "252.0", "0.0100", "0.0200", ""]
    assert "OpenAI o1: n" not in row
    assert next(row for row in wide if row["Benchmark (metric)"].startswith("AIME"))["long RL: reason"]
    long = list(csv.DictReader(io.StringIO(long_csv(stand_in_table(run(), {})))))
    assert len(long) == 9 * 9
    first = long[0]
    assert (first["row"], first["checkpoint"], first["accuracy"], first["n"], first["stand_in"]) == (
        "overall (stand-in)", "base", "6.0", "576", "1",
    )  # fmt: skip


@pytest.mark.parametrize(("weights", "text"), [(912_384, "912 k"), (2_900_000, "2.9 M"), (72_000_000_000, "72 B"), (12, "12")])
def test_size(weights: int, text: str) -> None:
    assert size(weights) == text
