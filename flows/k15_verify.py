"""`k15 verify`: verdicts on responses by the rules that reward them in RL, before anything is trained."""

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, cast, get_args

from stages.data.files import DataError, rows_of
from stages.data.records import VerifierName
from stages.verifiers.claims import Claim, Verdict
from stages.verifiers.verdict import verify_all

BATCH = 256
"""Rows that are judged together; a verdict does not depend on its company."""
FIELDS = ("verifier", "gold", "response", "question")
_EPILOG = f"""\
A row of FILE.jsonl holds `verifier` ({", ".join(get_args(VerifierName))}),
`gold` (the gold answer; tests of "code" and instructions as JSON or as a text that holds it), `response` and, where a judge needs
it, `question`; `id` and other fields are passed over.
Each row gives one line, a JSON object: row (from 1), id where the row has one, outcome (right, wrong, error), extracted (what was
judged) and reason. A verdict of "error" is about the gold answer or the machine, never about the response: such a problem is left
out of training. The last line counts the outcomes. Programs run in the sandbox; no model is asked, so rows for a judge are errors.

example: k15 verify rewards.jsonl
"""


def add(commands: Any) -> None:
    """Add the command to the subparsers of `k15`."""
    verify = commands.add_parser(
        "verify",
        help="judge responses by the rules of RL's rewards: gold answer, response, verdict with its reason",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verify.add_argument("file", type=Path, metavar="FILE.jsonl", help="a row a response")
    verify.add_argument("--workers", type=int, default=2, metavar="N", help="processes that compare answers (default 2)")
    verify.add_argument("--seconds", type=float, default=10.0, metavar="S", help="limit of one comparison (default 10 s)")
    verify.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print a verdict for each row of the file, then the counts."""
    if args.workers < 1 or args.seconds <= 0:
        raise DataError("--workers must be at least 1 and --seconds above 0")
    counts: Counter[str] = Counter()
    for row, verdict in verdicts(args.file, args.workers, args.seconds):
        counts[verdict.outcome] += 1
        told = {"outcome": verdict.outcome, "extracted": verdict.extracted, "reason": verdict.reason}
        print(json.dumps({**row, **told}), flush=True)
    print(json.dumps({"rows": counts.total(), **{name: counts[name] for name in ("right", "wrong", "error")}}), flush=True)
    return 0


def verdicts(path: Path, workers: int, seconds: float) -> Iterator[tuple[dict[str, Any], Verdict]]:
    """(what names the row, its verdict) for each row. DataError for a row that is no claim, before any row of its batch is
    judged."""
    claims = (({"row": number, **_identity(row)}, _claim(path, number, row)) for number, (_, row) in enumerate(rows_of(path), 1))
    while batch := list(islice(claims, BATCH)):
        found = verify_all([claim for _, claim in batch], workers, seconds)
        yield from zip([row for row, _ in batch], found, strict=True)


def _identity(row: dict[str, Any]) -> dict[str, Any]:
    return {"id": row["id"]} if "id" in row else {}


def _claim(path: Path, number: int, row: dict[str, Any]) -> Claim:
    for field in FIELDS[:3]:
        if field not in row:
            raise DataError(
                f"{path}: row {number} has no {field!r}; a row holds {', '.join(FIELDS[:3])} and, for a judge, question"
            )
    verifier, gold = row["verifier"], row["gold"]
    if verifier not in get_args(VerifierName):
        names = ", ".join(get_args(VerifierName))
        raise DataError(f"{path}: row {number}: verifier is {verifier!r}, expected one of {names}")
    if isinstance(gold, dict | list):
        gold = json.dumps(gold)
    elif isinstance(gold, int | float) and not isinstance(gold, bool):
        gold = str(gold)
    texts: Sequence[Any] = (gold, row["response"], row.get("question") or "")
    for field, text in zip(FIELDS[1:], texts, strict=True):
        if not isinstance(text, str):
            raise DataError(f"{path}: row {number}: {field} is a {type(text).__name__}, expected a text")
    return Claim(cast(VerifierName, verifier), *texts)
