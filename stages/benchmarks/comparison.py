"""Two models on the same items: how far apart their accuracies are, and how sure that is, from two files of verdicts."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stages.benchmarks.averages import percent
from stages.benchmarks.statistics import accuracy, paired_difference, problem_means
from stages.data.files import DataError, read_rows

NAMED = 20
"""Ids that are listed by name in the result; more are counted."""

Rights = Mapping[str, Sequence[bool]]
"""By item: whether each of its k responses is right."""


def compare_files(first: Path, second: Path) -> dict[str, Any]:
    """`compared` of two files that `k15 score --verdicts` wrote, with their names."""
    found = compared(read_verdicts(first), read_verdicts(second))
    if not found["n"]:
        raise DataError(f"{first} and {second} have no item in common; give verdicts on the same benchmark")
    return {"first": str(first), "second": str(second), **found}


def compared(first: Rights, second: Rights) -> dict[str, Any]:
    """Both scores, second minus first with its standard error and 95% interval, all in percent over the common items.

    Every item counts the same, whatever average the benchmark's headline is. `gained` and `lost` count the items on which the
    second is better and worse. Items of one model only are counted and named, not compared."""
    common = [name for name in first if name in second]
    result: dict[str, Any] = {"n": len(common), **_only("first", first, second), **_only("second", second, first)}
    if not common:
        return result
    one, other = [first[name] for name in common], [second[name] for name in common]
    change = problem_means(other) - problem_means(one)
    estimate = paired_difference(one, other)
    return {
        "first_score": percent(accuracy(one).mean),
        "second_score": percent(accuracy(other).mean),
        "difference": percent(estimate.mean),
        "stderr": None if estimate.stderr is None else percent(estimate.stderr),
        "ci95": [percent(estimate.low), percent(estimate.high)],
        "gained": int((change > 0).sum()),
        "lost": int((change < 0).sum()),
        "k": [max(map(len, one)), max(map(len, other))],
        **result,
    }


def read_verdicts(path: Path) -> dict[str, list[bool]]:
    """Whether each response is right, by item, in the order of the samples. DataError names the row at fault."""
    found: dict[str, dict[int, bool]] = {}
    for number, row in enumerate(read_rows(path), 1):
        name, sample, right = row.get("item", row.get("id")), row.get("sample", 0), row.get("correct")
        if name is None or not isinstance(right, bool) or not isinstance(sample, int):
            raise DataError(
                f"{path}: row {number} has no id, sample and correct (true or false); its fields are {', '.join(list(row)[:12])}; "
                "give a file that `k15 score --verdicts` wrote"
            )
        samples = found.setdefault(str(name), {})
        if sample in samples:
            raise DataError(f"{path}: row {number}: sample {sample} of {str(name)[:80]!r} occurs twice; score the responses again")
        samples[sample] = right
    if not found:
        raise DataError(f"{path}: it has no rows; give a file that `k15 score --verdicts` wrote")
    return {name: [samples[sample] for sample in sorted(samples)] for name, samples in found.items()}


def _only(which: str, mine: Rights, others: Rights) -> dict[str, Any]:
    names = [name for name in mine if name not in others]
    ids = {f"only_{which}_ids": [name[:80] for name in names[:NAMED]]} if names else {}
    return {f"only_{which}": len(names), **ids}
