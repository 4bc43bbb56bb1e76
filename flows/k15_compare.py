"""`k15 compare`: two models on the same items of a benchmark, from the verdicts that `k15 score` wrote."""

import argparse
import json
from pathlib import Path
from typing import Any

from stages.benchmarks.comparison import compare_files

_EPILOG = """\
The items are those that both files have; the k responses to an item are averaged first, so that the item is the unit. Every item
counts the same, also where the benchmark's headline is a mean over subjects or languages. The last line printed is one JSON object:
both scores, second minus first in points with standard error and 95% interval, items gained and lost.

example: k15 compare before.jsonl after.jsonl
"""


def add(commands: Any) -> None:
    """Add the command to the subparsers of `k15`."""
    compare = commands.add_parser(
        "compare",
        help="compare two models on the same items, with the interval of the difference",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    compare.add_argument("first", type=Path, metavar="A.jsonl", help="verdicts of the first model (k15 score --verdicts)")
    compare.add_argument("second", type=Path, metavar="B.jsonl", help="verdicts of the second one")
    compare.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Compare the two files of the command line."""
    result = compare_files(args.first, args.second)
    for line in report(result):
        print(line)
    print(json.dumps(result))
    return 0


def report(result: dict[str, Any]) -> list[str]:
    """Lines for a reader, above the result."""
    low, high = result["ci95"]
    lines = [
        f"{result['first']}: {result['first_score']}, {result['second']}: {result['second_score']}, "
        f"n = {result['n']}, k = {' and '.join(map(str, result['k']))}",
        f"second minus first: {result['difference']:+} points [{low:+}, {high:+}], "
        f"better on {result['gained']} items, worse on {result['lost']}",
    ]
    for which in ("first", "second"):
        count = result[f"only_{which}"]
        if count:
            names = ", ".join(json.dumps(name)[1:-1] for name in result[f"only_{which}_ids"])
            more = " ..." if count > len(result[f"only_{which}_ids"]) else ""
            lines.append(f"{count} items of the {which} file alone are not compared: {names}{more}")
    return lines
