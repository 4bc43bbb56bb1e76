"""Columns that this code measured: those of the run, and those of other models, which the user put into a folder."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from stages.data.files import DataError
from stages.reporting.evaluations import CHECKPOINTS, BenchmarkResult, Evaluation, read_json, validated
from stages.reporting.published import published

OWN = "this run"
"""The group of our columns."""
MEASURED = "measured by this code"
"""The group of other models' columns."""

TABLES: Mapping[str, int] = {
    **dict.fromkeys(("long_sft", "long_rl"), 2),
    **dict.fromkeys(("short_sft", "merged", "merged_rs", "shortest", "dpo", "short_rl"), 3),
}
"""The table that each of our checkpoints has a column of: 2 (long-CoT) or 3 (short-CoT)."""

_PROTOCOLS = {"long": 2, "short": 3}
"""The table that a model asked by the defaults of long-CoT or short-CoT models belongs to."""
_REMEDY = "correct the file, or take it out of the folder"


@dataclass(frozen=True)
class Column:
    """A model that was evaluated by this code."""

    name: str
    group: str
    table: int | None
    """2, 3, or None for a checkpoint of neither."""
    parameters: int | None
    """Weights of the model; None where they are not known."""
    benchmarks: Mapping[str, BenchmarkResult]


class _File(BaseModel):
    """One file of the folder: what evaluate writes of a checkpoint, and the table that it belongs to."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    checkpoint: str = Field(min_length=1)
    parameters: int | None = Field(ge=1)
    table: Literal[2, 3]
    benchmarks: dict[str, BenchmarkResult]


def own_columns(evaluations: Mapping[str, Evaluation]) -> list[Column]:
    """The columns of the run, in the order of the recipe."""
    return [Column(CHECKPOINTS[name], OWN, TABLES.get(name), run.parameters, run.benchmarks) for name, run in evaluations.items()]


def read_columns(folder: Path) -> list[Column]:
    """The column of every *.json in `folder`, in the order of the file names; [] where there are none.

    A file is what `k15 generate` writes; `table` (2 or 3) beside `checkpoint` goes before the protocol in its settings.
    DataError names the file and the field at fault, and a name that another column has."""
    columns = [_read(path) for path in sorted(folder.glob("*.json"))]
    taken = dict.fromkeys(CHECKPOINTS.values(), "this run")
    taken |= {theirs.name: f"table {table.table} of the report" for table in published().tables for theirs in table.columns}
    for path, column in zip(sorted(folder.glob("*.json")), columns, strict=True):
        if column.name in taken:
            raise DataError(f"{path}: checkpoint: {taken[column.name]} has a column {column.name!r} already; give it another name")
        taken[column.name] = str(path)
    return columns


def _read(path: Path) -> Column:
    value: Any = read_json(path, "k15 generate")
    if isinstance(value, dict) and "table" not in value:
        settings = value.get("settings")
        protocol = settings.get("protocol") if isinstance(settings, dict) else None
        if protocol not in _PROTOCOLS:
            raise DataError(f'{path}: table: absent; write "table": 2 for a long-CoT model, 3 for a short-CoT one')
        value = {**value, "table": _PROTOCOLS[protocol]}
    found = validated(_File, value, path, _REMEDY)
    unknown = [name for name in found.benchmarks if not published().rows(name)]
    if unknown:
        raise DataError(f"{path}: benchmarks: {unknown[0]!r} is none of tables 2 and 3; {_REMEDY}")
    return Column(found.checkpoint, MEASURED, found.table, found.parameters, found.benchmarks)
