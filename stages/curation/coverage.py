"""Coverage (§2.1): how the problems spread over domains, disciplines, families, forms and grades, before and after curation.

The report balances subjects by a tagger's labels; its tags and target shares are not given, so by default the shares are shown,
not forced: what a rule takes from one domain is seen at once. Weights of domains, where given, force them."""

import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from stages.data.files import DataError
from stages.data.records import Problem

TAGS = ("domain", "discipline", "family", "modality", "grade", "source", "licence")
NOT_STATED = "not stated"


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
        for tag in ("domain", "discipline", "modality", "grade")
    }


def over_weight(problems: Sequence[Problem], weights: Mapping[str, float], seed: int) -> dict[str, str]:
    """id -> reason for the problems that go, by `seed`, so that the domains of `weights` stand in the proportion of their weights
    and as many stay as can. A weight may be that of a discipline, "mathematics/geometry"; "mathematics" is then the rest of its
    domain. What has no weight stays as it is; what has weight 0 goes.

    Raises DataError for a domain or discipline that no problem has."""
    members: dict[str, list[str]] = {name: [] for name in weights}
    for problem in problems:
        if (name := next((tag for tag in reversed(_tags(problem)) if tag in members), None)) is not None:
            members[name].append(problem.id)
    if empty := sorted(name for name, ids in members.items() if not ids):
        known = ", ".join(sorted({tag for problem in problems for tag in _tags(problem)}))
        raise DataError(f"curate.weights: no problem is left of {empty[0]!r}; there are: {known}")
    unit = min((len(ids) / weights[name] for name, ids in members.items() if weights[name]), default=0.0)
    dropped: dict[str, str] = {}
    rng = random.Random(seed)
    for name, ids in members.items():
        wanted = min(len(ids), round(unit * weights[name]))
        for identity in rng.sample(ids, len(ids) - wanted):
            dropped[identity] = f"{name} has {len(ids)} problems, {wanted} by its weight of {weights[name]:g}"
    return dropped


def _tags(problem: Problem) -> list[str]:
    """Its domain, and its discipline within it, as weights name them."""
    return [problem.domain, *([f"{problem.domain}/{problem.discipline}"] if problem.discipline else [])]


def _counts(tag: str, before: Sequence[Problem], after: Sequence[Problem]) -> dict[str, dict[str, Any]]:
    first, last = (Counter(str(getattr(problem, tag) or NOT_STATED) for problem in some) for some in (before, after))
    return {value: {"before": first[value], "after": last[value]} for value in sorted(first)}
