"""params.yaml, typed: one frozen model; an unknown key is an error that names the nearest known one.

A stage asks for exactly the parts that dvc.yaml lists as its params: `read("rl.long", RL)`."""

import re
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import Field, TypeAdapter, ValidationError, model_validator

from stages.models.registry_package import is_package, problem_of
from stages.run.collecting import Collect
from stages.run.evaluating import Evaluate
from stages.run.explaining import explained, nearest
from stages.run.optional import CodeTests, RewardModelling, WarmUp
from stages.run.phases import PHASES, because, same_as
from stages.run.sections import (
    DPO,
    VLLM,
    Draw,
    Health,
    Judging,
    Limits,
    Loss,
    Merge,
    Outside,
    Report,
    Rollouts,
    Section,
    SetLimit,
)

T = TypeVar("T")
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


class ParamsError(ValueError):
    """params.yaml cannot be used; the message names the key, what was found and what was expected."""


class Hardware(Section):
    processes: int = Field(ge=1)
    device: Literal["auto", "cpu", "cuda"]
    zero_stage: Literal[0, 1, 2, 3]
    dtype: Literal["auto", "float32", "bfloat16"]
    gradient_checkpointing: Annotated[bool, Outside.ROOM]
    micro_batch_tokens: Annotated[int, Outside.ROOM] = Field(ge=32)
    generation_batch: Annotated[int, Outside.ROOM] = Field(ge=1)
    engine: Literal["transformers", "vllm"]
    vllm: VLLM
    workers: Annotated[int, Outside.ROOM] = Field(ge=1)
    save_seconds: Annotated[float, Outside.ROOM] = Field(ge=0)


class Model(Section):
    source: str = Field(min_length=1)
    revision: str | None
    context: int = Field(ge=64)
    instruction: str
    system: str | None
    thinking: bool | None
    chat_template: str | None

    @model_validator(mode="after")
    def own_template(self) -> "Model":
        """The tiny model brings its template with its tokenizer."""
        if self.source == "scratch" and (self.chat_template is not None or self.thinking is not None):
            raise ValueError(
                "source scratch has a chat template of its own, without thinking; set chat_template and thinking to null"
            )
        return self

    @model_validator(mode="after")
    def pinned(self) -> "Model":
        """A hub id (owner/name that is no folder here) needs the commit that pins it, a package its file's SHA-256."""
        if is_package(self.source):
            if problem := problem_of(self.source, self.revision):
                raise ValueError(problem)
        elif (
            self.revision is None and self.source != "scratch" and not Path(self.source).is_dir() and _HUB_ID.fullmatch(self.source)
        ):
            raise ValueError(
                f"source {self.source!r} is no folder here, and a hub id needs the commit that pins it; "
                "correct the path, or set model.revision"
            )
        return self


class Base(Section):
    hidden: int = Field(ge=16)
    layers: int = Field(ge=1)
    heads: int = Field(ge=1)
    vocabulary: int = Field(ge=300)
    initializer_range: float = Field(gt=0)
    examples: int = Field(ge=1)
    epochs: int = Field(ge=1)
    batch: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    muon_learning_rate: float | None = Field(gt=0)
    warmup: float = Field(ge=0, lt=1)


class SFT(Section):
    epochs: int = Field(ge=1)
    batch: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    final_learning_rate: float = Field(ge=0)
    warmup: float = Field(ge=0, lt=1)
    schedule: Literal["cosine", "linear", "constant", "wsd"]


class Curate(Section):
    samples: int = Field(ge=1)
    temperature: float = Field(gt=0)
    max_tokens: int | None = Field(ge=1)
    trivial_pass_rate: float = Field(ge=0, le=1)
    keep_trivial: float = Field(ge=0, le=1)
    guesses: int = Field(ge=0)
    guess_probe: float = Field(ge=0, le=1)
    weights: dict[str, Annotated[float, Field(ge=0)]]
    min_rows: int = Field(ge=1)
    max_dropped_share: float = Field(ge=0, le=1)
    limits: dict[SetLimit, Limits]


