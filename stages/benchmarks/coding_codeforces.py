"""Codeforces (§3.1): the percentile of a model's rating among human participants, from contests as they were held.

No published set has hidden tests and standings together, so a folder holds, in our own form: contests.jsonl with contest_id, icpc,
points (by problem) and rows (points, penalty, rating before, of every rated participant); and, to judge programs here,
problems.jsonl with contest_id, index, statement and tests (input, output). Verdicts reached elsewhere need the contests only; a
rating reached elsewhere needs nothing. The percentile is CodeElo's; the report takes its own from another, unpublished table."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from stages.benchmarks.benchmark import Item, Loaded
from stages.benchmarks.codeforces_rating import Contest, Row, percentile, rating
from stages.benchmarks.coding_livecodebench import SYSTEM, WITHOUT_STARTER, as_graded, extracted
from stages.benchmarks.statistics import Estimate, bootstrap
from stages.data.files import DataError, read_rows
from stages.rollout.engine import Prompt
from stages.verifiers.code_tests import StdinTest, judge
from stages.verifiers.languages import missing
from stages.verifiers.sandbox import why_unavailable
from stages.verifiers.verdict import Verdict

CONTESTS, PROBLEMS = "contests.jsonl", "problems.jsonl"
FILES = (CONTESTS, "sorted_ratings.json")
PROMPT_SOURCE = "LiveCodeBench's generic prompt; the report gives none"
RATING = "rating"
"""Id of the item that stands for a rating reached elsewhere."""
FENCE = "```"


def load(path: Path) -> Loaded:
    """All problems that can be asked and judged here. DataError says what is missing."""
    loaded = load_answers(path)
    items = loaded.items
    if [item.id for item in items] == [RATING]:
        raise DataError(f"Codeforces: no problems are there; put {CONTESTS} and {PROBLEMS} in {_folder(path)}, or score a rating")
    absent = [item.id for item in items if "tests" not in item.data]
    if absent:
        raise DataError(
            f"Codeforces: no tests for {len(absent)} of {len(items)} problems; put {CONTESTS} and {PROBLEMS} in {_folder(path)}, "
            "or score a file of verdicts"
        )
    return loaded


def load_answers(path: Path) -> Loaded:
    """The problems of all contests; without contests.jsonl the one item that takes a rating."""
    folder = _folder(path)
    if not (folder / CONTESTS).exists():
        return Loaded([Item(RATING, "the model's rating", None, "a percentile", "rating")], "a rating reached elsewhere", ())
    contests = [_contest(row, f"{folder / CONTESTS}: row {number}") for number, row in enumerate(read_rows(folder / CONTESTS), 1)]
    files = tuple(folder / name for name in (CONTESTS, PROBLEMS) if (folder / name).exists())
    rows = read_rows(folder / PROBLEMS) if folder / PROBLEMS in files else []
    problems = {f"{row.get('contest_id')}/{row.get('index')}": row for row in rows}
    items = [_item(contest, index, problems) for contest in contests for index in contest.points]
    return Loaded(items, None, files)


def prompt(item: Item) -> Prompt:
    """The statement with the instruction for programs that read standard input."""
    text = (
        f"{SYSTEM}\n\n### Question:\n{item.question}\n\n### Format: {WITHOUT_STARTER}\n{FENCE}python\n# YOUR CODE HERE\n{FENCE}\n\n"
        "### Answer: (use the provided format with backticks)\n\n"
    )
    return Prompt(text, None, instruction="")


def score(pairs: Sequence[tuple[Item, str]], workers: int, _: float) -> list[Verdict]:
    """Verdicts of programs on the problems' tests; of a rating, whether it can be read. DataError without tests or sandbox."""
    if pairs and all("graded" in item.data for item, _ in pairs):
        return as_graded(pairs)
    programs = [item for item, _ in pairs if item.id != RATING]
    reason = (why_unavailable() or missing("python")) if programs else None
    if reason is not None:
        raise DataError(f"Codeforces: {reason}")
    if any("tests" not in item.data for item in programs):
        raise DataError(f"Codeforces: these problems have no tests; put {PROBLEMS} beside {CONTESTS}, or give verdicts")
    with ThreadPoolExecutor(max(1, workers)) as pool:
        return list(pool.map(lambda pair: _judged(*pair), pairs))


