"""results/evaluations/<checkpoint>.json, typed: what `evaluate` measured, read with errors that say what to run."""

import json
from collections.abc import Collection, Hashable, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, TypeAdapter, ValidationError

from stages.data.files import DataError

M = TypeVar("M")

CHECKPOINTS: Mapping[str, str] = {
    "base": "base",
    "short_sft": "short SFT",
    "long_sft": "long SFT",
    "long_rl": "long RL",
    "merged": "merged",
    "merged_rs": "merged + RS",
    "shortest": "shortest RS",
    "dpo": "DPO",
    "short_rl": "short RL",
}
"""Name of every checkpoint and how tables and figures call it, in the order of the recipe."""

LONG2SHORT = ("merged", "shortest", "dpo", "short_rl")
"""The four methods of §2.4."""

POOLED = ("overall", "text", "image")
"""Suites that pool others."""


class Excluded(BaseModel):
    """A question that could not be asked; it counts as wrong."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    reason: str


class Score(BaseModel):
    """The score of one checkpoint on one suite."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    accuracy: float = Field(ge=0, le=1)
    ci95: tuple[float, float]
    """Bounds of the 95% interval of `accuracy`, 0 to 1."""
    mean_tokens: float = Field(ge=0)
    p95_tokens: float = Field(ge=0)
    n: int = Field(ge=1)
    """Problems."""
    k: int = Field(ge=1)
    """Responses to each problem."""
    truncated: float = Field(ge=0, le=1)
    """Share of responses cut at the limit."""
    unparsed: float = Field(ge=0, le=1)
    """Share of responses in which no answer was found."""
    errors: float = Field(ge=0, le=1)
    """Share of responses that the verifier could not decide."""
    stderr: float | None = None
    """Standard error of `accuracy`, clustered by problem; None where it is not known."""
    pass_at: dict[str, float] = {}
    """Unbiased pass@k by k."""
    excluded: list[Excluded] = []
    stand_in: bool
    """True for suites that stand in for a benchmark; never beside published numbers."""


class Decoding(BaseModel):
    """How the responses to a benchmark were drawn."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    temperature: float
    top_p: float
    max_tokens: int


class Data(BaseModel):
    """What was read of a benchmark."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    hub_id: str
    pinned: str | None = None
    """Commit that the registry pins; None: it pins none."""
    revision: str | None
    """Commit that was downloaded; None: it is not known."""
    as_checked: bool | None = None
    """Whether the files are byte for byte those that the code was checked with; None: their hash is not recorded."""
    origin: str
    files: list[str]
    sha256: str | None


class Benchmark(Score):
    """The score on a real benchmark, and how it came about: None is what the file does not say."""

    title: str
    metric: str
    limited: bool
    """True when only a part of the items was run."""
    part: str | None = None
    """Which part, and why."""
    prompt: str | None = None
    """Whose prompt it was."""
    shots: int | None = None
    split: str | None = None
    extraction: str | None = None
    rule: str | None = None
    differs: dict[str, str] = {}
    """What the rule does otherwise than named rules of published scores, by their names."""
    scorer: dict[str, str] = {}
    """Code and libraries that scored, with their versions."""
    data: Data | None = None
    decoding: Decoding | None = None


class Missing(BaseModel):
    """A benchmark that was not run."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    missing: str
    """Why there is no score."""


def _kind(value: Any) -> str:
    return "missing" if isinstance(value, Missing) or (isinstance(value, dict) and "missing" in value) else "scored"


BenchmarkResult = Annotated[Annotated[Benchmark, Tag("scored")] | Annotated[Missing, Tag("missing")], Discriminator(_kind)]


class Evaluation(BaseModel):
    """One file of results/evaluations."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    checkpoint: str
    settings: dict[str, Any]
    """How responses were drawn and judged."""
    model: str | None = None
    """What the run started from (stages.models.origin); None in results of earlier versions."""
    parameters: int = Field(ge=1)
    """Weights of the model."""
    suites: dict[str, Score]
    not_asked: dict[str, str] = {}
    """Suites without a score, or of which a part was asked, and why: a text-only model is shown no pictures."""
    benchmarks: dict[str, BenchmarkResult]

    @property
    def overall(self) -> Score:
        """The pooled score over all suites."""
        return self.suites["overall"]


def read_evaluations(folder: Path, wanted: Collection[str] = tuple(CHECKPOINTS)) -> dict[str, Evaluation]:
    """The evaluations of the `wanted` checkpoints, in the order of CHECKPOINTS. The files of the other ones of CHECKPOINTS are of
    other runs, and left alone. Raises DataError, with file and field at fault, and for a checkpoint or a file that no table has."""
    if unknown := sorted({*wanted} - {*CHECKPOINTS}):
        raise DataError(
            f"evaluate.checkpoints: {', '.join(unknown)}: no table of the report has it, expected {', '.join(CHECKPOINTS)}; "
            "add its title to CHECKPOINTS in stages/reporting/evaluations.py"
        )
    if stray := sorted(path.name for path in folder.glob("*.json") if path.stem not in CHECKPOINTS):
        raise DataError(
            f"{folder / stray[0]}: no table of the report has a checkpoint {Path(stray[0]).stem!r}, expected "
            f"{', '.join(CHECKPOINTS)}; move it away, or add its title to CHECKPOINTS in stages/reporting/evaluations.py"
        )
    return {name: read_evaluation(folder / f"{name}.json", name) for name in CHECKPOINTS if name in wanted}


def read_evaluation(path: Path, name: str) -> Evaluation:
    """The evaluation of checkpoint `name`. DataError names the file and the field at fault."""
    found = read_json(path, f"dvc repro evaluate@{name}")
    evaluation = validated(Evaluation, found, path, f"run `dvc repro --force evaluate@{name}`")
    if evaluation.checkpoint != name:
        raise DataError(f"{path}: holds checkpoint {evaluation.checkpoint!r}, expected {name!r}; evaluate it again")
    if "overall" not in evaluation.suites:
        raise DataError(f"{path}: suites: no 'overall', found {', '.join(evaluation.suites) or 'none'}; evaluate it again")
    return evaluation


def validated(kind: type[M], value: object, where: object, remedy: str) -> M:
    """`value` as a `kind`. DataError names `where`, the field at fault, what is wrong with it, and the remedy."""
    try:
        found: M = _reader(cast(Hashable, kind)).validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "file"
        raise DataError(f"{where}: {field}: {first['msg']}; {remedy}") from error
    return found


@cache
def _reader(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def read_json(path: Path, remedy: str) -> Any:
    """The JSON value in `path`. DataError when it is absent or broken, with the command that makes it."""
    if not path.exists():
        raise DataError(f"{path}: no such file; run `{remedy}`")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path}: not JSON ({error}); run `{remedy}` again") from error
