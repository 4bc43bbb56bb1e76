"""Which of our scores may stand beside published ones: those over all items of the row."""

from stages.reporting.evaluations import Benchmark
from stages.reporting.published import Row, published


def whole(result: Benchmark, row: Row) -> bool:
    """Whether `result` covers just the items of `row`."""
    return not result.limited and not result.stand_in and row.items in (None, result.n)


def whole_anywhere(name: str, result: Benchmark) -> bool:
    """Whether `result` covers all items of benchmark `name` in one of the tables."""
    return any(whole(result, row) for row in published().rows(name).values())


def why_not_whole(result: Benchmark, row: Row) -> str:
    """The reason, for the empty cell of a table."""
    if result.stand_in:
        return "a stand-in is no published benchmark"
    for number, other in published().rows(row.benchmark).items():
        if whole(result, other):
            return f"scored on the {result.n:,} items of table {number}; here are {row.items:,}: {row.note}"
    items = f"run on {result.n:,} items" + (f" of {row.items:,}" if row.items else "")
    return f"{items}{f' ({result.part})' if result.part else ''}: see the table of partial runs"
