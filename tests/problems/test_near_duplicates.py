"""Near-duplicates go, the earlier problem stays and is named; other numbers, answers or pictures make another problem."""

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made import made
from PIL import Image, ImageDraw

from stages.data.marks import substance
from stages.data.records import Problem
from stages.problems.near_duplicates import grams, without_near_duplicates

STORY = (
    "Ann packs boxes of 7 pens on Monday, and 12 boxes of the same pens on Tuesday, because the shop next to the station asked "
    "her for more than she had. How many pens does she pack in all?"
)


def problem(identity: str, question: str, answer: str = "5", image: Path | None = None, source: str = "mine") -> Problem:
    picture = {"modality": "image", "image": str(image)} if image else {}
    return made(0, id=identity, question=question, answer=answer, source=source, **picture)


def removed(*problems: Problem, similarity: float = 0.8) -> dict[str, str]:
    kept, findings = without_near_duplicates(problems, similarity)
    assert {row.id for row in kept} | {row.id for row in findings} == {row.id for row in problems}
    return {row.id: row.reason for row in findings}


def test_a_word_more_is_a_near_duplicate_and_names_the_one_that_stays() -> None:
    found = removed(
        problem("a", STORY), problem("b", STORY.replace("How many pens", "How many of the pens")), problem("c", "Other?")
    )
    # trigrams: 35 in the first; three cross the inserted words' place, five do in the second: 33 / 38
    ours, theirs = grams(STORY), grams(STORY.replace("How many pens", "How many of the pens"))
    assert found == {"b": f"words as in a (similarity {len(ours & theirs) / len(ours | theirs):.2f})"}


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        ("Arrange the letters of the word CEASE in a row.", "Arrange the letters of the word RADII in a row.", "another word"),
        ("Find the sum of the solutions of x^2 − 5x + 6 = 0.", "Find the sum of the solutions of x^2 − 5x − 6 = 0.", "a sign"),
        ("Compute the value of cos 150 for the class.", "Compute the value of cos(-150) for the class.", "a minus"),
        ("Work out the value of 2 + 2 for the class.", "Work out the value of 2 * 2 for the class.", "an operator"),
        ("Work out the value of $\\frac{3}{4}$ of it.", "Work out the value of $\\frac{4}{3}$ of it.", "the order of numbers"),
        ("How many cards show an even number on the front?", "How many cards show an odd number on the front?", "odd, even"),
        ("What is the area? [asy] draw((0,0)--(1,1)); [/asy]", "What is the area? [asy] draw((0,0)--(2,1)); [/asy]", "a figure"),
        ("Is it true that a < b for the pair of them?", "Is it true that a > b for the pair of them?", "a relation"),
        ("What is 5 of all of the things?", "What is 5! of all of the things?", "a factorial"),
        ("Ann is older than Bob, who is older than Cid.", "Bob is older than Ann, who is older than Cid.", "the order of words"),
        (STORY.replace("7 pens", "8 pens"), STORY, "another number"),
        ("How many pens does she pack in all?", STORY, "too few words in common"),
    ],
)
def test_what_is_another_problem(one: str, other: str, why: str) -> None:
    assert removed(problem("a", one), problem("b", other), similarity=0.5) == {}, why


def test_another_answer_makes_another_problem() -> None:
    assert removed(problem("a", STORY), problem("b", STORY + " Say it.", "6"), similarity=0.5) == {}


@pytest.mark.parametrize(
    "other",
    [
        "Compute the value of $\\left(2 \\times 3\\right)^{2}$, please, for the well known sum of all of the parts!",
        "Find the value of (2 · 3)^2 for the well-known sum of all the parts",
        "Problem: Compute the value of $(2\\cdot 3)^2$ for the well-known sum of all of the parts.",
    ],
)
def test_other_dressing_is_the_same_problem(other: str) -> None:
    one = "Compute the value of $(2 \\cdot 3)^2$ for the well-known sum of all of the parts."
    assert list(removed(problem("a", one), problem("b", other), similarity=0.5)) == ["b"]


def test_a_chain_keeps_what_is_like_a_removed_one_only() -> None:
    """b is like a; c is like b, and not like a: b goes, c stays."""
    words = ["one", "sunny", "day", "dog", "ran", "over", "long", "bridge", "with", "much", "joy"]
    texts = [" ".join(words), " ".join(["the", *words, "now"]), " ".join(["here", "the", *words, "now", "also"])]
    found = removed(*(problem(name, text) for name, text in zip("abc", texts, strict=True)), similarity=0.8)
    assert list(found) == ["b"]


