"""Codeforces: CodeElo's rating worked out by hand, its percentiles, the vote over samples."""

import bisect
import json
import math
from pathlib import Path

import pytest

from stages.benchmarks import coding_codeforces, coding_vote
from stages.benchmarks.codeforces_rating import Contest, Row, percentile, rank, rating, rating_of, standing
from stages.data.files import DataError
from stages.verifiers.languages import missing
from stages.verifiers.sandbox import why_unavailable
from stages.verifiers.verdict import Verdict

TABLE = Path("../shared/bench/codeforces/sorted_ratings.json")
PUBLISHED = Path("../shared/conformance/codeforces/expected_percentiles.json")
REASON = why_unavailable() or missing("python")
HUMANS = tuple(Row(points=500.0 * (index // 50), penalty=float(index % 50), rating=800 + 10 * index) for index in range(210))
POINTS = Contest("1", False, {"A": 500, "B": 1000}, HUMANS)
ICPC = Contest("2", True, {"A": 1, "B": 1}, tuple(Row(row.points / 500, row.penalty, row.rating) for row in HUMANS))


def test_published_percentiles() -> None:
    """o1-mini and QwQ-32B-Preview in CodeElo's paper."""
    assert (percentile(1578), percentile(1261)) == (89.2, 63.6)


@pytest.mark.skipif(not TABLE.exists() or not PUBLISHED.exists(), reason=f"{TABLE} is not here (CodeElo's ratings)")
def test_the_compact_table_is_the_whole_table() -> None:
    ratings = json.loads(TABLE.read_text())
    values = [*range(-60, 4020), 1577.5, 1578.01, 0.5, -53.5]
    whole = [round(100 * bisect.bisect_left(ratings, value) / len(ratings), 1) for value in values]
    assert [percentile(value) for value in values] == whole
    published = json.loads(PUBLISHED.read_text())["codeelo_table (bench/codeforces/sorted_ratings.json)"]
    assert {name: percentile(pair[0]) for name, pair in published.items()} == {name: pair[1] for name, pair in published.items()}


@pytest.mark.parametrize(
    ("contest", "attempts", "points", "penalty"),
    [
        (POINTS, {"A": [True], "B": [True]}, 1500, 0),
        (POINTS, {"A": [False, False, True]}, 400, 0),
        (POINTS, {"A": [False] * 8 + [True]}, 0, 0),
        (POINTS, {}, 0, 0),
        (ICPC, {"A": [True], "B": [False, True]}, 2, 10),
        (Contest("3", False, {"A": 100}, HUMANS), {"A": [False] * 5 + [True]}, 0, 0),
    ],
)
def test_standings(contest: Contest, attempts: dict[str, list[bool]], points: float, penalty: float) -> None:
    assert standing(contest, attempts) == (points, penalty)


def test_the_rank_is_that_of_the_first_human_who_is_beaten() -> None:
    """From 0, as CodeElo's calc_rating.py has it."""
    humans = (Row(1000, 5, 1500), Row(500, 1, 1400), Row(500, 9, 1300), Row(0, 0, 1200))
    contest = Contest("4", False, {"A": 500}, humans)
    assert [rank(contest, *mine) for mine in ((1000, 0), (500, 5), (500, 9), (0, 0), (600, 0))] == [0, 2, 3, 4, 1]


def test_the_rating_has_the_rank_that_was_reached() -> None:
    """Among equals of 1500 the middle place is worth 1500, place 31 of 301 odds of nine to one against each; a master on top of
    them lets ratings go beyond 1600 and is never beaten here."""
    equals = tuple(Row(0, 0, 1500) for _ in range(300))
    assert rating_of(Contest("5", False, {"A": 1}, equals), 151) == pytest.approx(1500, abs=1)
    assert rating_of(Contest("5", False, {"A": 1}, equals), 1) == pytest.approx(1600, abs=1)  # 100 above the best is the most
    assert rating_of(Contest("5", False, {"A": 1}, equals), 301) == pytest.approx(0, abs=1)
    with_master = Contest("5", False, {"A": 1}, (*equals, Row(9, 0, 5000)))
    assert rating_of(with_master, 32) == pytest.approx(1500 + 400 * math.log10(9), abs=1)


def test_small_contests_are_left_out() -> None:
    small = Contest("6", False, {"A": 1}, HUMANS[:200])
    mean, each = rating([POINTS, small], {"1": {"A": [True], "B": [True]}})
    assert (mean, len(each)) == (each[0], 1)
    with pytest.raises(ValueError, match="no contest has 201 rated participants"):
        rating([small], {})


def test_a_file_of_verdicts_gives_rating_and_percentile(tmp_path: Path) -> None:
    for contest in (POINTS, ICPC):
        row = {"contest_id": contest.id, "icpc": contest.icpc, "points": contest.points}
        rows = [[one.points, one.penalty, one.rating] for one in contest.rows]
        with (tmp_path / "contests.jsonl").open("a") as file:
            file.write(json.dumps({**row, "rows": rows}) + "\n")
    items = coding_codeforces.load_answers(tmp_path).items
    assert [item.id for item in items] == ["1/A", "1/B", "2/A", "2/B"]
    right, wrong = Verdict("right", None, ""), Verdict("wrong", None, "")
    good, figures = coding_codeforces.percentile_of([(item, [wrong, right]) for item in items])
    bad, _ = coding_codeforces.percentile_of([(item, [wrong]) for item in items])
    assert figures["contests"] == 2
    assert bad.mean < good.mean <= 1
    assert good.low <= good.mean <= good.high
    with pytest.raises(DataError, match=r"no tests for 4 of 4 problems; put contests\.jsonl and problems\.jsonl in"):
        coding_codeforces.load(tmp_path)
    with pytest.raises(DataError, match="these problems have no tests" if REASON is None else "Codeforces: "):
        coding_codeforces.score([(items[0], "x")], 1, 10)


def test_a_rating_reached_elsewhere(tmp_path: Path) -> None:
    (item,) = coding_codeforces.load_answers(tmp_path).items
    verdicts = coding_codeforces.score([(item, "1578"), (item, "very high"), (item, "9" * 1_000_000)], 1, 10)
    assert [verdict.outcome for verdict in verdicts] == ["right", "wrong", "wrong"]
    estimate, figures = coding_codeforces.percentile_of([(item, verdicts[:1])])
    assert (round(100 * estimate.mean, 1), figures["rating"]) == (89.2, 1578.0)
    with pytest.raises(DataError, match="the row's response is no rating"):
        coding_codeforces.percentile_of([(item, verdicts[1:2])])


def test_a_contest_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "contests.jsonl").write_text('{"contest_id": 1, "icpc": false, "points": {"A": 1}, "rows": [[1, 2]]}\n')
    with pytest.raises(DataError, match=r"contests\.jsonl: row 1: ValueError .*; expected contest_id, icpc, points"):
        coding_codeforces.load_answers(tmp_path)


def test_the_largest_group_wins_and_of_it_the_first() -> None:
    assert coding_vote.chosen([("1",), ("2",), ("2",), None, None, None]) == 1
    assert coding_vote.chosen([("1",), ("2",), ("2",), ("1",)]) == 0
    assert coding_vote.chosen([None, None]) is None
    assert coding_vote.chosen([None, ("",)]) == 1


def test_inputs_are_the_code_blocks() -> None:
    response = "Small:\n```\n1\n```\nagain\n```text\n1\n```\nempty\n```\n\n```\n```\n2 3\n```" + "\n```\n" + "9" * 200_000 + "\n```"
    assert coding_vote.inputs_of(response) == ["1\n", "2 3\n"]


@pytest.mark.skipif(REASON is not None, reason=str(REASON))
def test_the_vote_runs_the_programs() -> None:
    double, wrong, crash = "print(int(input()) * 2)", "print(int(input()) ** 2)", "print(1 // int(input()))"
    programs = [wrong, double, crash, "n = int(input())\nprint(n + n )", "def ("]
    assert coding_vote.vote(programs, ["1", "3", "0"]) == 1
    with pytest.raises(ValueError, match="at least one input"):
        coding_vote.vote(programs, [])
