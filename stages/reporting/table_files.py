"""A table as Markdown and as CSV."""

import csv
import io
import string

from stages.reporting.tables import OWN, Cell, Table

EMPTY = "–"
_MEASURED = ("ci95_low", "ci95_high", "mean_tokens", "n", "k", "stand_in")
_SHARES = ("truncated", "unparsed", "errors", "excluded")


def reasons(table: Table) -> dict[str, str]:
    """Letter of every distinct reason of an empty cell, in order of first use: a, b, c ..."""
    found = dict.fromkeys(cell.reason for line in table.lines for cell in line.cells if cell.value is None)
    return dict(zip(found, string.ascii_lowercase, strict=False))


def markdown(table: Table) -> str:
    """The table as GitHub Markdown, with caption, and the reasons of its empty cells below."""
    letters = reasons(table)
    head = [table.first, *(f"{head.name} ({head.size})" if head.size else head.name for head in table.heads)]
    rows = [[line.label, *(_cell(cell, letters) for cell in line.cells)] for line in table.lines]
    grid = "\n".join(f"| {' | '.join(map(_plain, row))} |" for row in [head, ["---"] * len(head), *rows])
    below = [f"- {EMPTY} ({letter}): {reason}" for reason, letter in letters.items()]
    parts = [
        f"# {table.title}",
        table.caption,
        *([grid] if rows else []),
        *table.notes,
        *(["\n".join(below)] if below else []),
    ]
    return "\n\n".join(parts) + "\n"


def wide_csv(table: Table) -> str:
    """Tables 2 and 3 as CSV: one line a benchmark, a column a model; beside ours interval, n, k and reason.

    Values and intervals are in percent; an empty published cell is one that the report does not give."""
    head, rows = [table.first], [[line.label] for line in table.lines]
    for place, column in enumerate(table.heads):
        own = column.group == OWN
        head += [column.name, *(f"{column.name}: {name}" for name in (*_MEASURED[:-1], "reason") if own)]
        for row, line in zip(rows, table.lines, strict=True):
            cell = line.cells[place]
            row += [cell.text, *([*_measured(cell)[:-1], cell.reason] if own else [])]
    return _csv([head, *rows])


def long_csv(table: Table) -> str:
    """The table as CSV, one line a cell: what a program wants. Accuracy and interval in percent."""
    rows = [["row", "checkpoint", "weights", "accuracy", *_MEASURED, *_SHARES, "best", "reason"]]
    for line in table.lines:
        for head, cell in zip(table.heads, line.cells, strict=True):
            values = [cell.text, *_measured(cell), *_shares(cell), str(int(cell.best)), cell.reason]
            rows.append([line.label, head.name, head.size.removesuffix(" weights"), *values])
    return _csv(rows)


def _csv(rows: list[list[str]]) -> str:
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows(rows)
    return file.getvalue()


def _measured(cell: Cell) -> list[str]:
    """The values of _MEASURED."""
    score = cell.score
    if score is None:
        return [""] * len(_MEASURED)
    low, high = (f"{100 * bound:.2f}" for bound in score.ci95)
    return [low, high, f"{score.mean_tokens:.1f}", str(score.n), str(score.k), str(int(score.stand_in))]


def _shares(cell: Cell) -> list[str]:
    """The values of _SHARES: shares of the responses, and how many questions could not be asked."""
    score = cell.score
    if score is None:
        return [""] * len(_SHARES)
    return [f"{score.truncated:.4f}", f"{score.unparsed:.4f}", f"{score.errors:.4f}", str(len(score.excluded))]


def _cell(cell: Cell, letters: dict[str, str]) -> str:
    if cell.value is None:
        return f"{EMPTY} ({letters[cell.reason]})"
    return (f"**{cell.text}**" if cell.best else cell.text) + (
        "".join(f", {part}" if place else f" {part}" for place, part in enumerate(cell.detail))
    )


def _plain(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
