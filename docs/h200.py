"""The tables of results/h200/README.md from the raw files beside it: `python docs/h200.py`, printed as they stand there."""

import json
from pathlib import Path
from statistics import median
from typing import Any

FOLDER = Path(__file__).parents[1] / "results/h200"


def main() -> None:
    """All tables, then the line of RL's speeds."""
    print("\n".join([*scores(), "", *rollouts(), "", *steps(), "", speeds()]))


def read(name: str) -> Any:
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


def scores() -> list[str]:
    """Held-out suites before and after RL."""
    lines = [
        "| stand-in suites, held out, n = 576, k = 1 | accuracy, 95% interval | text | pictures | mean tokens |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, title in (("long_sft", "long SFT"), ("long_rl", "long RL")):
        suites = read(f"evaluations/{name}.json")["suites"]
        whole = suites["overall"]
        assert (whole["n"], whole["k"]) == (576, 1)
        low, high = (100 * value for value in whole["ci95"])
        parts = " | ".join(f"{100 * suites[part]['accuracy']:.1f}" for part in ("text", "image"))
        lines.append(f"| {title} | {100 * whole['accuracy']:.1f} [{low:.1f}, {high:.1f}] | {parts} | {whole['mean_tokens']:.1f} |")
    return lines


def rollouts() -> list[str]:
    """The embedded engine by context."""
    lines = ["| rollout, embedded engine | rows | tokens/s | peak GiB |", "| --- | --- | --- | --- |"]
    return lines + [
        f"| context {row['context']:,} | {row['rows']} | {row['tokens_per_second']:,} | {row['peak_gib']:.1f} |"
        for row in read("accelerator.json")["rows"]
        if row["name"] == "rollout"
    ]


def steps() -> list[str]:
    """Training steps by length of the samples."""
    rows = [row for row in read("accelerator.json")["rows"] if row["name"].startswith("training")]
    lines = [f"| training step of {rows[0]['tokens_per_step']:,} tokens | tokens/s | MFU | peak GiB |", "| --- | --- | --- | --- |"]
    for row in rows:
        packed = f", packed in rows of {row['row_tokens']:,}" if row["name"].endswith("packed") else ""
        what = f"samples of {row['sample_tokens']:,}{packed}"
        lines.append(f"| {what} | {row['tokens_per_second']:,} | {100 * row['mfu']:.1f}% | {row['peak_gib']:.1f} |")
    return lines


def speeds() -> str:
    """Medians over the iterations of RL."""
    rows = curve(FOLDER)
    memory = max(row["speed"]["peak_gpu_mib"] for row in rows if "speed" in row) * 2**20 / 1e9
    return (
        f"{iterations(rows)} iterations; medians: {medians(rows)}; at most {memory:.1f} GB of the card; KL between engine and "
        f"trainer at most {divergence(rows):.0e} nats"
    )


def curve(folder: Path) -> list[dict[str, Any]]:
    """The rows that RL logged."""
    with (folder / "training/long_rl.jsonl").open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def iterations(rows: list[dict[str, Any]]) -> int:
    return sum("speed" in row for row in rows)


def medians(rows: list[dict[str, Any]]) -> str:
    """Seconds and tokens a second of an iteration's two halves."""
    rollout, training, drawn, trained = (
        median(row["speed"][name] for row in rows if "speed" in row)
        for name in ("rollout_seconds", "training_seconds", "rollout_tokens_per_second", "training_tokens_per_second")
    )
    return f"rollout {rollout:.2f} s, training {training:.2f} s, {drawn:,.0f} tokens/s generated, {trained:,.0f} trained on"


def divergence(rows: list[dict[str, Any]]) -> float:
    """The largest KL between engine and trainer, nats a token."""
    return max(abs(row.get("kl_rollout_trainer") or 0.0) for row in rows)


if __name__ == "__main__":
    main()
