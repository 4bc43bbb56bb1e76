"""The text families at levels above 1: answers found again from the question's words, solutions that say nothing false."""

import itertools
import re
from pathlib import Path

import pytest

from stages.data.files import DataError
from stages.problems.harder_worlds import CANDIDATES, LEVELS
from stages.problems.procedural import HARDER, generate, puzzles
from stages.problems.sources import Setting, load_procedural
from stages.run.collecting import Source
from stages.verifiers.verdict import verify_all

HARD = [level for level in LEVELS if level > 1]


def numbers(pattern: str, text: str) -> list[int]:
    found = re.search(pattern, text)
    assert found, f"{pattern!r} is not in {text!r}"
    return [int(value) for value in found.groups()]


def arithmetic(question: str) -> int:
    a, rest, m = numbers(r"for which (\d+)\*x leaves the remainder (\d+) when divided by (\d+)\.", question)
    return next(x for x in itertools.count() if a * x % m == rest)


def word_problem(question: str) -> int:
    a, b, m, rest = numbers(r"boxes of (\d+) \w+ and keeps (\d+) .* among (\d+) friends, (\d+) are left", question)
    return next(x for x in itertools.count() if (a * x + b) % m == rest)


def logic(question: str) -> int:
    odd = "is odd" in question
    clues = [(int(rest), int(m)) for rest, m in re.findall(r"leaves (\d+) when divided by (\d+)", question)]
    assert len(clues) >= 2
    return next(x for x in itertools.count() if x % 2 == odd and all(x % m == rest for rest, m in clues))


SOLVERS = {"arithmetic": arithmetic, "word_problem": word_problem, "logic": logic}


@pytest.mark.parametrize("level", HARD)
@pytest.mark.parametrize("family", HARDER)
def test_answers_by_brute_force(family: str, level: int) -> None:
    found = list(itertools.islice(puzzles(family, "train", 0, level=level), 150))
    assert [SOLVERS[family](puzzle.question) for puzzle, _ in found] == [puzzle.answer for puzzle, _ in found]
    assert {puzzle.grade for puzzle, _ in found} == {1, 2, 3, 4, 5}
    assert max(puzzle.answer for puzzle, _ in found) == CANDIDATES[level] * (2 if family == "logic" else 1) - 1


@pytest.mark.parametrize("level", HARD)
@pytest.mark.parametrize("family", HARDER)
def test_solutions_are_right_and_every_computation_in_them_holds(family: str, level: int, tmp_path: Path) -> None:
    rows = generate(family, "train", 40, 1, tmp_path, level)
    items = [(row.verifier, row.answer, text) for row in rows for text in (row.solution_short, row.solution_long)]
    assert {verdict.outcome for verdict in verify_all(items, workers=1)} == {"right"}
    for row in rows:
        for trial, word in re.findall(r"\d+:([^;\n]+?) (no|yes)", row.solution_long):
            for left, wanted in re.findall(r"([^?,]+)\?(\d+)", trial):
                assert len({eval(side) for side in left.split("=")}) == 1, trial
                assert word == "no" or left.rpartition("+")[2] == wanted
            assert "?" in trial or trial in ("odd", "even")


def test_levels_differ_and_each_has_names_of_its_own(tmp_path: Path) -> None:
    rows = [row for level in LEVELS for row in generate("arithmetic", "train", 20, 0, tmp_path, level)]
    assert len({row.id for row in rows}) == len({row.question for row in rows}) == 20 * len(LEVELS)
    lengths = [sum(len(row.solution_long) for row in rows[20 * place : 20 * place + 20]) for place in range(len(LEVELS))]
    assert lengths == sorted(lengths)
    source = Source(kind="procedural", families=["arithmetic"], train=3, validation=0, heldout=0, path=None, level=3)
    loaded = load_procedural(source, Setting(tmp_path, tmp_path, 1, 0, 1)).problems
    assert [row.id for row in loaded] == [f"arithmetic-3-train-{place:05d}" for place in range(3)]


def test_picture_families_have_one_level() -> None:
    with pytest.raises(DataError, match="family 'chart' has level 1 only, level 2 is asked for"):
        next(puzzles("chart", "train", 0, level=2))