def test_procedural_problems_are_left_alone() -> None:
    rows = [problem("a", STORY, source="procedural"), problem("b", STORY, source="procedural"), problem("c", STORY)]
    assert removed(*rows) == {}


def picture(path: Path, seed: int, size: tuple[int, int] = (120, 80)) -> Path:
    rng, image = random.Random(seed), Image.new("RGB", (120, 80), "white")
    for _ in range(6):
        left, top = rng.randrange(90), rng.randrange(60)
        ImageDraw.Draw(image).rectangle(
            (left, top, left + rng.randrange(10, 40), top + rng.randrange(10, 30)), fill=rng.randrange(255)
        )
    image.resize(size).save(path)
    return path


def test_the_same_picture_in_another_size_is_the_same(tmp_path: Path) -> None:
    rows = [
        problem("a", "How many bars are there?", image=picture(tmp_path / "a.png", 1)),
        problem("b", "How many bars are there", image=picture(tmp_path / "b.jpg", 1, (240, 160))),
        problem("c", "How many bars are there?", image=picture(tmp_path / "c.png", 2)),
        problem("d", "How many bars are there?"),
        problem("e", "How many boxes stand here?", image=picture(tmp_path / "e.png", 1)),
    ]
    found = removed(*rows)
    assert list(found) == ["b"], "another picture, no picture, another question are other problems"
    assert found["b"].startswith("picture (distance ")
    assert found["b"].endswith(" in a")


def table(path: Path, numbers: list[int], size: tuple[int, int] = (220, 160)) -> Path:
    """A table as TabMWP draws them: lines of black text on white."""
    image = Image.new("RGB", (220, 160), "white")
    drawing = ImageDraw.Draw(image)
    drawing.rectangle((0, 0, 219, 30), fill=(200, 220, 240))
    drawing.text((10, 8), "Scores of the class", fill="black")
    for row, number in enumerate(numbers):
        drawing.text((10, 40 + 22 * row), f"Pupil {row + 1}", fill="black")
        drawing.text((150, 40 + 22 * row), str(number), fill="black")
    image.resize(size).save(path)
    return path


def test_a_table_with_another_digit_is_another_picture(tmp_path: Path) -> None:
    question = "The teacher wrote down the scores in the table. What is the mode?"
    rows = [
        problem("a", question, image=table(tmp_path / "a.png", [7, 7, 3, 5, 9])),
        problem("b", question, image=table(tmp_path / "b.png", [2, 7, 8, 7, 1])),
        problem("c", question, image=table(tmp_path / "c.png", [7, 7, 3, 5, 8])),
        problem("d", question, image=table(tmp_path / "d.jpg", [7, 7, 3, 5, 9])),
        problem("e", question, image=table(tmp_path / "e.png", [7, 7, 3, 5, 9], (440, 320))),
    ]
    assert list(removed(*rows)) == ["d", "e"], "compressed anew, and twice as large"


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.floats(0.8, 1.0))
def test_pairs_are_those_of_all_comparisons(seed: int, similarity: float) -> None:
    """The bands lose nothing that comparing each with each would find (at these similarities: less than one in a thousand)."""
    rng = random.Random(seed)
    texts: list[str] = []
    for _ in range(12):
        words = (rng.choice(texts) if texts and rng.random() < 0.7 else " ".join(rng.choices("bcdefghij", k=30))).split()
        for _ in range(rng.randrange(3)):
            words.insert(rng.randrange(len(words)), rng.choice(["the", "now", "so", "please"]))
        texts.append(" ".join(words))
    expected, kept = set(), list[int]()
    for place, text in enumerate(texts):
        ours, made_of = grams(text), substance(text)
        others = [other for other in kept if substance(texts[other]) == made_of]
        if any(len(ours & grams(texts[other])) / len(ours | grams(texts[other])) >= similarity for other in others):
            expected.add(f"p{place}")
        else:
            kept.append(place)
    found = removed(*(problem(f"p{place}", text) for place, text in enumerate(texts)), similarity=similarity)
    assert set(found) == expected
