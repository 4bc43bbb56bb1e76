"""Which items a file of responses is scored on: all, or of a benchmark made of parts (languages) those parts that it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from stages.benchmarks.benchmark import Benchmark, Loaded
from stages.benchmarks.responses import Given, Matched
from stages.data.files import DataError


@dataclass(frozen=True)
class Scope:
    """The items that are scored and their rows."""

    loaded: Loaded
    matched: Matched
    told: Mapping[str, Any] = field(default_factory=dict)
    """What the result says of it."""


def scope_of(benchmark: Benchmark, loaded: Loaded, matched: Matched) -> Scope:
    """All items; where the benchmark's groups need tools of their own, the groups that have rows and tools.

    DataError where no group has both."""
    need = benchmark.group_unavailable
    if need is None:
        return Scope(loaded, matched)
    reasons = {name: need(name) for name in sorted({one.item.group for one in matched.given.values() if _runs(one)})}
    answered = {one.item.group for one in matched.given.values()}
    there = {item.group for item in loaded.items}
    left_out = {name: "it has no data" for name in benchmark.groups if name not in there}
    left_out |= {name: "no row of it" for name in benchmark.groups if name in there - answered}
    left_out |= {name: reason for name, reason in reasons.items() if reason is not None}
    scored = [name for name in benchmark.groups if name not in left_out]
    if not scored:
        why = dict.fromkeys(reason for reason in reasons.values() if reason)
        raise DataError(f"{benchmark.title}: {'; '.join(why)}")
    kept = [item for item in loaded.items if item.group in scored]
    ids = {item.id for item in kept}
    rows = replace(
        matched,
        given={name: one for name, one in matched.given.items() if name in ids},
        missing=[name for name in matched.missing if name in ids],
    )
    unscored = sum(len(one.texts) for name, one in matched.given.items() if name not in ids)
    told = {"languages": scored, "languages_left_out": left_out, "unscored": unscored}
    why_part = "; ".join(f"{name}: {reason}" for name, reason in left_out.items())
    part = f"scored on {', '.join(scored)} alone ({why_part})" if left_out else loaded.part
    return Scope(replace(loaded, items=kept, part=part), rows, told)


def _runs(one: Given) -> bool:
    """Whether a program of the item has to be run."""
    return "response" in one.kinds
