"""Codeforces rating and percentile by CodeElo's method (arXiv 2501.01257, §3; github.com/QwenLM/CodeElo).

In a contest up to eight attempts at each problem count, in order. The rank is that among the human participants, counted from 0
as in their calc_rating.py; the rating is the one whose expected rank (which counts from 1) equals it, under Elo's odds against the
participants' ratings before the contest; the rating of a model is the mean over contests with enough rated participants."""

import bisect
import functools
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ATTEMPTS = 8
LEAST_ROWS = 201
"""Contests with 200 or fewer rated participants are left out."""
_STEP = 0.5
_PERCENTILES = Path(__file__).with_name("codeforces_percentiles.json")


@dataclass(frozen=True)
class Row:
    """One human participant of a contest."""

    points: float
    penalty: float
    rating: int
    """Before the contest."""


@dataclass(frozen=True)
class Contest:
    """A contest as it was held."""

    id: str
    icpc: bool
    """Whether a solved problem counts one and time decides (True), or points do (False)."""
    points: dict[str, float]
    """Points of each problem by its index."""
    rows: tuple[Row, ...]


def standing(contest: Contest, attempts: dict[str, Sequence[bool]]) -> tuple[float, float]:
    """Points and penalty for the verdicts of each problem's attempts."""
    points = penalty = 0.0
    for problem, worth in contest.points.items():
        tried = list(attempts.get(problem, ()))[:ATTEMPTS]
        if True in tried:
            failed = tried.index(True)
            points += 1 if contest.icpc else max(0.0, worth - 50 * failed)
            penalty += 10 * failed if contest.icpc else 0
    return points, penalty


def rank(contest: Contest, points: float, penalty: float) -> int:
    """Place among the participants as the published code counts it, from 0: how many stand before the first whom the standing
    beats."""
    rows = sorted(contest.rows, key=lambda row: (-row.points, row.penalty))
    for place, row in enumerate(rows):
        if row.points < points or (row.points == points and row.penalty > penalty):
            return place
    return len(rows)


def rating_of(contest: Contest, place: int) -> float:
    """The rating whose expected rank is `place`, between 0 and 100 above the best participant."""
    low, high = 0.0, max(row.rating for row in contest.rows) + 100.0
    while high - low > _STEP:
        middle = (low + high) / 2
        if _expected_rank(contest.rows, middle) < place:
            high = middle
        else:
            low = middle
    return (low + high) / 2


def rating(contests: Sequence[Contest], attempts: dict[str, dict[str, Sequence[bool]]]) -> tuple[float, list[float]]:
    """Mean rating and that of each contest that counts. ValueError when none does."""
    counted = [contest for contest in contests if len(contest.rows) >= LEAST_ROWS]
    if not counted:
        raise ValueError(f"no contest has {LEAST_ROWS} rated participants")
    found = []
    for contest in counted:
        place = rank(contest, *standing(contest, attempts.get(contest.id, {})))
        found.append(rating_of(contest, place))
    return sum(found) / len(found), found


def percentile(value: float) -> float:
    """Percent of the 717,421 rated users of CodeElo's table below a rating, to one decimal."""
    return bisect.bisect_right(_thresholds(), math.ceil(value)) / 10


@functools.cache
def _thresholds() -> tuple[float, ...]:
    """The rating from which on the percentile is 0.1, 0.2, ... 100.0."""
    return tuple(json.loads(_PERCENTILES.read_text(encoding="utf-8"))["at_least"])


def _expected_rank(rows: Sequence[Row], value: float) -> float:
    return 1 + sum(1 / (1 + 10 ** ((value - row.rating) / 400)) for row in rows)