class RL(Section):
    iterations: int = Field(ge=1)
    prompts: int = Field(ge=1)
    samples: int = Field(ge=2)
    max_tokens: int = Field(ge=1)
    temperature: float = Field(gt=0)
    tau: float = Field(gt=0)
    passes: int = Field(ge=1)
    mini_batch: int = Field(ge=1)
    train_zero_signal: bool
    learning_rate: float = Field(gt=0)
    warmup_steps: int = Field(ge=0)
    grad_clip: float = Field(gt=0)
    length_weight: float = Field(ge=0)
    length_from: int = Field(ge=0)
    curriculum_until: int = Field(ge=0)
    hard_pass_rate: float = Field(ge=0, le=1)
    prioritized: bool
    image_share: float | None = Field(ge=0, le=1)
    validate_every: int = Field(ge=1)
    candidates: int = Field(ge=0)


class SFTPhases(Section):
    short: SFT | None
    long: SFT | None
    shortest: SFT | None
    merged_rs: SFT | None


class RLPhases(Section):
    long: RL | None
    short: RL | None


class Params(Section):
    """The whole of params.yaml."""

    seed: int = Field(ge=0)
    hardware: Hardware
    model: Model
    collect: Collect
    base: Base
    sft: SFTPhases
    curate: Curate
    warm_up: WarmUp
    rl: RLPhases
    rollout: Rollouts
    judge: Judging
    loss: Loss
    health: Health
    merge: Merge | None
    sample: Draw
    dpo: DPO | None
    evaluate: Evaluate
    report: Report
    reward_model: dict[str, RewardModelling]
    code_tests: dict[str, CodeTests]
    """Both: each item of an optional stage; {}: the stage is off."""

    @property
    def null(self) -> list[str]:
        """The sections of phases that are left out."""
        return [phase.section for phase in PHASES.values() if attrgetter(phase.section)(self) is None]

    @model_validator(mode="after")
    def evaluated(self) -> "Params":
        """A checkpoint that is another one has its score there: that one must be evaluated."""
        listed, null = self.evaluate.checkpoints, self.null
        for name in listed:
            if (origin := same_as(name, null)) not in listed:
                raise ValueError(f"evaluate.checkpoints: {name} is {origin} here ({because(name, null)}); list {origin} instead")
        return self


def load(path: Path = Path("params.yaml")) -> Params:
    """The validated parameters. Raises ParamsError with every problem, one a line."""
    if not path.exists():
        raise ParamsError(f"{path}: no such file in {Path.cwd()}; run from the project's root")
    try:
        return parsed(yaml.safe_load(path.read_text(encoding="utf-8")), path)
    except yaml.YAMLError as error:
        raise ParamsError(f"{path}: not YAML: {error}") from error


def parsed(tree: Any, path: Path = Path("params.yaml")) -> Params:
    """The validated parameters of a nested `tree` that was read from `path`. Raises ParamsError as `load`."""
    try:
        return Params.model_validate(tree)
    except ValidationError as error:
        raise ParamsError("\n".join(explained(path, problem, Params) for problem in error.errors())) from None


def read(key: str, kind: type[T], path: Path = Path("params.yaml")) -> T:
    """The part of params.yaml at the dotted `key`, which must be a `kind`. The whole file is validated first."""
    value: Any = load(path)
    for name in key.split("."):
        known = list(value if isinstance(value, dict) else type(value).model_fields)
        if name not in known:
            raise ParamsError(f"{path}: no parameter {key!r}{nearest(name, known)}")
        value = value[name] if isinstance(value, dict) else getattr(value, name)
    return TypeAdapter(kind).validate_python(value)


def read_or_null(key: str, kind: type[T], path: Path = Path("params.yaml")) -> T | None:
    """As `read`, for a section that may be null."""
    return None if read(key, object, path) is None else read(key, kind, path)
