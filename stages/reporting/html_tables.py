"""Tables of the page: the tables of results with their groups and notes, and plain ones."""

from collections.abc import Sequence
from itertools import groupby

from stages.reporting.markup import Html, join, tag
from stages.reporting.table_files import EMPTY, reasons
from stages.reporting.tables import Cell, Head, Line, Table


def results_table(table: Table) -> Html:
    """A table of results: groups above the columns, blocks of rows, numbered reasons of empty cells below."""
    notes = tag("ul", *(tag("li", note) for note in table.notes), class_="notes") if table.notes else Html("")
    if not table.lines:
        return notes
    letters = reasons(table)
    body = [
        tag("tbody", *(_line(table, line, letters) for line in lines)) for _, lines in groupby(table.lines, lambda line: line.block)
    ]
    grid = tag("table", tag("caption", table.caption), _head(table), *body, class_="results")
    below = tag("ol", *(tag("li", f"{EMPTY} {reason}") for reason in letters), type="a", class_="reasons") if letters else Html("")
    return join(scrollable(grid, table.title), below, notes)


def plain_table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Html:
    """A table of text; the first cell of a row is its heading."""
    body = [tag("tr", tag("th", row[0], scope="row"), *(tag("td", cell) for cell in row[1:])) for row in rows]
    top = tag("thead", tag("tr", *(tag("th", name, scope="col") for name in head)))
    return scrollable(tag("table", tag("caption", caption), top, tag("tbody", *body), class_="plain"), caption)


def scrollable(content: Html, label: str) -> Html:
    """Wide content scrolls by itself, by keyboard too, and leaves the page's width alone."""
    return tag("div", content, class_="scroll", role="region", aria_label=label, tabindex=0)


def _head(table: Table) -> Html:
    groups = [
        tag("th", name, scope="colgroup", colspan=len(list(heads)), class_="own" if measured else None)
        for (name, measured), heads in groupby((head.group, head.measured) for head in table.heads)
    ]
    names = [tag("th", head.name, *_size(head), scope="col", class_=_own(head)) for head in table.heads]
    return tag("thead", tag("tr", tag("td", ""), *groups), tag("tr", tag("th", table.first, scope="col"), *names))


def _line(table: Table, line: Line, letters: dict[str, str]) -> Html:
    cells = [_cell(cell, letters, _own(head)) for head, cell in zip(table.heads, line.cells, strict=True)]
    return tag("tr", tag("th", line.label, scope="row"), *cells)


def _cell(cell: Cell, letters: dict[str, str], class_: str | None) -> Html:
    if cell.value is None:
        return tag("td", EMPTY, tag("sup", letters[cell.reason]), class_=class_, title=cell.reason)
    value = tag("b" if cell.best else "span", cell.text, class_="value")
    mark = [tag("sup", cell.mark)] if cell.mark else []
    return tag("td", value, *mark, *(tag("small", part) for part in cell.detail), class_=class_)


def _size(head: Head) -> list[Html]:
    return [tag("small", head.size)] if head.size else []


def _own(head: Head) -> str | None:
    return "own" if head.measured else None
