"""Coverage (§2.1): how the problems spread over domains, families, forms and grades, before and after curation.

The report balances subjects by a tagger's labels; its tags and target shares are not given, so the shares are shown,
not forced: what a rule takes from one domain is seen at once."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from stages.data.records import Problem

TAGS = ("domain", "family", "modality", "grade", "source", "licence")


def mix(before: Sequence[Problem], after: Sequence[Problem]) -> dict[str, dict[str, dict[str, int]]]:
    """For each tag and each of its values the number of problems before and after: {tag: {value: {before, after}}}."""
    return {tag: _counts(tag, before, after) for tag in TAGS}


def balance(problems: Sequence[Problem], tag: str) -> float:
    """Evenness of a tag in [0, 1]: entropy of its shares over the entropy of equal shares; 1 for a single value."""
    counts = Counter(getattr(problem, tag) for problem in problems)
    if len(counts) < 2:
        return 1.0
    shares = [count / len(problems) for count in counts.values()]
    return -sum(share * math.log(share) for share in shares) / math.log(len(counts))


def balances(before: Sequence[Problem], after: Sequence[Problem]) -> dict[str, dict[str, float]]:
    """`balance` of the tags that the report balances, before and after."""
    return {
        tag: {"before": round(balance(before, tag), 4), "after": round(balance(after, tag), 4)}
        for tag in ("domain", "modality", "grade")
    }


def _counts(tag: str, before: Sequence[Problem], after: Sequence[Problem]) -> dict[str, dict[str, Any]]:
    first = Counter(str(getattr(problem, tag)) for problem in before)
    last = Counter(str(getattr(problem, tag)) for problem in after)
    return {value: {"before": first[value], "after": last[value]} for value in sorted(first)}
