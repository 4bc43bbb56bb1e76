"""results/training/*.csv: the curves of a training stage; an empty cell is a value not measured at that step."""

import csv
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stages.data.files import DataError

_FAMILY = re.compile(r"validation/(.+)/accuracy")


@dataclass(frozen=True)
class Curve:
    """One CSV: steps (or iterations) in order, and the columns beside them."""

    steps: tuple[float, ...]
    columns: dict[str, tuple[float, ...]]
    """Values by column; NaN where the cell is empty. Each is as long as `steps`."""

    def points(self, *names: str) -> list[tuple[float, ...]]:
        """(step, value of each name) of every row in which all of `names` were measured; [] when a column is absent."""
        if any(name not in self.columns for name in names):
            return []
        rows = zip(self.steps, *(self.columns[name] for name in names), strict=True)
        return [row for row in rows if not any(math.isnan(value) for value in row)]


@dataclass(frozen=True)
class Validation:
    """What one suite showed at one validation point of RL."""

    iteration: int
    accuracy: float
    mean_tokens: float
    p95_tokens: float


def read_curve(path: Path, step_name: str) -> Curve:
    """The curves of `path`, whose first column must be `step_name`. DataError names file, line and column at fault."""
    if not path.exists():
        raise DataError(f"{path}: no such file; run the stage that trains it (dvc repro)")
    with path.open(newline="", encoding="utf-8") as file:
        lines = list(csv.reader(file))
    if not lines or step_name not in lines[0]:
        raise DataError(f"{path}:1: no column {step_name!r}, found {lines[0] if lines else 'an empty file'}; train again")
    header, rows = lines[0], lines[1:]
    for number, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise DataError(f"{path}:{number}: {len(row)} cells, the header has {len(header)}; train again")
    columns = {
        name: tuple(_number(path, number, name, row[place]) for number, row in enumerate(rows, 2))
        for place, name in enumerate(header)
    }
    return Curve(columns.pop(step_name), columns)


def validation_suites(curve: Curve) -> dict[str, list[Validation]]:
    """Validation points of RL by suite, "total" first, then families by name; a suite without points is left out."""
    families = sorted(match[1] for name in curve.columns if (match := _FAMILY.fullmatch(name)))
    prefixes = {"total": "validation_", **{family: f"validation/{family}/" for family in families}}
    suites = {suite: _validation(curve, prefix) for suite, prefix in prefixes.items()}
    return {suite: points for suite, points in suites.items() if points}


def _validation(curve: Curve, prefix: str) -> list[Validation]:
    names: Sequence[str] = [prefix + name for name in ("accuracy", "mean_tokens", "p95_tokens")]
    return [Validation(int(step), *values) for step, *values in curve.points(*names)]


def _number(path: Path, line: int, column: str, cell: str) -> float:
    if not cell.strip():
        return math.nan
    try:
        return float(cell)
    except ValueError:
        raise DataError(f"{path}:{line}: column {column!r}: expected a number, found {cell!r}; train again") from None
