"""Decontamination: no prompt may share 13 consecutive words, or its whole normalised wording, with a benchmark item;
none may be the same question as a validation or held-out problem of ours.

13-grams as in the GPT-3 paper (arXiv 2005.14165, appendix C) and in Kimina-Prover. The index holds the benchmarks, 12 bytes a
gram; the prompts stream through it once, however many they are. Hits of the hashed index are confirmed on the words
themselves."""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from stages.data.images import pixel_digest
from stages.data.records import Problem
from stages.data.wording import normalised, words

GRAM = 13
PICTURE_WORDS = 8
"""A question about a picture of fewer words ("What is x?") is not the same question merely because the words are."""


def against_benchmarks(problems: Iterable[Problem], texts: Iterable[tuple[str, str]]) -> dict[str, str]:
    """id -> the first hit in each benchmark, for every problem that has one. `texts`: (benchmark/file:row, text)."""
    index = Index(list(texts))
    hits = {}
    for problem in problems:
        wording = words(problem.wording)
        whole = problem.is_in_words or len(wording) >= PICTURE_WORDS
        if found := index.hits(wording, normalised(problem.wording) if whole else ""):
            hits[problem.id] = "; ".join(found.values())
    return hits


class Index:
    """The 13-grams and the normal forms of benchmark items."""

    def __init__(self, texts: Sequence[tuple[str, str]]) -> None:
        import numpy

        hashes, places = array("q"), array("i")
        self.texts = texts
        self.whole: dict[str, list[int]] = defaultdict(list)
        for place, (_, text) in enumerate(texts):
            self.whole[normalised(text)].append(place)
            for gram in grams_of(words(text)):
                hashes.append(hash(gram))
                places.append(place)
        found = numpy.frombuffer(hashes, numpy.int64) if hashes else numpy.empty(0, numpy.int64)
        order = numpy.argsort(found, kind="stable")
        self._hashes = found[order]
        self._places = numpy.array(places, numpy.int32)[order]

    def hits(self, wording: Sequence[str], whole: str) -> dict[str, str]:
        """benchmark -> what the first of its items that is hit has in common with a prompt of these words; `whole`: its normal
        form, "" where that is not compared."""
        same = set(self.whole.get(whole, ())) if whole else set()
        hits: dict[str, str] = {}
        for place in sorted(same | self._near(wording)):
            where, text = self.texts[place]
            benchmark = where.partition("/")[0]
            if benchmark in hits:
                continue
            if place in same:
                hits[benchmark] = f"the same question as {where}"
            elif gram := _first_shared(words(text), wording):
                hits[benchmark] = f"{GRAM} words in common with {where}: {' '.join(gram)!r}"
        return hits

    def _near(self, wording: Sequence[str]) -> set[int]:
        """Places of the items that share a hash with the prompt."""
        import numpy

        asked = numpy.fromiter((hash(gram) for gram in grams_of(wording)), numpy.int64)
        first = numpy.searchsorted(self._hashes, asked, "left")
        last = numpy.searchsorted(self._hashes, asked, "right")
        return {int(place) for start, end in zip(first, last, strict=True) if end > start for place in self._places[start:end]}


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


def grams_of(text_words: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """All runs of GRAM consecutive words."""
    for start in range(len(text_words) - GRAM + 1):
        yield tuple(text_words[start : start + GRAM])


def _first_shared(text_words: Sequence[str], wording: Sequence[str]) -> tuple[str, ...] | None:
    """The first gram of the text that the prompt has, too."""
    ours = set(grams_of(wording))
    return next((gram for gram in grams_of(text_words) if gram in ours), None)
