"""What follows from params.yaml in a line for each stage: problems, batches, steps, tokens of an iteration. Pure arithmetic; an
upper bound where a set has not been made yet."""

from math import ceil
from pathlib import Path
from typing import Any

from flows.workload import SETS, problems
from stages.run.params import RL, Params


def by_stage(params: Params, root: Path = Path()) -> dict[str, str]:
    """For each stage with a size of its own, one line that says it."""
    counts, draw, curate = problems(params), params.sample, params.curate
    lines = {
        "collect": f"{counts['train']:,} problems for training, {counts['validation']:,} validation, {counts['heldout']:,} held out"
    }
    if params.model.source == "scratch":
        steps = params.base.epochs * ceil(params.base.examples / params.base.batch)
        lines["base"] = f"{params.base.examples:,} documents, batches of {params.base.batch}: {steps:,} steps"
    for phase, path in SETS.items():
        lines[f"sft@{phase}"] = _supervised(getattr(params.sft, phase), root / path)
    probed = round(curate.guesses * curate.guess_probe * counts["train"])
    lines["curate"] = f"{curate.samples * counts['train'] + probed:,} responses at most"
    for phase in ("long", "short"):
        lines[f"rl@{phase}"] = _reinforced(getattr(params.rl, phase), params)
    lines["sample"] = f"{draw.prompts * draw.samples:,} responses of at most {draw.max_tokens:,} tokens"
    each = counts["heldout"] * params.evaluate.samples
    named = ", ".join(params.evaluate.benchmarks) or "none"
    lines["evaluate"] = f"{each:,} responses of each checkpoint to held-out problems, benchmarks: {named}"
    return lines


HANDED_ON = "off: it hands on the checkpoint that it starts from"


def _supervised(sft: Any, path: Path) -> str:
    if sft is None:
        return HANDED_ON
    if not path.is_file():
        return f"batches of {sft.batch}, {sft.epochs} epochs; steps: known when {path.name} is made"
    with path.open("rb") as file:
        rows = sum(1 for _ in file)
    return f"{rows:,} demonstrations, batches of {sft.batch}: {sft.epochs * ceil(rows / sft.batch):,} steps"


def _reinforced(rl: RL | None, params: Params) -> str:
    if rl is None:
        return HANDED_ON
    responses = rl.prompts * rl.samples
    tokens = responses * min(rl.max_tokens, params.rollout.segment_tokens or rl.max_tokens)
    steps = rl.passes * ceil(responses / rl.mini_batch)
    ranks = f", {ceil(responses / params.hardware.processes):,} on each rank" if params.hardware.processes > 1 else ""
    return (
        f"{rl.iterations} iterations of {rl.prompts} prompts x {rl.samples} = {responses:,} responses{ranks}, at most {tokens:,} "
        f"new tokens; {steps} optimizer steps each, {rl.iterations * steps:,} in all"
    )
