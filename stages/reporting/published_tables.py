"""Tables 2 and 3: the report's columns, then those that this code measured on the whole benchmarks."""

from collections.abc import Sequence
from dataclasses import replace

from stages.reporting.columns import Column
from stages.reporting.evaluations import Missing
from stages.reporting.limits import whole, why_not_whole
from stages.reporting.published import PublishedTable, Row, published
from stages.reporting.tables import SCORE_FACTS, Cell, Head, Line, Table, head, known_interval, mark_best, scored

BOLD_THERE, NOT_BOLD_THERE = "◆", "◇"
"""Marks of published numbers whose type in the report differs from what is the best of its columns."""


def published_table(number: int, columns: Sequence[Column]) -> Table:
    """Table 2 or 3: the best of each row bold as computed; the report's own bold marked where it differs."""
    theirs = published().table(number)
    ours = [column for column in columns if column.table == number]
    heads = [Head(column.name, column.group, measured=False) for column in theirs.columns]
    heads += [head(column.name, column.group, column.parameters) for column in ours]
    lines = []
    for row in theirs.rows:
        cells = _published_cells(theirs, row)
        cells += [benchmark_cell(row, column, theirs) for column in ours]
        lines.append(Line(row.block, f"{row.title} ({row.metric})", mark_best(cells)))
    return Table(
        f"table{number}",
        f"Table {number}: {theirs.title}",
        f"Published columns: {published().source}, table {number}, p. {theirs.page}. Measured columns: percent, with the 95% "
        "interval, mean response tokens, n problems and k responses to each, and the published columns whose value lies inside "
        "the interval. Bold: the best of the row, as computed. The models differ in size by orders of magnitude.",
        "Benchmark (metric)",
        tuple(heads),
        tuple(lines),
        (*SCORE_FACTS[:-1], "published_inside"),
        tuple(_notes(theirs, lines)),
    )


def benchmark_cell(row: Row, column: Column, theirs: PublishedTable) -> Cell:
    """The measured cell of a row, or why there is none."""
    result = column.benchmarks.get(row.benchmark)
    if result is None:
        return Cell(None, reason="not evaluated here")
    if isinstance(result, Missing):
        return Cell(None, reason=result.missing)
    if not whole(result, row):
        return Cell(None, reason=why_not_whole(result, row))
    cell = scored(result)
    if not known_interval(result):
        return cell
    low, high = (100 * bound for bound in result.ci95)
    values = {other.name: published().value(theirs.table, row.benchmark, other.name) for other in theirs.columns}
    inside = [name for name, value in values.items() if value is not None and low <= value <= high]
    words = f"inside: {', '.join(inside)}" if inside else "inside: none"
    return replace(cell, detail=(*cell.detail, words), facts={**cell.facts, "published_inside": "; ".join(inside)})


def _published_cells(table: PublishedTable, row: Row) -> list[Cell]:
    values = [published().value(table.table, row.benchmark, column.name) for column in table.columns]
    cells = [Cell(None, reason="the report gives none") if value is None else Cell(float(value), str(value)) for value in values]
    if table.bold is None:
        return cells
    bold = table.bold.get(row.benchmark, [])
    best = [cell.best for cell in mark_best(cells)]
    return [
        replace(cell, mark=_mark(column.name in bold, is_best))
        for cell, column, is_best in zip(cells, table.columns, best, strict=True)
    ]


def _mark(bold: bool, best: bool) -> str:
    return "" if bold == best else BOLD_THERE if bold else NOT_BOLD_THERE


def _notes(table: PublishedTable, lines: Sequence[Line]) -> list[str]:
    marked = any(cell.mark for line in lines for cell in line.cells)
    if table.bold is None:
        bold = "The report's own bold type was not transcribed: bold here is computed from the numbers alone."
    elif marked:
        bold = f"{BOLD_THERE}: bold in the report, though not the best of its columns. {NOT_BOLD_THERE}: the best of its columns, "
        bold += "though not bold in the report."
    else:
        bold = "The report prints the best of its columns bold in every row."
    if table.bold is not None and table.bold_source:
        bold += f" Its bold type is taken from a public transcription ({table.bold_source}), not checked against the report's file."
    notes = [f"{row.title}: {row.note}." for row in table.rows if row.note]
    return [bold, *([f"{table.note[0].upper()}{table.note[1:]}."] if table.note else []), *notes]
