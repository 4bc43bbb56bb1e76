"""The yield of test-case generation beside the report's: 1,000 problems, 614 need no special judge, 463 generators with at least 40
valid tests, 323 in the training set (§2.3.5)."""

from collections.abc import Sequence
from typing import Any

from stages.curation.code_problems import NO_TESTS, NOT_PASSED, RULES, SPECIAL_JUDGE, CodeOutcome

REPORTED = {None: 1000, SPECIAL_JUDGE: 614, NO_TESTS: 463, NOT_PASSED: 323}
"""Problems left after each rule in the report; None: at the beginning."""
EXAMPLES = 5
INPUTS = ("wanted", "generated", "distinct", "agreed", "disputed", "unfinished")


def funnel(outcomes: Sequence[CodeOutcome], asked: Sequence[bool]) -> dict[str, Any]:
    """Content of funnel.json: the steps in the form of curate's funnel, each with the report's number, and the tests of what is
    kept. `asked`: for each outcome whether the model was to write the generator."""
    steps, left = [], list(outcomes)
    for rule in RULES:
        removed = [one for one in left if one.rule == rule]
        left = [one for one in left if one.rule != rule]
        examples = [{"id": one.id, "reason": one.reason} for one in removed[:EXAMPLES]]
        step = {"rule": rule, "before": len(left) + len(removed), "removed": len(removed), "after": len(left)}
        steps.append({**step, "examples": examples, "reported_after": REPORTED.get(rule)})
    tests = sorted(len(one.tests) for one in left)
    counts = [one.counts for one in outcomes]
    return {
        "steps": steps,
        "reported": list(REPORTED.values()),
        "inputs": {name: sum(count.get(name, 0) for count in counts) for name in INPUTS},
        "tests": {"total": sum(tests), "least": tests[0] if tests else 0, "most": tests[-1] if tests else 0},
        "generators": {"supplied": asked.count(False), "by_the_model": asked.count(True)},
    }


def table(content: dict[str, Any]) -> str:
    """Our yield beside the report's, a line a step, each with its share of all problems."""
    first = content["steps"][0]
    rows = [("problems", first["before"], REPORTED[None])]
    rows += [(f"after {step['rule']!r}", step["after"], step["reported_after"]) for step in content["steps"]]
    lines = [f"{'':<32}{'here':>16}{'report':>16}"]
    for name, ours, theirs in rows:
        lines.append(f"{name:<32}{_shown(ours, first['before']):>16}{_shown(theirs, REPORTED[None]):>16}")
    return "\n".join(lines)


def _shown(count: int | None, of: int) -> str:
    return "-" if count is None else f"{count} ({count / of:.1%})" if of else str(count)
