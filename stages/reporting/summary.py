"""summary.json: every score, the validation points of RL, seconds by stage and the headline checks."""

from collections.abc import Mapping, Sequence
from typing import Any

from stages.reporting.checks import checks
from stages.reporting.curves import Validation
from stages.reporting.evaluations import Benchmark, Evaluation, Score
from stages.reporting.limits import whole_anywhere


def summarise(evaluations: Mapping[str, Evaluation], total: Sequence[Validation], seconds: Mapping[str, float]) -> dict[str, Any]:
    """The content of summary.json. A benchmark run on part of its items is left out, as in tables 2 and 3."""
    return {
        "checkpoints": {name: _scores(evaluation) for name, evaluation in evaluations.items()},
        "rl": [
            {
                "iteration": point.iteration,
                "accuracy": point.accuracy,
                "mean_tokens": point.mean_tokens,
                "p95_tokens": point.p95_tokens,
            }
            for point in total
        ],
        "seconds": dict(seconds),
        "checks": checks(evaluations, total),
    }


def _scores(evaluation: Evaluation) -> dict[str, dict[str, Any]]:
    scored = {name: result for name, result in evaluation.benchmarks.items() if isinstance(result, Benchmark)}
    benchmarks = {name: result for name, result in scored.items() if whole_anywhere(name, result)}
    return {suite: _score(score) for suite, score in {**evaluation.suites, **benchmarks}.items()}


def _score(score: Score) -> dict[str, Any]:
    return {
        "accuracy": score.accuracy,
        "ci95": list(score.ci95),
        "mean_tokens": score.mean_tokens,
        "n": score.n,
        "k": score.k,
        "stand_in": score.stand_in,
    }
