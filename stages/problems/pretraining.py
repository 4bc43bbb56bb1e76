"""What the tiny model is pretrained on (§2.5.1 in miniature): worksheets and captions, without a single boxed answer."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image

from stages.problems.picture_worlds import COLORS, SHAPES, draw_chart, draw_scene, draw_text
from stages.problems.procedural import FAMILIES, puzzles
from stages.problems.search import PLAN, Puzzle, found

CAPTION_SHARES = (1.0, 0.7, 0.5, 0.4, 0.2, 0.2)
"""Of each sixth of the documents: seeing first, then checking. With nothing but captions to learn, a model sees within 200 steps of
32; with worksheets beside them it took 250 to 800, a matter of rounding."""
PICTURES = ("chart", "scene", "chart", "scene", "text")
SIZES = (1, 2, 2, 2, 2, 2, 3, 3, 4, 10)
DESCRIBE = "Describe."


@dataclass(frozen=True)
class Document:
    """A prompt and its continuation, which is what is learned."""

    question: str
    image: Image.Image | None
    continuation: str


def documents(count: int, seed: int) -> list[Document]:
    """`count` documents, in the order to be learned: captions of pictures of all sizes, and worksheets of every family (training
    split only)."""
    rng = random.Random(seed)
    streams = {family: puzzles(family, "train", seed + 1, distinct=False) for family in FAMILIES}
    found = []
    for number in range(count):
        if rng.random() < CAPTION_SHARES[len(CAPTION_SHARES) * number // count]:
            found.append(_caption(PICTURES[number % len(PICTURES)], rng, streams["rendered"]))
        else:
            family = FAMILIES[number % len(FAMILIES)]
            puzzle, image = next(streams[family])
            found.append(Document(puzzle.question, image, _worksheet(puzzle, rng)))
    return found


def _caption(kind: str, rng: random.Random, rendered: Iterator[tuple[Puzzle, Image.Image | None]]) -> Document:
    """A picture of 1 to 10 things and what it shows: number and value of each, in any order. Three things make a model see within
    minutes: small pictures (with one thing there is nowhere else to look), any numbers in them (all ten digits are soon looked up
    where that is easy), and the value right after its number (one step of attention, where a colon between them needs two)."""
    size = rng.choice(SIZES)
    numbers = sorted(rng.sample(range(10), size))
    order = rng.sample(range(size), size)
    if kind == "chart":
        heights = [rng.randrange(1, 10) for _ in range(size)]
        return Document(DESCRIBE, draw_chart(heights, numbers), ";".join(f"{numbers[place]}{heights[place]}" for place in order))
    if kind == "scene":
        things = [(rng.choice(list(COLORS)), rng.choice(SHAPES)) for _ in range(size)]
        shown = ";".join(f"{numbers[place]}{things[place][0]} {things[place][1]}" for place in order)
        return Document(DESCRIBE, draw_scene(things, numbers), shown)
    if size == max(SIZES):
        puzzle, image = next(rendered)
        return Document(DESCRIBE, image, puzzle.picture.split(" with ")[1])
    text = "".join(rng.choice("0123456789" if place % 2 == 0 else "*+=x") for place in range(size))
    return Document(DESCRIBE, draw_text(text, columns=size + size % 2), text)


def _worksheet(puzzle: Puzzle, rng: random.Random) -> str:
    """Some of the trials, from a random place on, in full or brief form: the craft of checking, not the habit of answering."""
    brief = rng.random() < 0.4
    first = rng.randrange(len(puzzle.trials))
    text = "" if brief else PLAN
    for place in range(first, min(first + 8, len(puzzle.trials))):
        trial = puzzle.trials[place]
        verdict = f" yes\n{found(place)}" if place == puzzle.answer else (";" if brief else " no;")
        text += f"{place}:{trial.brief if brief else trial.full}{verdict}"
    return text
