"""A table as Markdown and as CSV."""

import csv
import io
import string

from stages.data import display
from stages.reporting.tables import Cell, Table

EMPTY = "–"


def reasons(table: Table) -> dict[str, str]:
    """Letter of every distinct reason of an empty cell, in order of first use: a, b, c ... z, aa, ab ..."""
    found = dict.fromkeys(cell.reason for line in table.lines for cell in line.cells if cell.value is None)
    return {reason: _letters(number) for number, reason in enumerate(found)}


def markdown(table: Table) -> str:
    """The table as GitHub Markdown, with caption, and the reasons of its empty cells below."""
    letters = reasons(table)
    head = [table.first, *(f"{head.name} ({head.size})" if head.size else head.name for head in table.heads)]
    rows = [[line.label, *(_cell(cell, letters) for cell in line.cells)] for line in table.lines]
    below = [f"- {EMPTY} ({letter}): {reason}" for reason, letter in letters.items()]
    parts = [
        f"# {table.title}",
        table.caption,
        *([grid([head, *rows])] if rows else []),
        *(["\n".join(f"- {note}" for note in table.notes)] if rows else table.notes),
        *(["\n".join(below)] if below else []),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def grid(rows: list[list[str]]) -> str:
    """A Markdown table; the first row is its head."""
    lines = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    return "\n".join(f"| {' | '.join(map(_plain, row))} |" for row in lines)


def wide_csv(table: Table) -> str:
    """Tables 2 and 3 as CSV: one line a benchmark, a column a model; beside a measured one its facts and reason.

    Values and intervals are in percent; an empty published cell is one that the report does not give."""
    names = table.facts
    head, rows = [table.first], [[line.label] for line in table.lines]
    for place, column in enumerate(table.heads):
        head += [column.name, *(f"{column.name}: {name}" for name in (*names, "reason") if column.measured)]
        for row, line in zip(rows, table.lines, strict=True):
            cell = line.cells[place]
            row += [cell.text, *([*(cell.facts.get(name, "") for name in names), cell.reason] if column.measured else [])]
    return _csv([head, *rows])


def long_csv(table: Table, value: str = "accuracy") -> str:
    """The table as CSV, one line a cell: what a program wants. `value` names what the cells hold, in percent or points."""
    rows = [["row", "checkpoint", "weights", value, *table.facts, "best", "reason"]]
    for line in table.lines:
        for head, cell in zip(table.heads, line.cells, strict=True):
            facts = [cell.facts.get(name, "") for name in table.facts]
            values = [cell.text.removesuffix("%"), *facts, str(int(cell.best)), cell.reason]
            rows.append([line.label, head.name, head.size.removesuffix(" weights"), *values])
    return _csv(rows)


def _csv(rows: list[list[str]]) -> str:
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows([display.cell(text) for text in row] for row in rows)
    return file.getvalue()


def _cell(cell: Cell, letters: dict[str, str]) -> str:
    if cell.value is None:
        return f"{EMPTY} ({letters[cell.reason]})"
    number = (f"**{cell.text}**" if cell.best else cell.text) + cell.mark
    return " ".join([number, ", ".join(cell.detail)]) if cell.detail else number


def _letters(number: int) -> str:
    more, place = divmod(number, 26)
    return (_letters(more - 1) if more else "") + string.ascii_lowercase[place]


def _plain(text: str) -> str:
    return display.visible(text).replace("|", "\\|").replace("\n", " ")
