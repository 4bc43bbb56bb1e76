"""The headline figures of several seeds side by side, from the summaries that `make seeds` keeps in results/seeds."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stages.data.files import DataError
from stages.reporting.evaluations import CHECKPOINTS, read_json
from stages.reporting.table_files import EMPTY

HEADS = (
    "seed",
    "long SFT",
    "long RL",
    "RL gain",
    "text, pictures",
    "length with accuracy",
    "long2short: most tokens",
    "best",
    "holds",
)


def summaries(results: Path, seed: int) -> dict[int, Mapping[str, Any]]:
    """summary.json of the run in `results`, which has `seed`, and of the other seeds in results/seeds/<seed>.json, by seed."""
    found = {seed: read_json(results / "report/summary.json", "dvc repro report")}
    for path in results.glob("seeds/*.json"):
        if not path.stem.isdigit():
            raise DataError(f"{path}: expected <seed>.json, the summary.json of that seed; rename or remove it")
        found.setdefault(int(path.stem), read_json(path, f'make seeds SEEDS="{path.stem}"'))
    return dict(sorted(found.items()))


def seed_rows(found: Mapping[int, Mapping[str, Any]]) -> list[list[str]]:
    """The table's rows below HEADS: accuracies in percent with 95% intervals, shares of the long model's tokens and accuracy."""
    return [_row(seed, summary["checkpoints"], summary["checks"]) for seed, summary in found.items()]


def _row(seed: int, checkpoints: Mapping[str, Any], checks: Mapping[str, Any]) -> list[str]:
    gains, correlation, short = checks["modality_gains"]["points"], checks["length_grows_with_accuracy"], checks["long2short"]
    best = short["models"][short["best"]]
    held = [check["holds"] is True for check in checks.values()]
    return [
        str(seed),
        _percent(checkpoints["long_sft"]["overall"]),
        _percent(checkpoints["long_rl"]["overall"]),
        f"{checks['rl_gain']['points']:+.1f}",
        ", ".join(f"{gains[name]:+.1f}" if name in gains else EMPTY for name in ("text", "image")),
        EMPTY if correlation["rank_correlation"] is None else f"ρ = {correlation['rank_correlation']:+.2f}",
        f"{max(model['token_share'] for model in short['models'].values()):.0%}",
        f"{CHECKPOINTS[short['best']]}: {best['accuracy_share']:.0%} at {best['token_share']:.0%}",
        f"{sum(held)} of {len(held)} checks",
    ]


def _percent(score: Mapping[str, Any]) -> str:
    low, high = score["ci95"]
    return f"{100 * score['accuracy']:.1f} [{100 * low:.1f}, {100 * high:.1f}]"
