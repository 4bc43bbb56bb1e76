"""The procedural worlds: every answer is found again from what the question and the picture say."""

import itertools
import random
import re
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from stages.data.files import DataError
from stages.data.records import Problem
from stages.problems.picture_worlds import draw_chart, draw_scene, draw_text
from stages.problems.procedural import FAMILIES, TEXT_FAMILIES, generate, puzzles, split_of, teach
from stages.problems.search import Puzzle, Trial, behaviours, long_solution, short_solution
from stages.verifiers.verdict import verify_all

SPLITS = ("train", "validation", "heldout")


def drawn(family: str, count: int, split: str = "train", seed: int = 0) -> list[tuple[Puzzle, Image.Image | None]]:
    return list(itertools.islice(puzzles(family, split, seed), count))


def numbers(pattern: str, text: str) -> list[str]:
    found = re.search(pattern, text)
    assert found, f"{pattern!r} is not in {text!r}"
    return list(found.groups())


def smallest(factor: str, number: str) -> int:
    """The smallest whole number of times that `factor` ends like `number`."""
    return next(x for x in itertools.count() if str(int(factor) * x)[-1] == number[-1])


def solve_arithmetic(question: str, _: str) -> int:
    return smallest(*numbers(r"(\d)\*x ending like (\d+)", question))


def solve_story(question: str, _: str) -> int:
    return smallest(*numbers(r"boxes of (\d) .* ends like (\d+)", question))


def solve_logic(question: str, _: str) -> int:
    kind, banned, factor, number = numbers(r"is (odd|even), is not (\d), and whose (\d) fold ends like (\d+)", question)
    fitting = [
        digit
        for digit in range(10)
        if (digit % 2 == 1) == (kind == "odd") and digit != int(banned) and str(int(factor) * digit)[-1] == number[-1]
    ]
    assert len(fitting) == 1, f"{question!r} has the answers {fitting}"
    return fitting[0]


def solve_chart(question: str, shown: str) -> int:
    count, factor, end = numbers(r"has (\d+) bars.* times (\d) ends in (\d)", question)
    heights = dict(part.split(":") for part in shown.split(";"))
    assert list(heights) == [str(place) for place in range(int(count))]
    return next(int(place) for place, height in heights.items() if int(height) * int(factor) % 10 == int(end))


def solve_scene(question: str, shown: str) -> int:
    (wanted,) = numbers(r"the first (\w+ \w+)\?", question)
    return next(int(place) for place, thing in (part.split(":") for part in shown.split(";")) if thing == wanted)


def solve_rendered(_: str, shown: str) -> int:
    return solve_arithmetic(shown, "")


SOLVERS = {
    "arithmetic": solve_arithmetic,
    "word_problem": solve_story,
    "logic": solve_logic,
    "chart": solve_chart,
    "scene": solve_scene,
    "rendered": solve_rendered,
}


@pytest.mark.parametrize("family", FAMILIES)
def test_answers_by_brute_force(family: str) -> None:
    found = [(SOLVERS[family](puzzle.question, puzzle.picture), puzzle.answer) for puzzle, _ in drawn(family, 150)]
    assert [solved for solved, _ in found] == [answer for _, answer in found]
    assert len({answer for _, answer in found}) >= 8, "answers are spread"


def redrawn(family: str, shown: str) -> Image.Image:
    """The picture drawn again from the words that describe it."""
    if family == "rendered":
        return draw_text(shown)
    things = [part.split(":")[1] for part in shown.split(";")]
    if family == "chart":
        return draw_chart([int(height) for height in things])
    return draw_scene([tuple(thing.split(" ")) for thing in things])


@pytest.mark.parametrize("family", ["chart", "scene", "rendered"])
def test_the_picture_shows_what_the_puzzle_says(family: str) -> None:
    seen = set()
    for puzzle, image in drawn(family, 20):
        assert image.mode == "RGB"
        assert image.tobytes() == redrawn(family, puzzle.picture).tobytes()
        seen.add(image.tobytes())
    assert len(seen) == 20


