"""Runs of a made-up study, as files."""

import json
from pathlib import Path
from typing import Any

import yaml
from reporting.synthetic_run import write_csv

SUITES = {"sums": 0.8, "charts": 0.5, "scenes": 0.3}
"""Accuracy before RL."""
GROWTH = {"sums": 1.2, "charts": 1.5, "scenes": 2.0}
PROBLEMS, TOKENS, ITERATIONS = 20, 40, (0, 3, 6)


def generations(path: Path, gain: float, growth: float) -> None:
    """Answers to 20 problems of each suite: the first ones are right; `growth` 0 leaves lengths as they are before RL."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    for suite, accuracy in SUITES.items():
        right = round(PROBLEMS * (accuracy + gain))
        for number in range(PROBLEMS):
            row = {
                "suite": suite,
                "id": f"{number:03d}",
                "question": "?",
                "image": None,
                "gold": "1",
                "text": "1",
                "finish": "stop",
            }
            tokens = round(TOKENS * (1 + growth * (GROWTH[suite] - 1)))
            rows.append({**row, "tokens": tokens, "outcome": "right" if number < right else "wrong"})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def curve(path: Path, gain: float, growth: float, start: float = 0.5) -> None:
    rows = []
    for place, iteration in enumerate(ITERATIONS):
        share = place / (len(ITERATIONS) - 1)
        row: dict[str, Any] = {"iteration": iteration}
        for prefix in ("validation_", *(f"validation/{suite}/" for suite in SUITES)):
            tokens = TOKENS * (1 + growth * share)
            row |= {f"{prefix}accuracy": start + gain * share, f"{prefix}mean_tokens": tokens, f"{prefix}p95_tokens": 2 * tokens}
        rows.append(row)
    write_csv(path, "iteration", rows)


def write_study(root: Path, variants: dict[str, tuple[float, float]], seeds: int = 3) -> Path:
    """Name -> (gain of accuracy by RL, growth of length); each seed's gain is 0.05 more than the last one's. The settings."""
    for seed in range(seeds):
        folder = root / f"runs/{seed}"
        generations(folder / "trunk/artifacts/generations/long_sft.jsonl", 0.0, 0.0)
        for name, (gain, growth) in variants.items():
            generations(folder / name / "artifacts/generations/long_rl.jsonl", gain + 0.05 * seed, growth)
            curve(folder / name / "results/training/long_rl.csv", gain + 0.05 * seed, growth)
            if name == "large":
                generations(folder / name / "artifacts/generations/long_sft.jsonl", 0.05, 0.0)
    settings = {"seeds": list(range(seeds)), "changes": {"rl.long.iterations": 6}, "variants": {name: {} for name in variants}}
    (root / "settings.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return root / "settings.yaml"
