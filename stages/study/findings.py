"""From runs to findings: every claim with its effect, interval, test and verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.data.files import DataError
from stages.reporting.fits import fit_line
from stages.study.claims import CLAIMS, Claim, Side
from stages.study.comparison import Association, Effect, Verdict, association, over_seeds, paired, verdict
from stages.study.runs import Answer, Run, Runs
from stages.study.settings import CONTROL

PAIRED = "paired bootstrap"
STUDENT = "Student's t over seeds"
PERMUTED = "Spearman, exact permutations"


@dataclass(frozen=True)
class Finding:
    """One claim and what became of it."""

    name: str
    where: str
    says: str
    verdict: Verdict
    unit: str
    """Of the effect: "points" of accuracy, "tokens", "points a token", or "rho"."""
    effect: Effect | None
    """None for a rank correlation, or where it cannot be measured."""
    rank: Association | None
    test: str
    figure: str


def findings(runs: Runs) -> list[Finding]:
    """All claims whose variants were run, in the order of the report."""
    compared = [compare(claim, runs) for claim in CLAIMS if {claim.first.variant, claim.second.variant} <= runs.keys()]
    growth = [found for found in compared if found.figure == "growth"]
    others = [found for found in compared if found.figure != "growth"]
    return [*growth, harder_lengthen_more(runs), *slopes(runs), *others]


def compare(claim: Claim, runs: Runs) -> Finding:
    """First minus second, problem by problem, in points of accuracy or in tokens."""
    scale = 100.0 if claim.measure == "accuracy" else 1.0
    first, second = _side(claim.first, runs), _side(claim.second, runs)
    effect = paired([scale * difference(first[seed], second[seed], claim) for seed in first])
    unit = "points" if claim.measure == "accuracy" else "tokens"
    decided = verdict(effect, scale * claim.margin)
    return Finding(claim.name, claim.where, claim.says, decided, unit, effect, None, PAIRED, claim.figure)


def difference(first: Mapping[str, Answer], second: Mapping[str, Answer], claim: Claim) -> NDArray[np.float64]:
    """(N,) over the problems, in the order of their names. DataError when the two did not answer the same ones."""
    if first.keys() != second.keys():
        odd = sorted(first.keys() ^ second.keys())[0]
        raise DataError(f"{claim.name}: {odd} was answered by one of {claim.first.variant} and {claim.second.variant} only")
    pairs = [(first[name], second[name]) for name in sorted(first)]
    if claim.measure == "accuracy":
        return np.array([one.right - other.right for one, other in pairs])
    return np.array([one.tokens - other.tokens for one, other in pairs])


def harder_lengthen_more(runs: Runs) -> Finding:
    """Figure 5: the lower a suite's accuracy before RL, the more its responses grow (tokens after RL over tokens before it)."""
    suites = growths(list(runs[CONTROL].values()))
    rank = association([1 - before for before, _ in suites.values()], [growth for _, growth in suites.values()])
    says = "harder suites lengthen more"
    decided: Verdict = "undecided" if rank is None else rank.verdict
    return Finding("harder_lengthen_more", "§3.3, figure 5", says, decided, "rho", None, rank, PERMUTED, "growth")


def growths(runs: Sequence[Run]) -> dict[str, tuple[float, float]]:
    """By suite: accuracy before RL, and the mean tokens after RL over those before; means over the seeds."""
    suites = sorted({answer.suite for answer in runs[0].before.values()})
    return {suite: (_mean(runs, suite, "before")[0], _grown(runs, suite)) for suite in suites}


def _grown(runs: Sequence[Run], suite: str) -> float:
    return _mean(runs, suite, "after")[1] / max(1e-9, _mean(runs, suite, "before")[1])


def _mean(runs: Sequence[Run], suite: str, when: str) -> tuple[float, float]:
    found = [answer for run in runs for answer in (run.before if when == "before" else run.after).values() if answer.suite == suite]
    return sum(answer.right for answer in found) / len(found), sum(answer.tokens for answer in found) / len(found)


def slopes(runs: Runs) -> list[Finding]:
    """Figures 6 and 8: accuracy over length during RL, all suites together."""
    found = [_slope("accuracy_follows_length", "§3.3, figure 6", "accuracy rises with length during RL", slopes_of(runs[CONTROL]))]
    if "large" in runs:
        small, large = slopes_of(runs[CONTROL]), slopes_of(runs["large"])
        values = [None if a is None or b is None else b - a for a, b in zip(small, large, strict=True)]
        says = "the large model gains more accuracy for each further token"
        found.append(_slope("large_is_token_efficient", "§3.5, figure 8", says, values, "sizes"))
    return found


def slopes_of(runs: Mapping[int, Run], suite: str = "total") -> list[float | None]:
    """Points of accuracy a token by least squares over the validations of each seed; None where the length did not change."""
    lines = [
        fit_line([point.mean_tokens for point in run.curve[suite]], [100 * point.accuracy for point in run.curve[suite]])
        for run in runs.values()
    ]
    return [None if line is None else line.slope for line in lines]


def _slope(name: str, where: str, says: str, values: Sequence[float | None], figure: str = "slopes") -> Finding:
    known = [value for value in values if value is not None]
    effect = over_seeds(known) if len(known) == len(values) and known else None
    decided: Verdict = "undecided" if effect is None else verdict(effect)
    return Finding(name, where, says, decided, "points a token", effect, None, STUDENT, figure)


def _side(side: Side, runs: Runs) -> dict[int, Mapping[str, Answer]]:
    return {seed: run.answers(side.when) for seed, run in runs[side.variant].items()}