def percentile_of(judged: Sequence[tuple[Item, Sequence[Verdict]]]) -> tuple[Estimate, dict[str, Any]]:
    """The percentile as a share with its 95% interval over contests, and the rating. The samples of a problem are attempts."""
    if [item.id for item, _ in judged] == [RATING]:
        value = _read_rating(judged[0][1][0].extracted or "")
        if value is None:
            raise DataError("Codeforces: the row's response is no rating; write one number, or put contests.jsonl beside the data")
        return Estimate(percentile(value) / 100, None, 0.0, 1.0), {"rating": value, "interval": "none: a rating reached elsewhere"}
    contests = {item.data["contest"].id: item.data["contest"] for item, _ in judged}
    attempts: dict[str, dict[str, Sequence[bool]]] = {name: {} for name in contests}
    for item, verdicts in judged:
        attempts[item.data["contest"].id][item.data["index"]] = [verdict.outcome == "right" for verdict in verdicts]
    try:
        value, ratings = rating(list(contests.values()), attempts)
    except ValueError as error:
        raise DataError(f"Codeforces: {error}; give larger contests") from None
    figures: dict[str, Any] = {
        "rating": round(value, 1),
        "contests": len(ratings),
        "contests_left_out": len(contests) - len(ratings),
    }
    if len(ratings) < 2:
        return Estimate(percentile(value) / 100, None, 0.0, 1.0), {**figures, "interval": "none: one contest"}
    low, high = bootstrap(np.array(ratings))
    figures["rating_ci95"] = [round(low, 1), round(high, 1)]
    return Estimate(percentile(value) / 100, None, percentile(low) / 100, percentile(high) / 100), figures


def _judged(item: Item, response: str) -> Verdict:
    if item.id == RATING:
        value = _read_rating(response)
        return Verdict("wrong", None, "no rating") if value is None else Verdict("right", f"{value:g}", "a rating as given")
    program = extracted(response)
    if not program:
        return Verdict("wrong", None, "fewer than two lines with three backticks")
    return judge(program, [StdinTest(test["input"], test["output"]) for test in item.data["tests"]], seconds=item.data["seconds"])


def _read_rating(text: str) -> float | None:
    bare = text.strip()
    return float(bare) if len(bare) < 20 and bare.removeprefix("-").replace(".", "", 1).isdecimal() and bare.isascii() else None


def _folder(path: Path) -> Path:
    return path.parent if path.is_file() else path


def _contest(row: Mapping[str, Any], where: str) -> Contest:
    try:
        rows = tuple(Row(float(points), float(penalty), int(before)) for points, penalty, before in row["rows"])
        worth = {str(index): float(points) for index, points in row["points"].items()}
        return Contest(str(row["contest_id"]), bool(row["icpc"]), worth, rows)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        expected = "contest_id, icpc, points {index: points}, rows [[points, penalty, rating before], ...]"
        raise DataError(f"{where}: {type(error).__name__} {error}; expected {expected}") from None


def _item(contest: Contest, index: str, problems: Mapping[str, Mapping[str, Any]]) -> Item:
    name = f"{contest.id}/{index}"
    row = problems.get(name, {})
    data: dict[str, Any] = {"contest": contest, "index": index, "seconds": float(row.get("seconds", 6.0))}
    if row.get("tests"):
        data["tests"] = row["tests"]
    return Item(
        name, str(row.get("statement") or f"problem {index} of contest {contest.id}"), None, "its tests", contest.id, (), data
    )