def test_a_chart_differs_where_a_height_differs() -> None:
    one, other = draw_chart([1, 5, 3]), draw_chart([1, 6, 3])
    left = [one.crop((x, 0, x + 16, one.height)).tobytes() for x in range(0, one.width, 16)]
    right = [other.crop((x, 0, x + 16, other.height)).tobytes() for x in range(0, other.width, 16)]
    assert [a == b for a, b in zip(left, right, strict=True)] == [True, False, True]


def test_the_text_form_and_the_rendered_form_are_the_same_problem() -> None:
    """One key, so one split, one answer: a problem cannot be trained on as text and tested as a picture."""
    text = {puzzle.question: puzzle for split in SPLITS for puzzle, _ in drawn("arithmetic", 40, split)}
    pictures = [puzzle for split in SPLITS for puzzle, _ in drawn("rendered", 40, split)]
    both = [(text[puzzle.picture], puzzle) for puzzle in pictures if puzzle.picture in text]
    assert both, "some problem occurs in both forms"
    assert all((a.key, a.answer) == (b.key, b.answer) for a, b in both)


def test_splits_are_disjoint_whatever_the_seed() -> None:
    keys = {
        split: {puzzle.key for family in FAMILIES for seed in range(4) for puzzle, _ in drawn(family, 25, split, seed)}
        for split in SPLITS
    }
    assert not keys["train"] & keys["validation"]
    assert not keys["train"] & keys["heldout"]
    assert not keys["validation"] & keys["heldout"]
    assert all(split_of(key) == split for split, found in keys.items() for key in found)


def test_shares_of_the_splits() -> None:
    shares = Counter(split_of(f"key {number}") for number in range(16_000))
    for split, share in (("train", 12 / 16), ("validation", 1 / 16), ("heldout", 3 / 16)):
        assert shares[split] / 16_000 == pytest.approx(share, abs=0.015)


def plain(problem: Problem) -> dict[str, object]:
    return problem.model_dump(exclude={"image"})


@pytest.mark.parametrize("family", FAMILIES)
def test_equal_seeds_write_equal_problems_and_bytes(family: str, tmp_path: Path) -> None:
    first = generate(family, "heldout", 6, 3, tmp_path / "a")
    random.seed(5)
    second = generate(family, "heldout", 6, 3, tmp_path / "b")
    assert [plain(row) for row in first] == [plain(row) for row in second]
    assert [plain(row) for row in generate(family, "heldout", 6, 4, tmp_path / "c")] != [plain(row) for row in first]
    assert all((row.modality == "text") == (family in TEXT_FAMILIES) == (row.image is None) for row in first)
    for left, right in zip(first, second, strict=True):
        if left.image is not None:
            assert Path(left.image).read_bytes() == Path(right.image).read_bytes()
            with Image.open(left.image) as image:
                assert image.format == "PNG"


@pytest.mark.parametrize("family", FAMILIES)
def test_worked_solutions_are_right_and_say_nothing_false(family: str, tmp_path: Path) -> None:
    rows = generate(family, "train", 40, 1, tmp_path)
    items = [(row.verifier, row.answer, text) for row in rows for text in (row.solution_short, row.solution_long)]
    assert {verdict.outcome for verdict in verify_all(items, workers=1)} == {"right"}
    for row in rows:
        for left, right, product in re.findall(r"(\d+)\*(\d+)=(\d+)", row.solution_long):
            assert int(left) * int(right) % 10 == int(product), row.solution_long
        words = re.findall(r"(\d):[^;\n]* (no|yes)", row.solution_long)
        assert words == [(str(place), "no") for place in range(int(row.answer))] + [(row.answer, "yes")], row.solution_long


@pytest.mark.parametrize("family", [family for family in FAMILIES if family != "logic"])
def test_a_trial_says_yes_where_all_its_sides_are_equal(family: str, tmp_path: Path) -> None:
    for row in generate(family, "train", 20, 1, tmp_path):
        for trial, word in re.findall(r"\d:([^;\n]+?) (no|yes)", row.solution_long):
            sides = re.findall(r"([^,=]+)\?([^,]+)", trial)
            assert sides, row.solution_long
            assert all(found == wanted for found, wanted in sides) == (word == "yes"), row.solution_long


