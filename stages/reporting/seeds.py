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
    """Cells of what has no meaning in that run are empty."""
    gains, short, gain = checks["modality_gains"].get("points", {}), checks["long2short"], checks["rl_gain"].get("points")
    correlation, held = (
        checks["length_grows_with_accuracy"].get("rank_correlation"),
        [one["holds"] is True for one in checks.values()],
    )
    best = short["models"][short["best"]] if "models" in short else None
    most = max(model["token_share"] for model in short["models"].values()) if best else None
    return [
        str(seed),
        _percent(checkpoints.get("long_sft")),
        _percent(checkpoints.get("long_rl")),
        EMPTY if gain is None else f"{gain:+.1f}",
        ", ".join(f"{gains[name]:+.1f}" if name in gains else EMPTY for name in ("text", "image")),
        EMPTY if correlation is None else f"ρ = {correlation:+.2f}",
        EMPTY if most is None else f"{most:.0%}",
        f"{CHECKPOINTS[short['best']]}: {best['accuracy_share']:.0%} at {best['token_share']:.0%}" if best else EMPTY,
        f"{sum(held)} of {len(held)} checks",
    ]


def _percent(scores: Mapping[str, Any] | None) -> str:
    if scores is None:
        return EMPTY
    score = scores["overall"]
    low, high = score["ci95"]
    return f"{100 * score['accuracy']:.1f} [{100 * low:.1f}, {100 * high:.1f}]"
