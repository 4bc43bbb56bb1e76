"""Near-duplicates go, the earlier problem stays and is named; other numbers, answers or pictures make another problem."""

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made import made
from PIL import Image, ImageDraw

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
    ("question", "answer", "why"),
    [
        (STORY.replace("7 pens", "8 pens"), "5", "another number"),
        (STORY.replace("in all", "at most"), "6", "another answer"),
        ("How many pens does she pack in all?", "5", "too few words in common"),
    ],
)
def test_what_is_another_problem(question: str, answer: str, why: str) -> None:
    assert removed(problem("a", STORY), problem("b", question, answer)) == {}, why


def test_a_chain_keeps_what_is_like_a_removed_one_only() -> None:
    """b is like a; c is like b, and not like a: b goes, c stays."""
    words = ["one", "sunny", "day", "a", "small", "dog", "ran", "over", "the", "long", "bridge"]
    texts = [" ".join(words), " ".join([*words[1:], "end"]), " ".join([*words[2:], "end", "last"])]
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


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.floats(0.8, 1.0))
def test_pairs_are_those_of_all_comparisons(seed: int, similarity: float) -> None:
    """The bands lose nothing that comparing each with each would find (at these similarities: less than one in a thousand)."""
    rng = random.Random(seed)
    texts = []
    for _ in range(12):
        words = (rng.choice(texts) if texts and rng.random() < 0.7 else " ".join(rng.choices("abcdefghij", k=30))).split()
        for _ in range(rng.randrange(3)):
            words[rng.randrange(len(words))] = rng.choice("klmnop")
        texts.append(" ".join(words))
    expected, kept = set(), list[int]()
    for place, text in enumerate(texts):
        ours = grams(text)
        if any(len(ours & grams(texts[other])) / len(ours | grams(texts[other])) >= similarity for other in kept):
            expected.add(f"p{place}")
        else:
            kept.append(place)
    found = removed(*(problem(f"p{place}", text) for place, text in enumerate(texts)), similarity=similarity)
    assert set(found) == expected
