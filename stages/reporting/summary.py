"""summary.json: every score, the validation points of RL, seconds by stage and the headline checks; metrics.json: its few numbers
that `dvc metrics diff` and `dvc exp show` compare."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stages.data.files import write_json
from stages.reporting.checks import checks
from stages.reporting.curves import Validation
from stages.reporting.evaluations import Benchmark, Evaluation, Score
from stages.reporting.handed_on import Handed
from stages.reporting.limits import whole_anywhere


def summarise(
    evaluations: Mapping[str, Evaluation], total: Sequence[Validation], seconds: Mapping[str, float], handed: Handed
) -> dict[str, Any]:
    """The content of summary.json. A benchmark run on part of its items is left out, as in tables 2 and 3."""
    return {
        "handed_on": {name: one.model_dump() for name, one in handed.items()},
        "checkpoints": {name: scores(evaluation) for name, evaluation in evaluations.items()},
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
        "checks": checks(evaluations, total, handed),
    }


def write(folder: Path, summary: Mapping[str, Any]) -> None:
    """Put summary.json and metrics.json into `folder`."""
    write_json(folder / "summary.json", summary)
    write_json(folder / "metrics.json", metrics(summary))


def metrics(summary: Mapping[str, Any]) -> dict[str, Any]:
    """For each checkpoint `accuracy` and mean `tokens` over all held-out problems, the accuracy on text, on pictures and on each
    benchmark, in percent to a tenth; and how many of the headline checks hold."""
    held = [check["holds"] for check in summary["checks"].values()]
    return {**{name: line(found) for name, found in summary["checkpoints"].items()}, "checks_held": sum(map(bool, held))}


def line(scores: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """The few numbers of a checkpoint, as in metrics.json."""
    shown = {suite: score for suite, score in scores.items() if suite in ("overall", "text", "image") or not score["stand_in"]}
    few = {{"overall": "accuracy"}.get(suite, suite): round(100 * score["accuracy"], 1) for suite, score in shown.items()}
    return few | ({"tokens": round(scores["overall"]["mean_tokens"], 1)} if "overall" in scores else {})


def scores(evaluation: Evaluation) -> dict[str, dict[str, Any]]:
    """Every score of a checkpoint by suite and benchmark, as in summary.json; a benchmark run on part of its items is left out."""
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
