"""Data sets whose licence or authors forbid training on them: refused by name and by the words of the licence."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Refused:
    """One data set that is for scoring only."""

    name: str
    pattern: str
    """Case-insensitive regular expression; matches the set's usual names in a source, a path or a row's id."""
    why: str
    url: str
    """Where the restriction is stated."""


REFUSED = (
    Refused(
        "MultiPL-E",
        r"multipl[-_ ]?e(?![a-z])|humaneval[-_]?mul(?![a-z])",
        "BSD 3-Clause with Machine Learning Restriction: clause 4 forbids use as training data",
        "https://github.com/nuprl/MultiPL-E/blob/main/LICENSE",
    ),
    Refused(
        "MathVista",
        r"math[-_ ]?vista",
        "its README allows evaluation only and prohibits use as a training set",
        "https://github.com/lupantech/MathVista",
    ),
    Refused(
        "MMMU or MMMU-Pro",
        r"mmmu(?:[-_ ]?pro)?(?![a-z])",
        "validation and test items of a benchmark: released for evaluation",
        "https://github.com/MMMU-Benchmark/MMMU",
    ),
)
FORBIDDING_WORDS = (
    "machine learning restriction",
    "evaluation only",
    "no training",
    "not for training",
    "test set only",
)
"""Phrases of a licence string that forbid training, whatever the set is called."""


def forbidden(*names: str, licence: str = "") -> str | None:
    """Why none of `names` (source, path, row id) under `licence` may be trained on; None when nothing forbids it."""
    for refused in REFUSED:
        for name in names:
            if re.search(rf"(?<![a-z]){refused.pattern}", name, re.IGNORECASE):
                return f"{name!r} is {refused.name}: {refused.why} ({refused.url})"
    for words in FORBIDDING_WORDS:
        if words in licence.casefold():
            return f"its licence {licence!r} forbids training"
    return None
