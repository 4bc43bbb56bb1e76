"""What follows from params.yaml: batches, steps, tokens an iteration, weights, memory of a rank, disk. Pure arithmetic; an upper
bound where a set has not been made yet."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import yaml

from stages.data.files import DataError, read_records
from stages.data.records import CuratedProblem
from stages.models.size import count_parameters
from stages.problems.self_taught import unsolved
from stages.run.params import RL, SFT, Base, Hardware, Params
from stages.run.params import Model as ModelParams
from stages.run.phases import PHASES, idle_stages

SETS: Mapping[str, str] = {
    "short": "artifacts/problems/short.jsonl",
    "long": "artifacts/warm_up/demonstrations.jsonl",
    "shortest": "artifacts/samples/shortest.jsonl",
    "merged_rs": "artifacts/merged_samples/shortest.jsonl",
}
"""The demonstrations of each phase of sft."""
CHECKPOINTS = ("base", "sft", "rl", "merge", "dpo")
"""Stages that write a model."""
PATCH, MERGED = 8, 16
"""Pixels of a patch of the scratch model's vision tower, and of a token's side (stages/models/scratch.py)."""


@dataclass(frozen=True)
class Model:
    """Size and shape of the model, as far as they are known before it is there."""

    weights: int | None
    source: str
    """Where `weights` comes from, or what would tell."""
    hidden: int = 0
    layers: int = 0
    cached: int = 0
    """Numbers that the key-value cache holds for a token."""


def model_of(params: Params, root: Path = Path()) -> Model:
    """The model that `base` will make or copy: by formula, by the headers of its files, or by its name on the hub."""
    source, made = params.model.source, root / "artifacts/models/base"
    if source == "scratch":
        base = params.base
        return Model(scratch_weights(base), "scratch", base.hidden, base.layers, 2 * base.layers * base.hidden)
    if Path(source).is_dir():
        return _of_folder(Path(source), f"the files in {source}")
    if _is_of(made, params.model, root) and (found := _of_folder(made, f"the files in {made.relative_to(root)}")).weights:
        return found
    billions = re.search(r"(?:^|[-_/])(\d+(?:\.\d+)?)[bB](?![a-zA-Z0-9])", source)
    if billions:
        return Model(int(float(billions[1]) * 1e9), "its name, which rounds")
    return Model(None, "unknown until it is downloaded")


def _is_of(made: Path, model: ModelParams, root: Path) -> bool:
    """Whether the checkpoint that `base` left was copied from this model, as DVC noted it; it may be of an earlier run."""
    if not (made / "config.json").is_file() or not (root / "dvc.lock").is_file():
        return False
    text = (root / "dvc.lock").read_text(encoding="utf-8")
    try:
        noted = yaml.load(text, yaml.CSafeLoader)["stages"]["base"]["params"]["params.yaml"]["model"]
        return (noted["source"], noted["revision"]) == (model.source, model.revision)
    except (yaml.YAMLError, KeyError, TypeError):  # what is wrong with the file is for DVC to say
        return False


def _of_folder(folder: Path, source: str) -> Model:
    try:
        weights: int | None = count_parameters(folder)
        config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (DataError, OSError, ValueError):  # what is wrong with the folder is for the checks to say
        return Model(None, f"unknown: {folder} cannot be read")
    text = config.get("text_config", config)
    hidden, layers, heads = (int(text.get(key) or 0) for key in ("hidden_size", "num_hidden_layers", "num_attention_heads"))
    grouped = int(text.get("num_key_value_heads") or heads)
    head = int(text.get("head_dim") or (hidden // heads if heads else 0))
    return Model(weights, source, hidden, layers, 2 * layers * grouped * head)


def scratch_weights(base: Base) -> int:
    """Weights of the tiny Qwen2.5-VL of stages/models/scratch.py; exact when the tokenizer fills its vocabulary."""
    h, v = base.hidden, base.hidden // 2
    layer = 4 * h * h + 3 * h + 9 * h * h + 2 * h
    block = 4 * v * v + 4 * v + 3 * v * h + 2 * h + v + 2 * v
    merger = v + (4 * v) * (4 * v) + 4 * v + 4 * v * h + h
    return base.vocabulary * h + base.layers * layer + h + 3 * PATCH * PATCH * v + 2 * block + merger


@dataclass(frozen=True)
class Memory:
    """Bytes on each rank of a training stage."""

    states: int
    """Weights, gradients and AdamW's moments (arXiv 1910.02054, §3.1), as the ZeRO stage spreads them."""
    copies: int
    """A second, whole model that generates (RL under ZeRO-3)."""
    activations: int
    """Of one micro-batch (arXiv 2205.05198, eq. 1 without attention scores), 0 where the shape is unknown."""
    cache: int
    """Keys and values of the responses generated side by side, 0 where the shape is unknown."""

    @property
    def total(self) -> int:
        """The larger of training and generating, on top of what stays."""
        return self.states + self.copies + max(self.activations, self.cache)


