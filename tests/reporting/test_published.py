"""The published numbers: complete, each with table and page, and consistent with each other."""

from pathlib import Path

import pytest

from stages.reporting.published import published

KNOWN = Path("../shared/published-tables.md")


def test_every_number_belongs_to_a_cell_and_names_table_and_page() -> None:
    facts = published()
    seen = set()
    for number in facts.numbers:
        table = facts.table(number.table)
        assert number.page == table.page == 12
        assert number.benchmark in {row.benchmark for row in table.rows}
        assert number.column in {column.name for column in table.columns}
        seen.add((number.table, number.benchmark, number.column))
    assert len(seen) == len(facts.numbers) == 84


def test_headline_numbers_of_the_report() -> None:
    facts = published()
    assert facts.value(2, "math500", "Kimi k1.5") == 96.2
    assert facts.value(3, "aime2024", "Kimi k1.5") == 60.8
    assert facts.value(3, "aime2024", "GPT-4o 0513") == 9.3
    assert facts.value(2, "math500", "QVQ-72B Preview") is None


def test_figure_7_agrees_with_table_3() -> None:
    facts = published()
    same = {"k1.5-short w/ rl": "Kimi k1.5", "DeepSeek-V3": "DeepSeek V3", "Qwen2.5-72B-Inst": "Qwen2.5 72B-Inst."}
    for point in facts.figure7_points:
        if point.model in same:
            assert facts.value(3, point.benchmark, same[point.model]) == point.accuracy


def test_every_cell_equals_the_transcribed_table() -> None:
    if not KNOWN.exists():
        pytest.skip(f"{KNOWN} is not there")
    facts = published()
    for number in (2, 3):
        part = KNOWN.read_text(encoding="utf-8").split(f"## Table {number}:")[1].split("\n## ")[0]
        grid = [[cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if line.startswith("|")]
        for row, cells in zip(facts.table(number).rows, grid[2:], strict=True):
            assert cells[0] == f"{row.title} ({row.metric})"
            for column, cell in zip(facts.table(number).columns, cells[1:], strict=True):
                assert str(facts.value(number, row.benchmark, column.name) or "-") == cell
