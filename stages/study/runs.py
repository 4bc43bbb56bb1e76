"""What the runs of the study measured: every held-out problem before and after RL, and the curve of the validations between."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from stages.data.files import DataError
from stages.reporting.curves import Validation, read_curve, validation_suites
from stages.reporting.inputs import Generation, read_generations
from stages.study.settings import Settings
from stages.study.steps import TRAINING

When = Literal["before", "after"]
"""Of RL: the long SFT model that it starts from, or what it ends with."""
TRUNK = "trunk"


@dataclass(frozen=True)
class Answer:
    """How one problem was answered, the mean over its samples."""

    suite: str
    right: float
    tokens: float


@dataclass(frozen=True)
class Run:
    """One variant with one seed."""

    before: Mapping[str, Answer]
    """By problem."""
    after: Mapping[str, Answer]
    curve: Mapping[str, Sequence[Validation]]
    """Validations by suite, "total" first."""

    def answers(self, when: When) -> Mapping[str, Answer]:
        return self.before if when == "before" else self.after


Runs = Mapping[str, Mapping[int, Run]]
"""By variant and seed."""


def read_runs(folder: Path, settings: Settings) -> dict[str, dict[int, Run]]:
    """All runs of the settings. DataError names the first file that is missing or broken."""
    return {variant: {seed: _read(folder / str(seed), variant) for seed in settings.seeds} for variant in settings.variants}


def _read(folder: Path, variant: str) -> Run:
    own = folder / variant / "artifacts/generations"
    before = own if (own / "long_sft.jsonl").exists() else folder / TRUNK / "artifacts/generations"
    curve = read_curve(folder / variant / TRAINING / "long_rl.csv", "iteration")
    found = _answers(before, "long_sft"), _answers(own, "long_rl")
    if found[0].keys() != found[1].keys():
        raise DataError(f"{own}: other problems than in {before}; run the study again (make study)")
    return Run(*found, validation_suites(curve))


def _answers(folder: Path, checkpoint: str) -> dict[str, Answer]:
    rows: dict[str, list[Generation]] = {}
    for row in read_generations(folder, (checkpoint,))[checkpoint]:
        rows.setdefault(f"{row.suite}/{row.id}", []).append(row)
    if not rows:
        raise DataError(f"{folder / checkpoint}.jsonl: no response; run the study again (make study)")
    return {name: _mean(found) for name, found in rows.items()}


def _mean(rows: Sequence[Generation]) -> Answer:
    right = sum(row.outcome == "right" for row in rows) / len(rows)
    return Answer(rows[0].suite, right, sum(row.tokens for row in rows) / len(rows))
