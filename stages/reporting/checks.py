"""The headline facts of a run, each computed from the evaluations and the curves beside its target."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from stages.reporting.curves import Validation
from stages.reporting.evaluations import CHECKPOINTS, LONG2SHORT, Evaluation, Score
from stages.reporting.fits import rank_correlation
from stages.reporting.handed_on import Handed, origin, why_absent

TARGETS: Mapping[str, float] = {
    "rl_gain_points": 10.0,
    "rank_correlation": 0.5,
    "token_share": 0.7,
    "accuracy_share": 0.9,
    "items": 512,
}
"""Ours: what a run of the laptop preset is expected to show."""


def checks(evaluations: Mapping[str, Evaluation], total: Sequence[Validation], handed: Handed) -> dict[str, dict[str, Any]]:
    """Every check by name: what was measured, the target, and whether it `holds` (None when it cannot be decided). One that has
    no meaning, because a phase was left out or a checkpoint not evaluated, is {"holds": None, "not_applicable": reason}.

    `total` are the validation points of RL over all suites, in order. What RL starts from counts as long SFT, whoever made it."""

    def of(name: str) -> Evaluation:
        return evaluations[origin(name, handed)]

    def where(names: tuple[str, ...], check: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        reason = why_absent(names, evaluations, handed)
        return check() if reason is None else _lost(reason)

    rl = "long_rl" in handed and f"{CHECKPOINTS['long_rl']} is {CHECKPOINTS[origin('long_rl', handed)]}"
    return {
        "base_below_short_sft": where(("base", "short_sft"), lambda: _order(of("base").overall, of("short_sft").overall)),
        "rl_gain": where(("long_sft", "long_rl"), lambda: _rl_gain(of("long_sft").overall, of("long_rl").overall)),
        "modality_gains": where(("long_sft", "long_rl"), lambda: _modality_gains(of("long_sft"), of("long_rl"))),
        "length_grows_with_accuracy": _lost(f"{rl} ({handed['long_rl'].because})") if rl else _length(total),
        "long2short": where(("long_rl",), lambda: _long2short(of("long_rl").overall, evaluations)),
        "held_out_items": _items(evaluations),
    }


def _lost(reason: str) -> dict[str, Any]:
    return {"holds": None, "not_applicable": reason}


def intervals_apart(lower: tuple[float, float], upper: tuple[float, float]) -> bool:
    """Whether the whole interval `upper` lies above the whole interval `lower`."""
    return upper[0] > lower[1]


def gain_points(before: Score, after: Score) -> float:
    """Gain of accuracy in percentage points."""
    return round(100 * (after.accuracy - before.accuracy), 4)


def _order(base: Score, short_sft: Score) -> dict[str, Any]:
    return {
        "base": base.accuracy,
        "short_sft": short_sft.accuracy,
        "points": gain_points(base, short_sft),
        "intervals_apart": intervals_apart(base.ci95, short_sft.ci95),
        "holds": base.accuracy < short_sft.accuracy,
    }


def _rl_gain(sft: Score, rl: Score) -> dict[str, Any]:
    points, apart = gain_points(sft, rl), intervals_apart(sft.ci95, rl.ci95)
    return {
        "long_sft": {"accuracy": sft.accuracy, "ci95": list(sft.ci95)},
        "long_rl": {"accuracy": rl.accuracy, "ci95": list(rl.ci95)},
        "points": points,
        "target_points": TARGETS["rl_gain_points"],
        "intervals_apart": apart,
        "holds": points >= TARGETS["rl_gain_points"] and apart,
    }


def _modality_gains(sft: Evaluation, rl: Evaluation) -> dict[str, Any]:
    gains = {
        modality: gain_points(sft.suites[modality], rl.suites[modality])
        for modality in ("text", "image")
        if modality in sft.suites and modality in rl.suites
    }
    return {"points": gains, "holds": all(gain > 0 for gain in gains.values()) if len(gains) == 2 else None}


def _length(total: Sequence[Validation]) -> dict[str, Any]:
    accuracy = [point.accuracy for point in total]
    tokens = [point.mean_tokens for point in total]
    iterations = [float(point.iteration) for point in total]
    correlation = rank_correlation(accuracy, tokens)
    return {
        "rank_correlation": _rounded(correlation),
        "rank_correlation_of_tokens_and_iteration": _rounded(rank_correlation(iterations, tokens)),
        "points": len(total),
        "first_mean_tokens": tokens[0] if tokens else None,
        "last_mean_tokens": tokens[-1] if tokens else None,
        "target": TARGETS["rank_correlation"],
        "holds": None if correlation is None else correlation >= TARGETS["rank_correlation"] and tokens[-1] > tokens[0],
    }


def _long2short(long: Score, evaluations: Mapping[str, Evaluation]) -> dict[str, Any]:
    """Shares of the long model's tokens and accuracy; best is the most accurate method within the token target."""
    methods = [name for name in LONG2SHORT if name in evaluations]
    if not methods:
        return _lost("no method of long2short was evaluated")
    models = {name: _shares(evaluations[name].overall, long) for name in methods}
    short_enough = [name for name in methods if (models[name]["token_share"] or 2.0) <= TARGETS["token_share"]]
    best = max(short_enough or methods, key=lambda name: evaluations[name].overall.accuracy)
    share = models[best]["accuracy_share"]
    return {
        "models": models,
        "best": best,
        "target_token_share": TARGETS["token_share"],
        "target_accuracy_share": TARGETS["accuracy_share"],
        "holds": None if share is None else len(short_enough) == len(methods) and share >= TARGETS["accuracy_share"],
    }


def _shares(short: Score, long: Score) -> dict[str, float | None]:
    return {
        "token_share": round(short.mean_tokens / long.mean_tokens, 6) if long.mean_tokens else None,
        "accuracy_share": round(short.accuracy / long.accuracy, 6) if long.accuracy else None,
    }


def _items(evaluations: Mapping[str, Evaluation]) -> dict[str, Any]:
    smallest = min(evaluation.overall.n for evaluation in evaluations.values())
    return {"n": smallest, "target": int(TARGETS["items"]), "holds": smallest >= TARGETS["items"]}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
