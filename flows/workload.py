"""What each stage has to do: tokens trained, tokens generated, models written. An estimate before the run, by params.yaml alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from stages.run.params import RL, Params

SETS: Mapping[str, str] = {
    "short": "artifacts/problems/short.jsonl",
    "long": "artifacts/warm_up/demonstrations.jsonl",
    "shortest": "artifacts/samples/shortest.jsonl",
    "merged_rs": "artifacts/merged_samples/shortest.jsonl",
}
"""The demonstrations of each phase of sft."""
CHECKPOINTS = ("base", "sft", "rl", "merge", "dpo")
"""Stages that write a model."""
LENGTH = 0.5
"""Of its limit, that a response takes on average; ours."""
PROMPT = 200
"""Tokens of a prompt at most, ours (GSM8K: some 100 with a template); a quarter of the context where that is less."""
GUESS = 16
"""Tokens of a guess in `curate`, ours: at most 32 (stages/curation/guessing.py)."""
SOLVED = 0.5
"""Of the sampled prompts, that give a demonstration or a pair; ours."""
REFERENCE = 1 / 3
"""Of a training pass, that the forward of the reference takes: 2 of the 6 operations a weight and token."""


@dataclass(frozen=True)
class Work:
    """Of one stage, over all ranks."""

    trained: float = 0.0
    """Tokens through forward and backward."""
    generated: float = 0.0
    """New tokens."""
    read: float = 0.0
    """Tokens of prompts through a forward."""
    saved: int = 0
    """Models written."""

    def __add__(self, other: "Work") -> "Work":
        return Work(
            self.trained + other.trained,
            self.generated + other.generated,
            self.read + other.read,
            self.saved + other.saved,
        )


def problems(params: Params) -> dict[str, int]:
    """Problems of each split, at most: what collect.sources asks for, and each as a picture as well where they ask for that."""
    counts = dict.fromkeys(("train", "validation", "heldout"), 0)
    for source in params.collect.sources:
        for split in counts:
            counts[split] += getattr(source, split) * len(source.families) * (2 if source.render_share else 1)
    return counts


def prompt_tokens(params: Params) -> int:
    """Tokens of a prompt, assumed."""
    return min(PROMPT, params.model.context // 4)


def longest_row(params: Params) -> int:
    """Tokens of a prompt, assumed, with the longest response that some stage draws."""
    phases = [phase.max_tokens for phase in (params.rl.long, params.rl.short) if phase is not None]
    limits = [*phases, params.sample.max_tokens, params.evaluate.max_tokens, params.curate.max_tokens or 0]
    return min(params.model.context, prompt_tokens(params) + max(limits))


def rows_of(params: Params, phase: str, root: Path) -> int:
    """Demonstrations of a phase of sft: counted where its file is there, else expected."""
    path = root / SETS[phase]
    if path.is_file():
        with path.open("rb") as file:
            return sum(1 for _ in file)
    train = problems(params)["train"]
    return {"short": train, "long": train}.get(phase, round(SOLVED * params.sample.prompts))


def of_stage(name: str, params: Params, root: Path = Path(), unsolved: float = 0.0) -> Work:
    """The work of a stage of dvc.yaml; `unsolved` is the share of the rows without a worked solution, for which warm_up asks the
    model."""
    stage, _, key = name.partition("@")
    counts, prompt = problems(params), prompt_tokens(params)
    if stage == "base":
        return _pretraining(params)
    if stage == "sft":
        return _supervised(params, key, root)
    if stage == "curate":
        guesses = params.curate.guesses * params.curate.guess_probe
        answer = (params.curate.max_tokens or _limit(params)) * LENGTH
        answered = _asked(counts["train"] * params.curate.samples, prompt, answer)
        return answered + _asked(counts["train"] * guesses, prompt, GUESS)
    if stage == "warm_up" and params.warm_up.self_taught is not None and params.warm_up.teacher is None:
        return _asked(unsolved * counts["train"] * params.warm_up.tries, prompt, _limit(params) * LENGTH)
    if stage == "rl":
        return _reinforced(getattr(params.rl, key), params)
    if stage == "sample":
        return _asked(params.sample.prompts * params.sample.samples, prompt, params.sample.max_tokens * LENGTH)
    if stage == "dpo":
        return _preferences(params)
    if stage == "merge":
        return Work(saved=1)
    if stage == "evaluate":
        limit = params.evaluate.limit or 500
        each = counts["heldout"] * params.evaluate.samples
        each += limit * len(params.evaluate.benchmarks) * params.evaluate.benchmark_samples
        return _asked(each, prompt, params.evaluate.max_tokens * LENGTH)
    return Work()


def _limit(params: Params) -> int:
    return params.rl.long.max_tokens if params.rl.long else params.sample.max_tokens


def _asked(responses: float, prompt: int, tokens: float) -> Work:
    return Work(generated=responses * tokens, read=responses * prompt)


def _pretraining(params: Params) -> Work:
    if params.model.source != "scratch":
        return Work(saved=1)
    base = params.base
    return Work(trained=base.examples * base.epochs * params.model.context / 2, saved=1)


def _supervised(params: Params, phase: str, root: Path) -> Work:
    sft: Any = getattr(params.sft, phase)
    if sft is None:
        return Work()
    length = prompt_tokens(params) + LENGTH * _limit(params)
    return Work(trained=sft.epochs * rows_of(params, phase, root) * length, saved=1)


def _reinforced(rl: RL | None, params: Params) -> Work:
    if rl is None:
        return Work()
    prompt, response = prompt_tokens(params), LENGTH * rl.max_tokens
    responses = rl.iterations * rl.prompts * rl.samples
    validated = ceil(rl.iterations / rl.validate_every) * problems(params)["validation"]
    passes = rl.passes + REFERENCE
    return Work(passes * responses * (prompt + response), saved=1) + _asked(responses + validated, prompt, response)


def _preferences(params: Params) -> Work:
    dpo: Any = params.dpo
    if dpo is None:
        return Work()
    pairs = SOLVED * params.sample.prompts * dpo.pairs_per_problem
    length = prompt_tokens(params) + LENGTH * params.sample.max_tokens
    return Work(trained=2 * pairs * dpo.epochs * length * (1 + REFERENCE), saved=1)