def memory_of(model: Model, hardware: Hardware, context: int, gpu: bool) -> Memory:
    """The memory of a rank; bf16 with float32 master weights on a GPU, float32 on the CPU. `model.weights` must be known."""
    assert model.weights is not None
    width = 2 if gpu else 4
    moments = 12 if gpu else 8
    ranks = hardware.processes
    states = model.weights * sum(
        each / (ranks if hardware.zero_stage >= spread else 1) for each, spread in ((moments, 1), (width, 2), (width, 3))
    )
    tokens = max(hardware.micro_batch_tokens, context)  # a sample may fill the context
    kept = width if hardware.gradient_checkpointing else 17 * width
    whole_layer = 17 * width * model.hidden if hardware.gradient_checkpointing else 0
    activations = tokens * (kept * model.hidden * model.layers + whole_layer)
    cache = hardware.generation_batch * context * model.cached * width if hardware.engine == "transformers" else 0
    copies = model.weights * width if hardware.zero_stage == 3 and hardware.engine == "transformers" else 0
    return Memory(int(states), copies, activations, cache)


def problems(params: Params) -> dict[str, int]:
    """Problems of each split, at most: what collect.sources asks for, and each as a picture as well where they ask for that."""
    counts = dict.fromkeys(("train", "validation", "heldout"), 0)
    for source in params.collect.sources:
        for split in counts:
            counts[split] += getattr(source, split) * len(source.families) * (2 if source.render_share else 1)
    return counts


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
        sft = getattr(params.sft, phase)
        lines[f"sft@{phase}"] = _supervised(sft, root / path) if sft else _handed_on(f"sft.{phase}")
    probed = round(curate.guesses * curate.guess_probe * counts["train"])
    lines["curate"] = f"{curate.samples * counts['train'] + probed:,} responses at most"
    lines["warm_up"] = _demonstrated(params, root)
    for phase, rl in params.rl:
        lines[f"rl@{phase}"] = _reinforced(rl, params) if rl else _handed_on(f"rl.{phase}")
    lines["sample"] = f"{draw.prompts * draw.samples:,} responses of at most {draw.max_tokens:,} tokens"
    lines |= {stage: f"nothing to do: {reason}" for stage, reason in idle_stages(params.null).items() if reason}
    lines |= {name: _handed_on(name) for name in ("merge", "dpo") if getattr(params, name) is None}
    each = counts["heldout"] * params.evaluate.samples
    named = ", ".join(params.evaluate.benchmarks) or "none"
    lines["evaluate"] = f"{each:,} responses of each checkpoint to held-out problems, benchmarks: {named}"
    return lines


def _handed_on(section: str) -> str:
    """What is said of a phase that is left out."""
    name = next(name for name, phase in PHASES.items() if phase.section == section)
    return f"{section} is null: {PHASES[name].start} is handed on as {name}"


def _demonstrated(params: Params, root: Path) -> str:
    """Who writes the long demonstrations: worked solutions, a teacher, or the model itself where there are none."""
    rules, path = params.warm_up, root / "artifacts/prompt_set/problems.jsonl"
    if rules.teacher is not None:
        return f"demonstrations by {rules.teacher.file or rules.teacher.model}, {rules.tries} answers to each prompt"
    if rules.self_taught is None:
        return "worked solutions only (warm_up.self_taught is null)"
    if not path.is_file():
        return "worked solutions where rows have them, the others solved by short_sft itself: known when curate is done"
    waiting = len(unsolved(read_records(path, CuratedProblem)))
    return f"{waiting:,} prompts without a worked solution, solved by short_sft itself: {waiting * rules.tries:,} responses"


def _supervised(sft: SFT, path: Path) -> str:
    if not path.is_file():
        return f"batches of {sft.batch}, {sft.epochs} epochs; steps: known when {path.name} is made"
    with path.open("rb") as file:
        rows = sum(1 for _ in file)
    return f"{rows:,} demonstrations, batches of {sft.batch}: {sft.epochs * ceil(rows / sft.batch):,} steps"


def _reinforced(rl: RL, params: Params) -> str:
    responses = rl.prompts * rl.samples
    tokens = responses * min(rl.max_tokens, params.rollout.segment_tokens or rl.max_tokens)
    steps = rl.passes * ceil(responses / rl.mini_batch)
    ranks = f", {ceil(responses / params.hardware.processes):,} on each rank" if params.hardware.processes > 1 else ""
    return (
        f"{rl.iterations} iterations of {rl.prompts} prompts x {rl.samples} = {responses:,} responses{ranks}, at most {tokens:,} "
        f"new tokens; {steps} optimizer steps each, {rl.iterations * steps:,} in all"
    )


def disk_of(model: Model, checkpoints: int, gpu: bool) -> int:
    """Bytes of `checkpoints` models and of the resumable state of one training run, twice (the old goes when the new is whole)."""
    assert model.weights is not None
    return model.weights * ((2 if gpu else 4) * checkpoints + 2 * (14 if gpu else 12))
