"""The procedural worlds: six families of problems with exact answers, deterministic by seed, splits disjoint by construction."""

import hashlib
import random
from collections.abc import Callable, Iterator
from pathlib import Path

from PIL import Image

from stages.data.files import DataError
from stages.data.records import Problem, Split
from stages.problems import harder_worlds, picture_worlds, text_worlds
from stages.problems.search import Puzzle, behaviours, long_solution, short_solution
from stages.run.seeds import stream_seed

TEXT_FAMILIES: dict[str, Callable[[random.Random], Puzzle]] = {
    "arithmetic": text_worlds.arithmetic,
    "word_problem": text_worlds.word_problem,
    "logic": text_worlds.logic,
}
HARDER: dict[str, Callable[[random.Random, int], Puzzle]] = {
    "arithmetic": harder_worlds.arithmetic,
    "word_problem": harder_worlds.word_problem,
    "logic": harder_worlds.logic,
}
"""The text families at the levels above 1."""
IMAGE_FAMILIES: dict[str, Callable[[random.Random], tuple[Puzzle, Image.Image]]] = {
    "chart": picture_worlds.chart,
    "scene": picture_worlds.scene,
    "rendered": picture_worlds.rendered,
}
FAMILIES = (*TEXT_FAMILIES, *IMAGE_FAMILIES)
DOMAINS = {
    "arithmetic": "mathematics",
    "word_problem": "mathematics",
    "logic": "logic",
    "chart": "chart reading",
    "scene": "spatial relations",
    "rendered": "text in images",
}
DISCIPLINES = {"arithmetic": "modular arithmetic", "word_problem": "word problems", "logic": "constraint puzzles"}
"""Of the families whose domain has several."""
SHARES: dict[Split, range] = {"train": range(12), "validation": range(12, 13), "heldout": range(13, 16)}


def split_of(key: str) -> Split:
    """The split that a puzzle belongs to, whatever stream it was drawn from: 12/16 train, 1/16 validation, 3/16 held-out."""
    share = hashlib.sha256(key.encode()).digest()[0] % 16
    return next(split for split, shares in SHARES.items() if share in shares)


def puzzles(
    family: str, split: Split, seed: int, distinct: bool = True, level: int = 1
) -> Iterator[tuple[Puzzle, Image.Image | None]]:
    """An endless stream of puzzles of one split, distinct or not. Raises DataError for an unknown family, for one that has no such
    level, or when few are left."""
    if family not in FAMILIES:
        raise DataError(f"unknown procedural family {family!r}; known: {', '.join(FAMILIES)}; correct collect.sources")
    if level > 1 and family not in HARDER:
        raise DataError(f"family {family!r} has level 1 only, level {level} is asked for; levels are of {', '.join(HARDER)}")
    rng = random.Random(stream_seed(seed, "procedural", family, split, *([level] if level > 1 else [])))
    seen: set[str] = set()
    repeats = 0
    while repeats < 5000:
        image: Image.Image | None = None
        if level > 1:
            puzzle = HARDER[family](rng, level)
        elif family in TEXT_FAMILIES:
            puzzle = TEXT_FAMILIES[family](rng)
        else:
            puzzle, image = IMAGE_FAMILIES[family](rng)
        if split_of(puzzle.key) != split or (distinct and puzzle.key in seen):
            repeats += 1
            continue
        repeats = 0
        seen.add(puzzle.key)
        yield puzzle, image
    raise DataError(f"family {family!r} has only about {len(seen)} problems in split {split!r}; ask for fewer")


def generate(family: str, split: Split, count: int, seed: int, images: Path, level: int = 1) -> list[Problem]:
    """`count` problems of one family, split and level; pictures are written as PNG files into the folder `images`."""
    problems = []
    for number, (puzzle, image) in zip(range(count), puzzles(family, split, seed, level=level), strict=False):
        name = f"{family}{f'-{level}' if level > 1 else ''}-{split}-{number:05d}"
        if image is not None:
            images.mkdir(parents=True, exist_ok=True)
            image.save(images / f"{name}.png")
        problems.append(
            Problem(
                id=name,
                source="procedural",
                licence="Apache-2.0",
                family=family,
                domain=DOMAINS[family],
                discipline=DISCIPLINES.get(family),
                modality="text" if image is None else "image",
                question=puzzle.question,
                image=None if image is None else str(images / f"{name}.png"),
                answer=str(puzzle.answer),
                verifier="integer",
                grade=puzzle.grade,
                split=split,
                solution_short=short_solution(puzzle.parameters()),
                solution_long=long_solution(puzzle.parameters(), random.Random(0), hazard=0.0, terse_share=0.0),
                parameters=puzzle.parameters(),
            )
        )
    return problems


def teach(problem: Problem, rng: random.Random, hazard: float, terse_share: float) -> tuple[str, dict[str, int]]:
    """A long demonstration by a teacher of bounded patience, and its behaviour counts. It may stop, guess, and be wrong."""
    text = long_solution(problem.parameters, rng, hazard, terse_share)
    return text, behaviours(text)
