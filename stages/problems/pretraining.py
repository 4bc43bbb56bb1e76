"""What the tiny model is pretrained on (§2.5.1 in miniature): worksheets and captions, without a single boxed answer."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image

from stages.problems.procedural import FAMILIES, puzzles
from stages.problems.search import PLAN, Puzzle


@dataclass(frozen=True)
class Document:
    """A prompt and its continuation; both are learned."""

    question: str
    image: Image.Image | None
    continuation: str


def documents(count: int, seed: int) -> list[Document]:
    """`count` documents over all families, from the training split only."""
    rng = random.Random(seed)
    streams = {family: puzzles(family, "train", seed + 1, distinct=False) for family in FAMILIES}
    return [_document(FAMILIES[number % len(FAMILIES)], streams, rng) for number in range(count)]


def _document(family: str, streams: dict[str, Iterator[tuple[Puzzle, Image.Image | None]]], rng: random.Random) -> Document:
    puzzle, image = next(streams[family])
    if image is not None and rng.random() < 0.5:
        return Document("Describe the picture.", image, puzzle.picture)
    return Document(puzzle.question, image, _worksheet(puzzle, rng))


def _worksheet(puzzle: Puzzle, rng: random.Random) -> str:
    """Some of the trials, from a random place on, in full or brief form: the craft of checking, not the habit of answering."""
    brief = rng.random() < 0.4
    first = rng.randrange(len(puzzle.trials))
    text = "" if brief else PLAN
    if puzzle.setup is not None:
        text += (puzzle.setup.brief if brief else puzzle.setup.full) + "\n"
    for place in range(first, min(first + 5, len(puzzle.trials))):
        trial = puzzle.trials[place]
        verdict = " yes\n" if place == puzzle.answer else (";" if brief else " no;")
        text += f"{place}:{trial.brief if brief else trial.full}{verdict}"
    return text
