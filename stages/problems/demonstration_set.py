"""The warm-up set as a whole (§2.2 "small yet high-quality"): its funnel, the four behaviours in balance, and how much
demonstrations repeat each other."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from stages.data.records import CuratedProblem, Demonstration
from stages.problems.behaviours import PHRASES
from stages.verifiers.claims import Verdict

GRAM = 8
"""Words of an n-gram; ours, between phrases that mathematics repeats by nature (4) and copied passages (13)."""


def report(
    problems: Sequence[CuratedProblem],
    tried: Sequence[Demonstration],
    distinct: Sequence[Demonstration],
    verdicts: Sequence[Verdict],
    right: Sequence[Demonstration],
    kept: Sequence[Demonstration],
) -> dict[str, Any]:
    """Content of warm_up's funnel.json: the steps, verdicts, behaviours and lengths (in characters; tokens depend on the model). Of
    the `right` ones `kept` are handed over."""
    answered = {row.problem_id for row in kept}
    wrong = [(row, verdict) for row, verdict in zip(distinct, verdicts, strict=True) if verdict.outcome != "right"]
    return {
        "steps": [
            step("repeated response", len(tried), len(distinct), []),
            step("not right", len(distinct), len(right), [{"id": row.id, "reason": v.reason} for row, v in wrong[:5]]),
        ],
        "prompts": {
            "all": len(problems),
            "without_teacher": len({row.id for row in problems} - {row.problem_id for row in tried}),
            "with_demonstration": len(answered),
        },
        "verdicts": dict(Counter(verdict.outcome for verdict in verdicts)),
        "families": dict(Counter(row.family for row in kept)),
        "modalities": dict(Counter("image" if row.image else "text" for row in kept)),
        "behaviours": {
            name: {
                "total": sum(row.behaviours.get(name, 0) for row in kept),
                "demonstrations": sum(row.behaviours.get(name, 0) > 0 for row in kept),
            }
            for name in PHRASES
        },
        "characters": quantiles(sorted(len(row.response) for row in kept)),
    }


def quantiles(lengths: Sequence[int]) -> dict[str, int]:
    """Quantiles of sorted lengths, by name; none of an empty list."""
    shares = {"min": 0.0, "p25": 0.25, "median": 0.5, "p75": 0.75, "p95": 0.95, "max": 1.0}
    return {name: lengths[min(len(lengths) - 1, int(share * len(lengths)))] for name, share in shares.items() if lengths}


def step(rule: str, before: int, after: int, examples: list[dict[str, str]]) -> dict[str, Any]:
    """One step of the funnel, in the form of curate's."""
    return {"rule": rule, "before": before, "removed": before - after, "after": after, "examples": examples}


def balanced(rows: Sequence[Demonstration], per_prompt: int) -> list[Demonstration]:
    """At most `per_prompt` demonstrations of each problem, in their own order.

    One after the other, for each problem in turn, the demonstration is taken that shows the behaviours which are rare so far: each
    behaviour that it shows counts 1 / (1 + demonstrations with it). Of equal ones the first."""
    waiting: dict[str, list[Demonstration]] = {}
    for row in rows:
        waiting.setdefault(row.problem_id, []).append(row)
    shown: Counter[str] = Counter()
    chosen: set[str] = set()
    for _ in range(per_prompt):
        for candidates in waiting.values():
            if not candidates:
                continue
            best = max(candidates, key=lambda row: sum(1 / (1 + shown[name]) for name in _shown(row)))
            candidates.remove(best)
            shown.update(_shown(best))
            chosen.add(best.id)
    return [row for row in rows if row.id in chosen]


def shares(rows: Sequence[Demonstration]) -> dict[str, float]:
    """The share of demonstrations that show each behaviour, and under "all" that show all four."""
    count = max(1, len(rows))
    found = {name: round(sum(name in _shown(row) for row in rows) / count, 4) for name in PHRASES}
    return {**found, "all": round(sum(len(_shown(row)) == len(PHRASES) for row in rows) / count, 4)}


def of_teacher(
    steps: Sequence[dict[str, Any]], right: Sequence[Demonstration], kept: Sequence[Demonstration], asked: dict[str, int]
) -> dict[str, Any]:
    """What funnel.json holds beside the usual where a model was asked: the balance of behaviours, and repetition."""
    return {
        "steps": [*steps, step("behaviours in balance", len(right), len(kept), [])],
        "teacher": asked,
        "behaviour_shares": {"right": shares(right), "kept": shares(kept)},
        "overlap": overlap_summary(kept),
    }


def overlaps(rows: Sequence[Demonstration]) -> list[float]:
    """For each demonstration the share of its different GRAM-grams of words that occur in a demonstration of another problem; 0 for
    one of fewer words."""
    grams = [_grams(row.response) for row in rows]
    owners: dict[str, set[str]] = {}
    for row, own in zip(rows, grams, strict=True):
        for gram in own:
            owners.setdefault(gram, set()).add(row.problem_id)
    return [sum(len(owners[gram]) > 1 for gram in own) / len(own) if own else 0.0 for own in grams]


def overlap_summary(rows: Sequence[Demonstration]) -> dict[str, Any]:
    """Mean, median and maximum of `overlaps`, and the demonstrations that repeat most."""
    found = sorted(zip(overlaps(rows), (row.id for row in rows), strict=True), reverse=True)
    values = [value for value, _ in found]
    if not values:
        return {"words": GRAM, "mean": 0.0, "median": 0.0, "max": 0.0, "most": []}
    mean, median = sum(values) / len(values), values[len(values) // 2]
    most = [{"id": identity, "share": round(value, 4)} for value, identity in found[:5] if value]
    return {"words": GRAM, "mean": round(mean, 4), "median": round(median, 4), "max": round(values[0], 4), "most": most}


def _shown(row: Demonstration) -> set[str]:
    return {name for name in PHRASES if row.behaviours.get(name, 0)}


def _grams(text: str) -> set[str]:
    words = re.findall(r"\w+|[^\w\s]", text.lower())
    return {" ".join(words[start : start + GRAM]) for start in range(len(words) - GRAM + 1)}
