"""Which of our scores may stand beside published ones: those over all items of the benchmark."""

from stages.reporting.evaluations import Benchmark
from stages.reporting.published import published


def whole(name: str, result: Benchmark) -> bool:
    """Whether `result` covers every item of benchmark `name`."""
    return not result.limited and not result.stand_in and result.n >= published().full_items.get(name, result.n + 1)


def why_not_whole(name: str, result: Benchmark) -> str:
    """The reason, for the empty cell of a table."""
    if result.stand_in:
        return "a stand-in is no published benchmark"
    total = published().full_items.get(name)
    items = f"run on {result.n:,} items" + (f" of {total:,}" if total else "")
    return f"{items}{f' ({result.part})' if result.part else ''}: see the table of partial runs"
