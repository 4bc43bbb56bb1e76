"""How much of a benchmark item's wording stands in a prompt.

The index holds the grams of the benchmarks, 12 bytes each; the prompts stream through it twice, however many they are: once to
count how common the benchmarks' grams are among them, once to be compared. Hits of the hashed index are confirmed on the words."""

import re
from array import array
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from stages.data.marks import is_sign, marks
from stages.data.wording import normalised, words

GRAM = 13
SHARE = 0.5
"""Ours: of an item's words, weighed, that stand in runs of GRAM in a prompt, from which on it stands in it."""
LEAST_MARKS = 4
"""Of a short item that is looked for inside prompts; one with a number or an operator, or of at least LONG_MARKS."""
LONG_MARKS = 8
PROMPT_SHARE = 1 / 3
"""Ours: of a prompt's marks, that a short item inside it must make up: more than that is a problem of its own."""
_ASKED = re.compile(
    r"(?:please )?(?:solve|answer) the following (?:math(?:ematics)? )?(?:problem|question)s?|"
    r"where m and n are (?:relatively prime|coprime)(?: positive)? integers|"
    r"(?:let's think|think|reason) step by step|put your (?:final )?answer (?:with)?in (?:\\ )?boxed|"
    r"express your answer (?:as|in) [a-z ]{3,40}"
)
"""Sentences that say how to write an answer, in words of `words`: they are no part of a problem."""


@dataclass(frozen=True)
class Wording:
    """A text in the forms in which it is compared."""

    text: str

    @cached_property
    def words(self) -> list[str]:
        """Without signs: for long texts."""
        return words(self.text)

    @cached_property
    def marks(self) -> list[str]:
        """With signs: for short ones."""
        return marks(self.text)


