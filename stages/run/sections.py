"""What a section of params.yaml is, and the sections of RL (partial rollouts, variants of the loss, limits of its health),
of the report and of long2short."""

from enum import Enum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from stages.run.secrets import has_password

Limits = Annotated[list[float | None], Field(min_length=2, max_length=2)]
"""[warn, stop]; null is no limit."""

SetLimit = Literal[
    "mean_pass_rate", "question_characters", "median_question_characters", "largest_domain_share", "picture_share",
    "picture_pixels", "picture_aspect", "template_loss",
]  # fmt: skip
"""What curate.limits may bound (stages/data/suites.py)."""

WarmUpLimit = Literal["response_characters", "median_response_characters", "mean_behaviours", "picture_share"]

BenchmarkName = Literal[
    "mmlu", "ifeval", "cluewsc", "ceval", "humaneval_mul", "livecodebench",
    "codeforces", "aime2024", "math500", "mmmu", "mathvision", "mathvista",
]  # fmt: skip


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Outside(Enum):
    """Marks a field of a section that decides no result: what a stage computes is not made anew when it changes."""

    ROOM = "memory, speed and safety only"
    GRAPH = "which stages there are"


def deciding(section: Section) -> dict[str, Any]:
    """The values of `section` that results depend on, by dotted name: all but those that are `Outside`."""
    found: dict[str, Any] = {}
    for name in deciding_names(type(section)):
        value: Any = section
        for part in name.split("."):
            value = getattr(value, part)
        found[name] = value.model_dump() if isinstance(value, Section) else value
    return found


def deciding_names(kind: type[Section]) -> list[str]:
    """The dotted names of `deciding`; of a section within that has such fields, too, the names below it."""
    found = []
    for name, field in kind.model_fields.items():
        inner = field.annotation
        if any(isinstance(mark, Outside) for mark in field.metadata):
            continue
        if isinstance(inner, type) and issubclass(inner, Section) and not whole(inner):
            found += [f"{name}.{below}" for below in deciding_names(inner)]
        else:
            found.append(name)
    return found


def whole(kind: type[Section]) -> bool:
    """Whether every field of a section decides results."""
    return len(deciding_names(kind)) == len(kind.model_fields) and all("." not in name for name in deciding_names(kind))


class VLLM(Section):
    tensor_parallel: int = Field(ge=1)
    memory_share: Annotated[float, Outside.ROOM] = Field(gt=0, lt=1)


def _without_password(address: str) -> str:
    if has_password(address):
        raise ValueError("no user, password or key in an address (DVC writes it into dvc.lock); put it into OPENAI_API_KEY")
    return address


Address = Annotated[str, AfterValidator(_without_password)]
"""Of an OpenAI-compatible server."""


class Judging(Section):
    endpoint: Address | None
    """Address of an OpenAI-compatible server; None: `model` is a checkpoint folder that is asked here."""
    model: str | None
    """None: no judge."""


class Repeats(Section):
    max_period: int = Field(ge=1)
    repeats: int = Field(ge=2)
    min_tokens: int = Field(ge=2)
    distinct: int = Field(ge=1)
    plain_tokens: int = Field(ge=2)


class Rollouts(Section):
    segment_tokens: int | None = Field(ge=1)
    max_staleness: int = Field(ge=1)
    mask_stale: bool
    repeat_penalty: float = Field(ge=0)
    repetition: Repeats | None


class Loss(Section):
    variants: list[Literal["log_partition", "length_normalised", "token_level", "rest", "keep_optimizer"]]
    """Departures from the report's loss and its optimizer, described in stages/policy; [] is the report's."""
    drop_negatives: float = Field(ge=0, le=1)

    @model_validator(mode="after")
    def together(self) -> "Loss":
        """ReST has a loss of its own: what changes the baseline or the tau term does not go with it."""
        if "rest" in self.variants and (others := {"log_partition", "token_level"} & {*self.variants}):
            raise ValueError(f"variants: rest has neither baseline nor tau term, {', '.join(sorted(others))} would change nothing")
        return self


REPORT = Loss(variants=[], drop_negatives=0.0)
"""The loss as the report has it."""


class Health(Section):
    mismatch_kl: Annotated[Limits, Outside.ROOM]
    ratio_p99: Annotated[Limits, Outside.ROOM]
    entropy_share: Annotated[Limits, Outside.ROOM]
    """Of the first iteration's entropy; the same for the next one."""
    length_share: Annotated[Limits, Outside.ROOM]
    reward_errors: Annotated[Limits, Outside.ROOM]
    truncated: Annotated[Limits, Outside.ROOM]
    zero_signal: Annotated[Limits, Outside.ROOM]
    grad_norm: Annotated[Limits, Outside.ROOM]
    bad_steps: Annotated[int, Outside.ROOM] = Field(ge=0)
    """Optimizer steps in a row that are left out because loss or gradient is not finite."""


class Report(Section):
    columns: str


class Merge(Section):
    weight: float = Field(ge=0, le=1)


class Draw(Section):
    prompts: int = Field(ge=1)
    samples: int = Field(ge=1)
    temperature: float = Field(gt=0)
    max_tokens: int = Field(ge=1)
    min_length_ratio: float = Field(ge=1)


class DPO(Section):
    beta: float = Field(gt=0)
    nll_weight: float = Field(ge=0)
    pairs_per_problem: int = Field(ge=1)
    min_length_ratio: float = Field(ge=1)
    epochs: int = Field(ge=1)
    batch: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    warmup: float = Field(ge=0, lt=1)
