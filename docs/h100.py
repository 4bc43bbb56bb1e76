"""The tables of results/h100/README.md from the raw files beside it: `python docs/h100.py`, printed as they stand there."""

import csv
import json
from pathlib import Path
from typing import Any

from h200 import curve, divergence, iterations, medians

FOLDER = Path(__file__).parents[1] / "results/h100"


def main() -> None:
    """All tables, then the line of RL's speeds."""
    print("\n".join([*engine(), "", *validations(), "", speeds(), "", *partial()]))


def read(name: str) -> Any:
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


def engine() -> list[str]:
    """What the vLLM engine was seen to do."""
    steps = read("vllm.json")["steps"]
    gaps, push, vision, sleep, round_, speed = (
        steps[name] for name in ("gaps", "push", "vision tower alone", "sleep", "iterations", "speed")
    )
    free = [value["free_gib"] for value in (sleep["awake"], sleep["asleep"], sleep["again"])]
    rounds = ", ".join(f"{one:.1f}" for one in round_["free_gib"])
    return [
        "| vLLM engine, 10 million random weights, bf16 | |",
        "| --- | --- |",
        f"| start, with compilation and CUDA graphs | {steps['start']['seconds']:.0f} s |",
        f"| largest difference of a sampled token's log-probability from the trainer's: text, pictures | {gaps['text']:.3f}, "
        f"{gaps['pictures']:.3f} nats |",
        f"| after a push of changed weights; of the answers by the old ones | {two(push)} |",
        f"| after a push of a changed vision tower alone | {two(vision)} |",
        f"| a push | {push['push_seconds']:.3f} s |",
        f"| memory of the card that is free: awake, asleep, awake again | {free[0]:.1f}, {free[1]:.1f}, {free[2]:.1f} GiB |",
        f"| the same answers after waking | {sleep['same_answers']} of {sleep['of']} |",
        f"| five rounds of sleep, push, answers: free memory after each | {rounds} GiB |",
        *(f"| tokens/s, {name} | {value:,} |" for name, value in speed.items() if name != "seconds"),
    ]


def two(step: Any) -> str:
    return f"{step['gap']:.3f}; {step['gap_of_old_weights']:.1f} nats"


def validations() -> list[str]:
    """RL's validations."""
    with (FOLDER / "training/long_rl.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["validation_accuracy"]]
    accuracy = [f"{100 * float(row['validation_accuracy']):.1f}" for row in rows]
    tokens = [f"{float(row['validation_mean_tokens']):.0f}" for row in rows]
    return [
        f"| iteration | {' | '.join(row['iteration'] for row in rows)} |",
        f"| --- |{' --- |' * len(rows)}",
        f"| accuracy on 96 validation problems, % | {' | '.join(accuracy)} |",
        f"| mean tokens | {' | '.join(tokens)} |",
    ]


def speeds() -> str:
    """Medians over the iterations of RL."""
    rows = curve(FOLDER)
    accuracy = [row["accuracy"] for row in rows if row.get("accuracy") is not None]
    return (
        f"{iterations(rows)} iterations, accuracy on the training prompts {100 * accuracy[0]:.1f} to {100 * accuracy[-1]:.1f}%; "
        f"medians: {medians(rows)}; KL between engine and trainer at most {divergence(rows):.0e} nats"
    )


def partial() -> list[str]:
    """Partial rollouts against whole ones."""
    faster, longer = read("partial.json")["partial"]["rows"]
    seconds = [longer["notes"][f"seconds_by_limit ({name})"] for name in ("partial", "whole")]
    return [
        f"Partial rollouts, {faster['ours']['median']:,.0f} against {faster['other']['median']:,.0f} tokens/s of whole responses: "
        f"{faster['ratio']['median']:.2f} times;",
        f"a limit of {longer['sizes']['limit']['ours']:,} tokens instead of {longer['sizes']['limit']['other']} takes "
        f"{1 / longer['ratio']['median']:.2f} times as long an iteration.",
        "",
        f"| seconds an iteration by limit | {' | '.join(seconds[0])} |",
        f"| --- |{' --- |' * len(seconds[0])}",
        *(
            f"| {name} | {' | '.join(f'{value:.2f}' for value in found.values())} |"
            for name, found in zip(("partial", "whole"), seconds, strict=True)
        ),
    ]


if __name__ == "__main__":
    main()
