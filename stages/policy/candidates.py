"""Checkpoints of RL among which long2short RL chooses its base (§2.4: the model with "the best balance between performance and
token efficiency"). The report gives no rule; ours is the one-standard-error rule (Hastie, Tibshirani and Friedman, The Elements
of Statistical Learning, §7.10): of those whose accuracy is within one standard error of the best one's, the shortest."""

import math
import shutil
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stages.data.files import DataError, write_json
from stages.run.ranks import rank
from stages.training.engine import Engine
from stages.training.weights import save_model

FOLDER = "candidates"
"""Of a checkpoint of RL: its earlier checkpoints, each in a folder with candidate.json."""


class Candidate(BaseModel):
    """What the validation of a kept checkpoint showed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    iteration: int = Field(ge=0)
    accuracy: float = Field(ge=0, le=1)
    mean_tokens: float = Field(ge=0)
    problems: int = Field(ge=1)
    """Of the validation."""


class Candidates:
    """The last `count` validated checkpoints, beside the resumable state, until RL is done; with 0 nothing is kept."""

    def __init__(self, trainer: Engine, processor: Any, folder: Path, count: int, problems: int) -> None:
        """`problems` is their number in the validation. DataError when there is none to choose by."""
        if count and not problems:
            raise DataError(
                f"candidates = {count} of this phase of rl, and no validation problem to choose by; collect some (validation of "
                "collect.sources), or set candidates to 0"
            )
        self.trainer, self.processor = trainer, processor
        self.folder, self.count, self.problems = folder / FOLDER, count, problems

    def keep(self, iteration: int, figures: dict[str, float]) -> None:
        """Keep the policy as it is, with the figures of its validation; the oldest goes (all ranks must call)."""
        if not self.count or not figures:
            return
        where = self.folder / f"iteration-{iteration:06d}"
        save_model(self.trainer, self.processor, where)
        if rank() == 0:
            values = {"accuracy": figures["validation_accuracy"], "mean_tokens": figures["validation_mean_tokens"]}
            write_json(where / "candidate.json", {"iteration": iteration, "problems": self.problems, **values})
            for old in sorted(self.folder.glob("iteration-*"))[: -self.count]:
                shutil.rmtree(old)

    def hand_over(self, out: Path) -> None:
        """Copy what is kept into the finished checkpoint `out`."""
        if rank() == 0 and self.folder.exists():
            shutil.copytree(self.folder, out / FOLDER, dirs_exist_ok=True)


def balanced(checkpoint: Path) -> Path:
    """The checkpoint that long2short RL starts from, by the rule above: `checkpoint` itself when no candidates lie in it. Rank 0
    says which one, and why."""
    found = [(path.parent, _read(path)) for path in sorted((checkpoint / FOLDER).glob("*/candidate.json"))]
    if not found:
        return checkpoint
    best = max(one.accuracy for _, one in found)
    error = max(math.sqrt(one.accuracy * (1 - one.accuracy) / one.problems) for _, one in found if one.accuracy == best)
    folder, chosen = min(
        (pair for pair in found if pair[1].accuracy >= best - error), key=lambda pair: (pair[1].mean_tokens, -pair[1].iteration)
    )
    if rank() == 0:
        print(
            f"starts from iteration {chosen.iteration}: accuracy {chosen.accuracy:.3f} at {chosen.mean_tokens:.1f} tokens, the "
            f"shortest of {len(found)} candidates within one standard error ({error:.3f}) of the best, {best:.3f}"
        )
    return folder


def _read(path: Path) -> Candidate:
    try:
        return Candidate.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        raise DataError(f"{path}: {error.errors()[0]['msg']}; run `dvc repro --force rl@long`") from error
