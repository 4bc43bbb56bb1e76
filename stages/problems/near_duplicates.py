"""Near-duplicates: the same problem in almost the same words, or about almost the same picture (§2.1 asks for a diverse set).

Words: MinHash (datasketch; Broder 1997) over word trigrams proposes pairs by locality-sensitive hashing, the Jaccard similarity
of the trigrams decides. Pictures: the perceptual hash of ImageHash (a 64-bit sign pattern of the cosine transform) proposes, their
pixels decide. Two problems that differ in a number, sign, operator or figure, in a word that means something (stages/data/marks.py)
or in the answer are two problems, however alike: only equal ones are compared. Procedural problems are distinct by construction and
built from templates, and are left alone."""

import zlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageChops, ImageFilter

from stages.data.images import opened
from stages.data.marks import marks, substance
from stages.data.records import Finding, Problem
from stages.verifiers.normal_forms import text_form

if TYPE_CHECKING:
    import numpy

GRAM = 3
BANDS, ROWS = 16, 4
"""Of the signature of 64 hashes: at similarity 0.8 a pair is missed with probability (1 - 0.8**4)**16 = 0.0002."""
PICTURE_BITS = 4
"""Ours: pictures whose hashes differ in at most so many of 64 bits may be the same picture, resized or compressed anew."""
SIDE, SMOOTH, AROUND, GREYS = 512, 1, 2.5, 13
"""Ours: they are when, smoothed over SMOOTH pixels around each and compared over AROUND, they differ by at most GREYS of 255
everywhere, at the size of the smaller one, its longer side at most SIDE. In tables of 10-point text an 8 in the place of a 9
differs by 17, other digits by 40; a copy of 0.6 to 2 times the size, as JPEG or not, by 3 to 10."""
SHAPE = 0.02
"""Ours: relative difference of the shapes (width over height) of two copies at most."""
EXEMPT = frozenset({"procedural"})


def without_near_duplicates(problems: Sequence[Problem], similarity: float) -> tuple[list[Problem], list[Finding]]:
    """The problems of which none is a near-duplicate of an earlier one that stays, and a finding for each other that names the one
    that stays. `similarity`: Jaccard similarity of the questions' word trigrams in (0, 1], from which on they are near-duplicates.

    Time and memory are linear in the number of problems, as long as few are alike."""
    compared = [problem for problem in problems if problem.source not in EXEMPT]
    doubles = _doubles(compared, similarity)
    kept = [problem for problem in problems if problem.id not in doubles]
    findings = [
        Finding(id=problem.id, where=problem.source, rule="near-duplicate", reason=doubles[problem.id])
        for problem in compared
        if problem.id in doubles
    ]
    return kept, findings


def _doubles(problems: Sequence[Problem], similarity: float) -> dict[str, str]:
    """id -> reason of every near-duplicate of an earlier problem that is none itself."""
    keys = _band_keys(problems)
    doubles: dict[str, str] = {}
    waiting: dict[tuple[int, int], list[int]] = defaultdict(list)
    hash_of = cache(_picture_hash)
    for place in _met_twice(keys):
        problem, buckets = problems[place], [(band, int(key)) for band, key in enumerate(keys[place])]
        for other in sorted({other for bucket in buckets for other in waiting[bucket]}):
            reason = _alike(problem, problems[other], similarity, hash_of)
            if reason is not None:
                doubles[problem.id] = reason
                break
        else:
            for bucket in buckets:
                waiting[bucket].append(place)
    return doubles


def grams(text: str) -> frozenset[str]:
    """The trigrams of a text's words and signs; of one of fewer all of them as one."""
    found = marks(text)
    return frozenset(" ".join(found[start : start + GRAM]) for start in range(max(1, len(found) - GRAM + 1)))


def _band_keys(problems: Sequence[Problem]) -> "numpy.ndarray[Any, numpy.dtype[numpy.uint64]]":
    """Keys of shape (problems, BANDS): two problems are compared when they share the key of a band. It holds ROWS hashes of the
    signature and what must be equal: what the wording is made of, the answer, whether there is a picture."""
    import numpy
    from datasketch import MinHash

    signatures = MinHash.generator(
        ([gram.encode() for gram in grams(problem.question)] for problem in problems), num_perm=BANDS * ROWS, hashfunc=zlib.crc32
    )
    keys = numpy.empty((len(problems), BANDS), numpy.uint64)
    prime = numpy.uint64(0x100000001B3)
    for place, (problem, signature) in enumerate(zip(problems, signatures, strict=True)):
        key = numpy.full(BANDS, _equal_part(problem), numpy.uint64)
        for column in signature.hashvalues.reshape(BANDS, ROWS).T:
            key = (key ^ column) * prime  # FNV-1a, a word at a time
        keys[place] = key
    return keys


def _equal_part(problem: Problem) -> int:
    """A hash of what near-duplicates have in common."""
    parts = (" ".join(kind) for kind in substance(problem.question))
    part = "\n".join([problem.modality, problem.verifier, text_form(problem.answer), *parts])
    return zlib.crc32(part.encode()) << 32 | zlib.adler32(part.encode())


def _met_twice(keys: "numpy.ndarray[Any, numpy.dtype[numpy.uint64]]") -> list[int]:
    """In order, the rows that share the key of some band with another row."""
    import numpy

    met = numpy.zeros(len(keys), bool)
    for band in range(keys.shape[1]):
        _, group, counts = numpy.unique(keys[:, band], return_inverse=True, return_counts=True)
        met |= counts[group] > 1
    return [int(place) for place in numpy.flatnonzero(met)]


def _alike(one: Problem, other: Problem, similarity: float, hash_of: Callable[[str], int]) -> str | None:
    """Why `one` is a near-duplicate of `other`; None where it is not."""
    if _equal_part(one) != _equal_part(other):
        return None
    ours, theirs = grams(one.question), grams(other.question)
    found = len(ours & theirs) / len(ours | theirs)
    if found < similarity:
        return None
    if one.image is None or other.image is None:
        return f"words as in {other.id} (similarity {found:.2f})"
    bits = (hash_of(one.image) ^ hash_of(other.image)).bit_count()
    if bits > PICTURE_BITS or not _same_pixels(one.image, other.image):
        return None
    return f"picture (distance {bits} of 64) and words (similarity {found:.2f}) as in {other.id}"


def _same_pixels(one: str, other: str) -> bool:
    """Whether two pictures show the same everywhere, at the size of the smaller."""
    pictures = [opened(Path(path)).convert("L") for path in (one, other)]
    ratios = [picture.width / picture.height for picture in pictures]
    if abs(ratios[0] - ratios[1]) > SHAPE * max(ratios):
        return False
    width, height = min(pictures, key=lambda picture: picture.width * picture.height).size
    scale = min(1.0, SIDE / max(width, height))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    smooth = ImageFilter.BoxBlur(SMOOTH)
    first, second = (picture.resize(size, Image.Resampling.LANCZOS).filter(smooth) for picture in pictures)
    apart = ImageChops.difference(first, second).filter(ImageFilter.BoxBlur(AROUND))
    return max(apart.tobytes()) <= GREYS


def _picture_hash(path: str) -> int:
    import imagehash

    return int(str(imagehash.phash(opened(Path(path)))), 16)
