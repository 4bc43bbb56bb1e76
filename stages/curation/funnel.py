"""The funnel of curation: how many problems each rule saw and removed, and why, problem by problem."""

from collections.abc import Mapping, Sequence
from typing import Any

from stages.data.records import Finding, Problem

EXAMPLES = 5


class Funnel:
    """The steps in order; every removal is a finding, so that counts and list can never differ."""

    def __init__(self) -> None:
        self.steps: list[dict[str, Any]] = []
        self.findings: list[Finding] = []
        self.detail: dict[str, Any] = {}

    def remove(self, rule: str, problems: Sequence[Problem], reasons: Mapping[str, str]) -> list[Problem]:
        """The problems whose id is not in `reasons` (id -> why); the others are counted and listed under `rule`."""
        removed = [problem for problem in problems if problem.id in reasons]
        kept = [problem for problem in problems if problem.id not in reasons]
        self.findings += [
            Finding(id=problem.id, where=problem.source, rule=rule, reason=reasons[problem.id]) for problem in removed
        ]
        examples = [{"id": problem.id, "reason": reasons[problem.id]} for problem in removed[:EXAMPLES]]
        self.steps.append(
            {
                "rule": rule,
                "before": len(problems),
                "removed": len(removed),
                "after": len(kept),
                "examples": examples,
            }
        )
        return kept

    def share(self, rule: str) -> float:
        """Share of the problems before `rule` that it removed; 0 where it saw none."""
        step = next(step for step in self.steps if step["rule"] == rule)
        return step["removed"] / step["before"] if step["before"] else 0.0

    def content(self) -> dict[str, Any]:
        """funnel.json: {"steps": [{"rule", "before", "removed", "after", "examples": [{"id", "reason"}]}], "mix",
        ...}."""
        return {"steps": self.steps, **self.detail}

    def text(self) -> str:
        """The counts, a line a rule."""
        return "\n".join(f"{step['rule']}: {step['removed']} of {step['before']} removed" for step in self.steps)
