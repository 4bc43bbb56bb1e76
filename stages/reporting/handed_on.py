"""Checkpoints that are another one, because params.yaml leaves their phase out (results/phases), and how it is told."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from stages.reporting.evaluations import CHECKPOINTS, Evaluation, read_json, validated


class HandedOn(BaseModel):
    """What a checkpoint is that no phase made."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    same_as: str
    """The checkpoint that was handed on."""
    because: str
    """"sft.short is null"."""


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    passed_through: dict[str, HandedOn]


Handed = Mapping[str, HandedOn]
"""By the name of the checkpoint; {} in a run of all phases."""


def read_handed_on(path: Path) -> dict[str, HandedOn]:
    """The checkpoints that are another one. DataError names file and field."""
    return validated(_File, read_json(path, "dvc repro phases"), path, "run `dvc repro --force phases`").passed_through


def origin(name: str, handed: Handed) -> str:
    """The checkpoint that `name` is."""
    return handed[name].same_as if name in handed else name


def told(handed: Handed) -> list[str]:
    """ "short SFT: as base (sft.short is null)", one for each."""
    return [f"{CHECKPOINTS[name]}: as {CHECKPOINTS[one.same_as]} ({one.because})" for name, one in handed.items()]


def why_absent(names: tuple[str, ...], evaluations: Mapping[str, Evaluation], handed: Handed) -> str | None:
    """Why the checkpoints `names` cannot be compared as different ones: two of them are the same, or one has no score; None where
    they can."""
    for name in names:
        if origin(name, handed) not in evaluations:
            return f"{CHECKPOINTS[origin(name, handed)]} was not evaluated"
    origins = [origin(name, handed) for name in names]
    for name, one in zip(names, origins, strict=True):
        if name in handed and origins.count(one) > 1:
            return f"{CHECKPOINTS[name]} is {CHECKPOINTS[one]} ({handed[name].because})"
    return None