class Index:
    """The grams, short items and normal forms of benchmark items; `texts`: (benchmark/item, text)."""

    def __init__(self, texts: Sequence[tuple[str, str]]) -> None:
        import numpy

        hashes, places = array("q"), array("i")
        self.texts = texts
        self.whole: dict[str, list[int]] = defaultdict(list)
        self.short: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for place, (_, text) in enumerate(texts):
            self.whole[normalised(text)].append(place)
            found = list(grams_of(words(text)))
            if not found and _is_specific(short := marks(text)):
                self.short[tuple(short[:LEAST_MARKS])].append(place)
            hashes.extend(map(hash, found))
            places.extend([place] * len(found))
        known = numpy.frombuffer(hashes, numpy.int64) if hashes else numpy.empty(0, numpy.int64)
        order = numpy.argsort(known, kind="stable")
        self._hashes = known[order]
        self._places = numpy.array(places, numpy.int32)[order]
        self._kinds = self._distinct_wordings()
        self._counts = numpy.zeros(len(self._hashes), numpy.int32)
        """Prompts that hold the gram, at its first place in `_hashes`."""

    def count(self, wording: Sequence[str]) -> None:
        """Note the grams of a prompt of these words, before any is compared."""
        import numpy

        asked = numpy.unique(numpy.fromiter(map(hash, grams_of(wording)), numpy.int64))
        first = numpy.searchsorted(self._hashes, asked, "left")
        inside = first < len(self._hashes)
        found = first[inside][self._hashes[first[inside]] == asked[inside]]
        self._counts[found] += 1

    def hits(self, wording: Wording, whole: bool) -> dict[str, str]:
        """benchmark -> what the first of its items that is hit has in common with a prompt; `whole`: whether an item that is
        all of the prompt, or a short one inside it, counts."""
        form = normalised(wording.text) if whole else ""
        same = set(self.whole.get(form, ())) if form else set()
        inside = self._inside(wording.marks) if whole else set()
        near = self._near(wording.words)
        hits: dict[str, str] = {}
        for place in sorted(same | inside | near):
            where = self.texts[place][0]
            benchmark = where.partition("/")[0]
            if benchmark in hits:
                continue
            if place in same:
                hits[benchmark] = f"the same question as {where}"
            elif place in inside:
                hits[benchmark] = f"the whole of {where} inside it"
            elif (found := self._shared(place, wording.words)) is not None:
                share, run = found
                hits[benchmark] = f"{share:.0%} of {where} in common: {' '.join(run)!r}"
        return hits

    def _inside(self, prompt: Sequence[str]) -> set[int]:
        """Places of the short items that stand in a prompt and make up much of it, with no sign beside them that goes on."""
        found, rest = set(), len(prompt) - len(_asked_words([mark for mark in prompt if not is_sign(mark)]))
        for start in range(len(prompt) - LEAST_MARKS + 1):
            for place in self.short.get(tuple(prompt[start : start + LEAST_MARKS]), ()):
                item = marks(self.texts[place][1])
                end = start + len(item)
                beside = [*prompt[max(0, start - 1) : start], *prompt[end : end + 1]]
                alone = not any(map(is_sign, beside))
                if alone and list(prompt[start:end]) == item and len(item) >= PROMPT_SHARE * rest:
                    found.add(place)
        return found

    def _near(self, wording: Sequence[str]) -> set[int]:
        """Places of the items that share a hash with the prompt."""
        import numpy

        asked = numpy.fromiter(map(hash, grams_of(wording)), numpy.int64)
        first = numpy.searchsorted(self._hashes, asked, "left")
        last = numpy.searchsorted(self._hashes, asked, "right")
        return {int(place) for start, end in zip(first, last, strict=True) if end > start for place in self._places[start:end]}

    def _shared(self, place: int, prompt: Sequence[str]) -> tuple[float, tuple[str, ...]] | None:
        """The weighed share of an item's words in runs that the prompt has too, and the first such run of GRAM; None below SHARE.

        A word weighs as the rarest gram over it: a shared gram for a shared word, any for another. So a whole copy has share 1
        however common it is, and what many texts end with has little beside what is an item's own."""
        item = words(self.texts[place][1])
        ours = set(grams_of(prompt))
        weights, shared = [0.0] * len(item), [0.0] * len(item)
        run: tuple[str, ...] | None = None
        for start, gram in enumerate(grams_of(item)):
            rare = 1 / max(1, self._common(gram))
            for at in range(start, start + GRAM):
                weights[at] = max(weights[at], rare)
                if gram in ours:
                    shared[at] = max(shared[at], rare)
            run = run or (gram if gram in ours else None)
        asked = _asked_words(item)
        parts = [(both, both or alone) for at, (both, alone) in enumerate(zip(shared, weights, strict=True)) if at not in asked]
        total = sum(weight for _, weight in parts)
        share = sum(both for both, _ in parts) / total if total else 0.0
        return (share, run) if run is not None and share >= SHARE else None

    def _common(self, gram: tuple[str, ...]) -> int:
        """How many different texts beside a pair of item and prompt hold the gram, plus one."""
        import numpy

        first, last = (int(numpy.searchsorted(self._hashes, hash(gram), side)) for side in ("left", "right"))
        items = len({self._kinds[place] for place in self._places[first:last]})
        return max(1, items + int(self._counts[first]) - 1)

    def _distinct_wordings(self) -> list[int]:
        """For each text a number that it shares with the texts of its normal form: a benchmark in two files is one."""
        numbers = [0] * len(self.texts)
        for number, places in enumerate(self.whole.values()):
            for place in places:
                numbers[place] = number
        return numbers


def grams_of(text_words: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """All runs of GRAM consecutive words."""
    for start in range(len(text_words) - GRAM + 1):
        yield tuple(text_words[start : start + GRAM])


def _is_specific(item: Sequence[str]) -> bool:
    """Whether a short item says enough to be looked for inside a prompt."""
    return len(item) >= LONG_MARKS or (len(item) >= LEAST_MARKS and any(map(is_sign, item)))


def _asked_words(item: Sequence[str]) -> set[int]:
    """Places of the words that only say how to write the answer."""
    text = " ".join(item)
    starts = {}
    at = 0
    for place, word in enumerate(item):
        starts[at] = place
        at += len(word) + 1
    return {place for found in _ASKED.finditer(text) for at, place in starts.items() if found.start() <= at < found.end()}
