"""Decontamination: no prompt may share 13 consecutive words, or its whole normalised wording, with a benchmark item;
none may be the same question as a validation or held-out problem of ours.

13-grams as in the GPT-3 paper (arXiv 2005.14165, appendix C) and in Kimina-Prover. The index holds the prompts (the
smaller side); the benchmarks stream through it once. Hits of the hashed index are confirmed on the words
themselves."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from stages.data.images import pixel_digest
from stages.data.records import Problem
from stages.data.wording import normalised, words

GRAM = 13
PICTURE_WORDS = 8
"""A question about a picture of fewer words ("What is x?") is not the same question merely because the words are."""


def against_benchmarks(problems: Sequence[Problem], texts: Iterable[tuple[str, str]]) -> dict[str, str]:
    """id -> the first hit in each benchmark, for every problem that has one. `texts`: (benchmark/file:row, text)."""
    wordings = {problem.id: words(problem.question) for problem in problems}
    grams = _index(wordings)
    exact: dict[str, list[str]] = defaultdict(list)
    for problem in problems:
        if problem.modality == "text" or len(wordings[problem.id]) >= PICTURE_WORDS:
            exact[normalised(problem.question)].append(problem.id)
    hits: dict[str, dict[str, str]] = defaultdict(dict)
    for where, text in texts:
        benchmark = where.partition("/")[0]
        for identity in exact.get(normalised(text) or "-", ()):
            hits[identity].setdefault(benchmark, f"the same question as {where}")
        for identity, gram in _shared(grams, wordings, words(text)):
            hits[identity].setdefault(benchmark, f"{GRAM} words in common with {where}: {' '.join(gram)!r}")
    return {identity: "; ".join(found.values()) for identity, found in hits.items()}


def against_held_out(problems: Sequence[Problem], held_out: Iterable[Problem]) -> dict[str, str]:
    """id -> the validation or held-out problem of ours with the same normalised question and the same picture.

    Exact only: problems of one procedural family share most of their words."""
    known = {question_key(problem): f"{problem.split} problem {problem.id}" for problem in held_out}
    keys = {problem.id: question_key(problem) for problem in problems}
    return {identity: f"the same question as {known[key]}" for identity, key in keys.items() if key in known}


def question_key(problem: Problem) -> tuple[str, str]:
    """What makes a question the same question: its normal form and the pixels of its picture ("" without one)."""
    return normalised(problem.question), pixel_digest(Path(problem.image)) if problem.image else ""


def grams_of(text_words: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """All runs of GRAM consecutive words."""
    for start in range(len(text_words) - GRAM + 1):
        yield tuple(text_words[start : start + GRAM])


def _index(wordings: dict[str, list[str]]) -> dict[int, set[str]]:
    """Hash of a gram -> ids of the problems that contain it."""
    index: dict[int, set[str]] = defaultdict(set)
    for identity, problem_words in wordings.items():
        for gram in grams_of(problem_words):
            index[hash(gram)].add(identity)
    return index


def _shared(
    index: dict[int, set[str]], wordings: dict[str, list[str]], text_words: list[str]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    for gram in grams_of(text_words):
        for identity in sorted(index.get(hash(gram), ())):
            if gram in grams_of(wordings[identity]):
                yield identity, gram
