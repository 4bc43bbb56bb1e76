"""What collect counts: every row that was read, kept, removed or changed, source by source, and rule by rule in the form of
curate's funnel. The rows themselves are in excluded.jsonl and changed.jsonl."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from stages.data.records import Finding, Problem
from stages.problems.published import Loaded
from stages.problems.sources import SPLITS, title
from stages.run.collecting import Source

EXAMPLES = 5


def summary(
    sources: Sequence[Source],
    loads: Sequence[Loaded],
    problems: Sequence[Problem],
    rules: Sequence[Finding],
    twins: int,
    short: tuple[int, Sequence[Finding]],
) -> dict[str, Any]:
    """Content of funnel.json. `rules`: what the rules over all sources removed; `twins`: problems added as pictures of their text;
    `short`: verified short demonstrations, and those that are not."""
    own = [finding for loaded in loads for finding in loaded.excluded]
    return {
        "sources": [_source(source, loaded) for source, loaded in zip(sources, loads, strict=True)],
        "steps": steps(loads, [*own, *rules], twins),
        "splits": dict(Counter(problem.split for problem in problems)),
        "removed": dict(Counter(finding.rule for finding in (*own, *rules, *short[1]))),
        "short_demonstrations": short[0],
    }


def steps(loads: Sequence[Loaded], findings: Sequence[Finding], twins: int) -> list[dict[str, Any]]:
    """Rule by rule in the order in which they were met: {"rule", "before", "removed", "after", "examples"}; the twins last, as a
    step that adds. The quotas of params.yaml are a step of their own."""
    left = sum(loaded.rows for loaded in loads)
    found: list[dict[str, Any]] = []
    counts = Counter(finding.rule for finding in findings)
    beyond = sum(loaded.beyond_quota for loaded in loads)
    for rule, removed in [*counts.items(), ("beyond the quotas", beyond), ("drawn as pictures", -twins)]:
        if removed:
            examples = [one for one in findings if one.rule == rule][:EXAMPLES]
            shown = [{"id": one.id or one.where, "reason": one.reason} for one in examples]
            found.append({"rule": rule, "before": left, "removed": removed, "after": left - removed, "examples": shown})
            left -= removed
    return found


def missing(source: Source, problems: Sequence[Problem]) -> dict[str, int]:
    """How many problems of each split the source did not give; splits that are full are left out."""
    kept = Counter(problem.split for problem in problems)
    return {split: lacking for split in SPLITS if (lacking := getattr(source, split) * len(source.families) - kept[split]) > 0}


def _source(source: Source, loaded: Loaded) -> dict[str, Any]:
    return {
        "source": title(source),
        "rows": loaded.rows,
        "kept": dict(Counter(problem.split for problem in loaded.problems)),
        "missing": missing(source, loaded.problems),
        "removed": dict(Counter(finding.rule for finding in loaded.excluded)),
        "beyond_quota": loaded.beyond_quota,
        "changed": dict(Counter(finding.rule for finding in loaded.changed)),
        "licences": dict(Counter(problem.licence for problem in loaded.problems)),
    }
