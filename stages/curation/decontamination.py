"""Decontamination: no prompt may be a benchmark item, hold a short one, or share much of its wording with one; none may be the same
question as a validation or held-out problem of ours.

13-grams as in the GPT-3 paper (arXiv 2005.14165, appendix C) and in Kimina-Prover; what is shared counts by how rare it is
(stages/curation/overlap.py), so that a sentence that many problems end with ("where m and n are relatively prime positive integers.
Find m+n") removes none."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from stages.curation.overlap import Index, Wording
from stages.data.images import pixel_digest
from stages.data.records import Problem
from stages.data.wording import normalised, words

PICTURE_WORDS = 8
"""A question about a picture of fewer words ("What is x?") is not the same question merely because the words are."""


def against_benchmarks(problems: Sequence[Problem], texts: Sequence[tuple[str, str]]) -> dict[str, str]:
    """id -> the first hit in each benchmark, for every problem that has one. `texts`: (benchmark/item, text)."""
    if not texts:
        return {}
    index = Index(texts)
    for problem in problems:
        index.count(words(problem.wording))
    hits = {}
    for problem in problems:
        wording = Wording(problem.wording)
        whole = problem.is_in_words or len(wording.words) >= PICTURE_WORDS
        if found := index.hits(wording, whole):
            hits[problem.id] = "; ".join(found.values())
    return hits


def against_held_out(problems: Sequence[Problem], held_out: Iterable[Problem]) -> dict[str, str]:
    """id -> the validation or held-out problem of ours with the same normalised question and the same picture.

    Exact only: problems of one procedural family share most of their words, and collect compares the others by near-duplicates."""
    known = {question_key(problem): f"{problem.split} problem {problem.id}" for problem in held_out}
    if not known:
        return {}
    keys = ((problem.id, question_key(problem)) for problem in problems)
    return {identity: f"the same question as {known[key]}" for identity, key in keys if key in known}


def question_key(problem: Problem) -> tuple[str, str]:
    """What makes a question the same question: its normal form and the pixels of its picture ("" without one)."""
    return normalised(problem.question), pixel_digest(Path(problem.image)) if problem.image else ""