def test_grades_rise_with_the_answer() -> None:
    trial = Trial("full", "brief")
    grades = [Puzzle("q", (trial,) * (answer + 1), 10, "key").grade for answer in range(10)]
    assert grades == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert [Puzzle("q", (trial,) * (answer + 1), 6, "key").grade for answer in range(6)] == [1, 1, 2, 3, 4, 5]
    for family in FAMILIES:
        assert {puzzle.grade for puzzle, _ in drawn(family, 80)} == {1, 2, 3, 4, 5}


PARAMETERS = {"trials": [["1*0=0?7", "0?7"], ["1*1=1?7", "1?7"], ["1*2=2?7", "2?7"], ["1*3=7?7", "7?7"]], "candidates": 10}


def test_the_long_form_by_hand() -> None:
    full = long_solution(PARAMETERS, random.Random(0), hazard=0.0, terse_share=0.0)
    assert full == (
        "Plan: try each in turn, check it, go on.\n"
        "0:1*0=0?7 no;1:1*1=1?7 no;2:1*2=2?7 no;3:1*3=7?7 yes\nCheck:1*3=7?7 ok\nso{3}\n\\boxed{3}"
    )
    assert behaviours(full) == {"planning": 1, "evaluation": 5, "reflection": 3, "exploration": 3}
    brief = long_solution(PARAMETERS, random.Random(0), hazard=0.0, terse_share=1.0)
    assert brief == "0:0?7;1:1?7;2:2?7;3:7?7 yes\nso{3}\n\\boxed{3}"


def test_who_gives_up_guesses_among_what_is_left() -> None:
    guesses = Counter()
    for seed in range(400):
        text = long_solution(PARAMETERS, random.Random(seed), hazard=1.0, terse_share=0.0)
        assert text.startswith("Plan: try each in turn, check it, go on.\n0:1*0=0?7 no;stop,guess\n\\boxed{")
        guesses[int(text[text.index("{") + 1 : -1])] += 1
    assert set(guesses) == set(range(1, 10))
    assert behaviours(text)["reflection"] == 2


def test_the_short_form_tries_three_and_guesses() -> None:
    assert short_solution(PARAMETERS) == "0:0?7;1:1?7;2:2?7;stop,guess\n\\boxed{3}"
    two = {**PARAMETERS, "trials": PARAMETERS["trials"][:2]}
    assert short_solution(two) == "0:0?7;1:1?7 yes\nso{1}\n\\boxed{1}"


def test_a_patient_teacher_is_right_and_an_impatient_one_is_not_always(tmp_path: Path) -> None:
    rows = [row for family in FAMILIES for row in generate(family, "train", 8, 2, tmp_path)]
    outcomes = {}
    for hazard in (0.0, 0.7):
        texts = [teach(row, random.Random(place), hazard, 0.5)[0] for place, row in enumerate(rows)]
        verdicts = verify_all([(row.verifier, row.answer, text) for row, text in zip(rows, texts, strict=True)], workers=1)
        outcomes[hazard] = Counter(verdict.outcome for verdict in verdicts)
    assert outcomes[0.0] == {"right": len(rows)}
    assert outcomes[0.7]["wrong"] > 0.2 * len(rows)


def test_an_unknown_family_and_a_dry_one(monkeypatch: pytest.MonkeyPatch) -> None:
    key = next(f"key {number}" for number in itertools.count() if split_of(f"key {number}") == "validation")
    monkeypatch.setitem(TEXT_FAMILIES, "arithmetic", lambda _: Puzzle("q", (Trial("a", "b"),), 10, key))
    with pytest.raises(DataError, match="unknown procedural family 'algebra'; known: arithmetic"):
        next(puzzles("algebra", "train", 0))
    with pytest.raises(DataError, match=r"family 'arithmetic' has only about 1 problems in split 'validation'; ask for fewer"):
        list(puzzles("arithmetic", "validation", 0))
