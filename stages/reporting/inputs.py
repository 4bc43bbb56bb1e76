"""The other inputs of the report: funnels, timings and raw generations, typed."""

import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from stages.data.files import rows_of
from stages.reporting.evaluations import read_json, validated

SHOWN = 4000
"""Characters of a response that the report may show."""


class _Input(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Example(_Input):
    id: str
    reason: str


class FunnelStep(_Input):
    """One rule of a funnel and how many rows it removed."""

    rule: str
    before: int = Field(ge=0)
    removed: int
    """Negative where a step adds rows."""
    after: int = Field(ge=0)
    examples: list[Example] = []


class Change(_Input):
    """How many problems had a tag's value."""

    before: int = Field(ge=0)
    after: int = Field(ge=0)


class Contamination(_Input):
    """What prompts were compared with, and those that were found there."""

    benchmarks: list[str]
    texts: int
    hits: list[Example] = []
    """The first hundred."""


class Difficulty(_Input):
    """What the short model's answers to a family's prompts came to."""

    problems: int
    pass_rate: float
    """Mean share of right answers."""


class Funnel(_Input):
    """funnel.json of collect, curate or warm_up; only curate's has more than steps."""

    steps: list[FunnelStep]
    mix: dict[str, dict[str, Change]] = {}
    """Tag -> value -> problems before and after."""
    balance: dict[str, dict[str, float]] = {}
    """Tag -> evenness "before" and "after"."""
    tagging: dict[str, int] = {}
    """Problems whose rows named no domain, and by what they were tagged."""
    decontamination: Contamination | None = None
    difficulty: dict[str, Difficulty] = {}
    """By family."""


Shared = Annotated[str, AfterValidator(sys.intern)]
"""Text that many responses have: one copy is held."""


@dataclass(frozen=True, slots=True)
class Generation:
    """One response of artifacts/generations/<checkpoint>.jsonl, small in memory: a run may have 10^6."""

    suite: Shared
    id: Shared
    question: Shared
    image: Shared | None
    """Path of the picture, relative to the project's root."""
    gold: Shared
    text: Annotated[str, BeforeValidator(lambda text: text[: SHOWN + 1] if isinstance(text, str) else text)]
    """The first SHOWN characters, and one more where there are more."""
    tokens: int
    outcome: Shared
    """"right", "wrong" or "error"."""
    finish: Shared
    """"stop", "length", or "excluded" for a question that could not be asked."""
    reason: Shared = ""
    """Why the verifier decided so, or why the question could not be asked."""


class _Timing(_Input):
    stage: str
    seconds: float


def read_funnel(path: Path, stage: str) -> Funnel:
    """The funnel of `stage`. DataError names file and field."""
    return validated(Funnel, read_json(path, f"dvc repro {stage}"), path, f"run `dvc repro --force {stage}`")


def read_seconds(folder: Path, evaluated: Collection[str]) -> dict[str, float]:
    """Seconds by stage; {} when the folder is absent (timings are no content, DVC does not keep them). Those of an evaluation that
    is not among the `evaluated` checkpoints are of another run."""
    timings = [
        validated(_Timing, read_json(path, "dvc repro"), path, "delete it, run `dvc repro`")
        for path in sorted(folder.glob("*.json"))
    ]
    stale = [one.stage for one in timings if one.stage.startswith("evaluate@") and one.stage[9:] not in evaluated]
    return {timing.stage: timing.seconds for timing in timings if timing.stage not in stale}


def read_generations(folder: Path, checkpoints: Sequence[str]) -> dict[str, list[Generation]]:
    """Raw responses by checkpoint, in file order. DataError names file, line and field."""
    found = {}
    for name in checkpoints:
        path, remedy = folder / f"{name}.jsonl", f"run `dvc repro --force evaluate@{name}`"
        found[name] = [validated(Generation, row, f"{path}:{number}", remedy) for number, (_, row) in enumerate(rows_of(path), 1)]
    return found
