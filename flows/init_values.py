"""The values that `k15 init` chooses for a model, its data and a machine, each with a word on where it comes from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Any

from flows.architecture import Model
from flows.fitting import Place, fitted, needed
from flows.init_data import KINDS, Data, Found, Lengths
from flows.learning_rates import REAL, rates_for
from flows.machine import Machine, fast_bfloat16, size
from stages.data.files import DataError
from stages.problems.procedural import TEXT_FAMILIES
from stages.run.params import Hardware, Params

BIG = 1_000_000_000
"""Weights above which vLLM generates on GPUs: results/h200, what the embedded engine gives there."""
INSTRUCTION = "Think step by step, then put the final answer into \\boxed{}."


@dataclass
class Chosen:
    """Dotted values in order, with their comments."""

    values: dict[str, Any] = field(default_factory=dict)
    comments: dict[str, str] = field(default_factory=dict)

    def put(self, key: str, value: Any, comment: str = "") -> None:
        """One value."""
        self.values[key] = value
        if comment:
            self.comments[key] = comment


@dataclass(frozen=True)
class Asked:
    """What the user named."""

    source: str
    revision: str | None
    model: Model
    data: Data | None
    lengths: Lengths | None
    machine: Machine

    @property
    def real(self) -> bool:
        """Whether the model is no toy."""
        return (self.model.weights or 0) >= REAL

    @property
    def gpu(self) -> bool:
        """Whether there are GPUs."""
        return bool(self.machine.gpus)

    @property
    def ranks(self) -> int:
        """A process for each GPU."""
        return max(1, len(self.machine.gpus))


def choose(asked: Asked, params: Params) -> Chosen:
    """All values, over the `params` of params.yaml. Raises DataError when the model fits in no way."""
    chosen = Chosen()
    context, answer = _lengths(asked)
    _model(chosen, asked, context)
    _hardware(chosen, asked, context, answer, params)
    train = _data(chosen, asked, context, answer, params)
    _supervised(chosen, asked, train)
    _reinforced(chosen, asked, train, answer)
    return chosen


def _lengths(asked: Asked) -> tuple[int, int]:
    """Tokens of prompt and response together, and of the response."""
    most = asked.model.longest or 1 << 30
    prompt = asked.lengths.prompt if asked.lengths else 512
    solution = asked.lengths.solution if asked.lengths else 0
    usual = (2048 if asked.gpu else 1024) if asked.real else 128
    answer = _rounded(max(usual, 2 * solution), 64)
    context = max(prompt + answer, 2 * prompt + 2)
    if asked.real and asked.gpu:
        context = max(context, 4096)
    context = min(most, _rounded(context, 256 if asked.real else 64))
    if 2 * prompt > context:
        raise DataError(f"prompts of {prompt} tokens take more than half of the {context} that the model reads; shorten them")
    return context, min(answer, context - prompt)


def _rounded(count: int, step: int) -> int:
    return ceil(count / step) * step


def _model(chosen: Chosen, asked: Asked, context: int) -> None:
    folder = Path(asked.source).is_dir()
    chosen.put("model.source", str(Path(asked.source).resolve()) if folder else asked.source, asked.model.source)
    chosen.put("model.revision", None if folder else asked.revision)
    told = asked.lengths
    measured = f"prompts of up to {told.prompt} tokens by {told.counted}" if told else "room for a prompt beside the response"
    chosen.put("model.context", context, measured)
    if asked.real:
        chosen.put("model.instruction", INSTRUCTION, "ours")


def _hardware(chosen: Chosen, asked: Asked, context: int, answer: int, params: Params) -> None:
    """The best values that fit."""
    start = _best(asked, context, params.hardware)
    share = asked.machine.gpus[0].memory if asked.gpu else asked.machine.memory
    prompt = min(asked.lengths.prompt if asked.lengths else 200, context // 2)
    place = Place(asked.gpu, share, context, min(context, prompt + answer))
    found = fitted(asked.model, start, place)
    if found is None:
        need = needed(asked.model, start, place)
        step = need.states + need.gradients + need.step
        raise DataError(
            f"{asked.source} with {asked.model.weights:,} weights does not fit {asked.ranks} x {size(share)}: an optimizer step "
            f"takes {size(step)} where nothing is spread; name more or larger GPUs, or a smaller model"
        )
    chosen.put("hardware.device", found.device)
    chosen.put("hardware.processes", found.processes, "one for each GPU" if asked.gpu else "")
    chosen.put("hardware.zero_stage", found.zero_stage, _why_stage(found))
    chosen.put("hardware.dtype", found.dtype)
    chosen.put("hardware.gradient_checkpointing", found.gradient_checkpointing, _why_checkpoints(found))
    chosen.put("hardware.micro_batch_tokens", found.micro_batch_tokens, "by the memory estimate of `k15 plan`")
    chosen.put("hardware.engine", found.engine, "vLLM from a billion weights on, on GPUs")
    if found.engine == "vllm":
        chosen.put("hardware.vllm.memory_share", found.vllm.memory_share, "what the trainer's states leave")
    chosen.put("hardware.generation_batch", found.generation_batch)
    chosen.put("hardware.workers", found.workers)


def _why_checkpoints(hardware: Hardware) -> str:
    return "without it a micro-batch would not fit" if hardware.gradient_checkpointing else "a micro-batch fits without"


def _why_stage(hardware: Hardware) -> str:
    if hardware.zero_stage == 0:
        return "the states fit whole" if hardware.processes > 1 else "one process: nothing to spread"
    return "the states fit only in pieces"


def _best(asked: Asked, context: int, hardware: Hardware) -> Hardware:
    """What would be fastest if memory were no matter."""
    vllm = asked.gpu and (asked.model.weights or 0) > BIG
    machine = asked.machine
    values: dict[str, Any] = {
        "device": "cuda" if asked.gpu else "cpu",
        "processes": asked.ranks,
        "zero_stage": 0,
        "dtype": "auto" if asked.gpu or not (asked.real and fast_bfloat16()) else "bfloat16",
        "gradient_checkpointing": False,
        "micro_batch_tokens": max(context, 16384 if asked.gpu else 4096),
        "engine": "vllm" if vllm else "transformers",
        "vllm": hardware.vllm.model_copy(update={"memory_share": 0.6}),
        "generation_batch": 256 if vllm else 64,
        "workers": (16 if asked.ranks > 1 else 8) if machine.assumed and asked.gpu else min(16, machine.cores),
    }
    return hardware.model_copy(update=values)


def _data(chosen: Chosen, asked: Asked, context: int, answer: int, params: Params) -> int:
    """Sources, splits and pictures; returns the number of training problems."""
    sources = _sources(asked, params)
    train: int = sum(source["train"] * len(source["families"]) for source in sources)
    if asked.data is not None:
        chosen.put("collect.root", str(asked.data.root))
    if asked.data is not None or asked.model.vision is None:
        chosen.put("collect.sources", sources, "a tenth held out, a twentieth for validation")
    if asked.model.vision is not None and (asked.data is None or asked.data.pictured):
        vision = asked.model.vision
        room = (context // 2 - (asked.lengths.prompt if asked.lengths else 128)) * vision.merged * vision.patch**2
        chosen.put("collect.max_image_pixels", min(1 << 20, max(1, room)), "with its question at most half of the context")
    least = min(64, max(1, train // 8))
    if least < 64:
        chosen.put("curate.min_rows", least, "an eighth of the problems")
        chosen.put("warm_up.min_rows", least)
    if asked.data is not None and asked.data.benchmarks is not None:
        chosen.put("evaluate.root", str(asked.data.benchmarks))
        chosen.put("evaluate.benchmarks", list(asked.data.named), "those whose files are there")
    chosen.put("evaluate.max_tokens", answer)
    return train


def _sources(asked: Asked, params: Params) -> list[dict[str, Any]]:
    if asked.data is not None:
        return [_source(file, asked.data, asked.ranks) for file in asked.data.files]
    rows = [source.model_dump(exclude_defaults=True) | {"path": source.path} for source in params.collect.sources]
    if asked.model.vision is None:
        rows = [row | {"families": [name for name in row["families"] if name in TEXT_FAMILIES]} for row in rows]
    return rows


def _source(file: Found, data: Data, ranks: int) -> dict[str, Any]:
    """One entry of collect.sources."""
    suffix = file.path.with_suffix("").suffix if file.path.suffix == ".gz" else file.path.suffix
    heldout = min(256, max(file.rows // 10, min(16, file.rows // 4)))
    validation = min(64, max(ranks, file.rows // 20, min(8, file.rows // 8)))
    train = file.rows - heldout - validation
    if train < 1 or not heldout or not validation:
        raise DataError(
            f"{file.path}: {file.rows} rows are too few for training, validation and held-out problems; give 24 or more"
        )
    name = file.path.name.split(".")[0]
    source: dict[str, Any] = {
        "kind": KINDS[suffix],
        "families": [name],
        "train": train,
        "validation": validation,
        "heldout": heldout,
        "path": str(file.path.resolve().relative_to(data.root)),
    }
    if file.adapter != "own":
        source["adapter"] = file.adapter
    if file.columns:
        source["columns"] = file.columns
    return source


def _supervised(chosen: Chosen, asked: Asked, train: int) -> None:
    rates = rates_for(asked.model.weights or 0)
    small = train < 1000
    for phase, epochs in (("short", 1), ("long", 2), ("shortest", 1), ("merged_rs", 1)):
        rate = rates.supervised if phase in ("short", "long") else rates.supervised / 2
        chosen.put(f"sft.{phase}.epochs", epochs + (1 if small else 0))
        chosen.put(f"sft.{phase}.batch", max(asked.ranks, 16 if small else 64))
        chosen.put(f"sft.{phase}.learning_rate", rate, rates.because if phase == "short" else "")
        chosen.put(
            f"sft.{phase}.final_learning_rate", float(f"{rate / 10:.3g}"), "§2.5.2: a tenth of the peak" if phase == "short" else ""
        )
    chosen.put("dpo.learning_rate", rates.reinforced, "as RL; alignment-handbook's recipes/smollm2/dpo: 1e-6")


def _reinforced(chosen: Chosen, asked: Asked, train: int, answer: int) -> None:
    rates = rates_for(asked.model.weights or 0)
    usual = min(256, 64 * asked.ranks) if asked.ranks > 1 else 64 if asked.gpu else 16
    prompts = max(asked.ranks, min(usual, train // 8))
    iterations = max(8, min(150, round(4 * train / prompts)))
    lengths: Mapping[str, int] = {"long": answer, "short": max(1, answer // 4)}
    for phase, why in (("long", ""), ("short", '"cut sharply" (§2.4)')):
        chosen.put(f"rl.{phase}.prompts", prompts)
        chosen.put(f"rl.{phase}.max_tokens", lengths[phase], why)
        chosen.put(f"rl.{phase}.learning_rate", rates.reinforced, rates.so if phase == "long" else "")
    chosen.put("rl.long.iterations", iterations, "each problem four times; about 150 at most, as figure 5 shows")
    chosen.put("rl.short.iterations", max(4, iterations // 4))
    chosen.put("rollout.segment_tokens", max(1, ceil(answer / 2)), "half a response: max_staleness of them reach its limit")
    chosen.put("sample.prompts", min(320, train), "of the prompt set")
    chosen.put("sample.temperature", 1.0, "the model's own distribution")
    chosen.put("sample.max_tokens", answer)
