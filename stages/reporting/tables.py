"""Tables as data: cells with their interval, reason and marks; Markdown, CSV and HTML show the same ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from stages.reporting.evaluations import Score

SCORE_FACTS = (
    "ci95_low",
    "ci95_high",
    "stderr",
    "mean_tokens",
    "p95_tokens",
    "n",
    "k",
    "truncated",
    "unparsed",
    "errors",
    "excluded",
    "stand_in",
)
"""Interval and error in percent, shares of the responses, how many questions could not be asked."""


@dataclass(frozen=True)
class Cell:
    """One number of a table, or the reason why there is none."""

    value: float | None
    """Percent or points; None for an empty cell."""
    text: str = ""
    """How the number reads."""
    detail: tuple[str, ...] = ()
    """What stands under it: interval, tokens, n and k, in words."""
    reason: str = ""
    """Why the cell is empty."""
    best: bool = False
    """Whether it is printed bold."""
    mark: str = ""
    """A sign beside the number; a note of the table explains it."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """Further values of the cell by name, for the CSV; {} for published numbers and empty cells."""


@dataclass(frozen=True)
class Head:
    """A column: its name and the group above it."""

    name: str
    group: str
    size: str = ""
    """Weights of the model; the report gives none of its own."""
    measured: bool = True
    """Whether this code measured it, rather than the report giving it."""


@dataclass(frozen=True)
class Line:
    """A row: what it measures, and its cells."""

    block: str
    label: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """A finished table."""

    name: str
    title: str
    caption: str
    first: str
    """Heading of the first column."""
    heads: tuple[Head, ...]
    lines: tuple[Line, ...]
    facts: tuple[str, ...]
    """Names of the further values of its cells."""
    notes: tuple[str, ...] = ()


def head(name: str, group: str, parameters: int | None) -> Head:
    """The head of a column that this code measured."""
    return Head(name, group, "" if parameters is None else f"{size(parameters)} weights")


def size(parameters: int) -> str:
    """Number of weights, short: 870 k, 2.9 M, 72 B."""
    for unit, name in ((10**9, "B"), (10**6, "M"), (10**3, "k")):
        if parameters >= unit:
            return f"{parameters / unit:.3g} {name}"
    return str(parameters)


def scored(score: Score) -> Cell:
    """A score with its interval, tokens, n and k."""
    detail = (interval(score), f"{score.mean_tokens:.0f} tokens", f"n={score.n:,}, k={score.k}")
    return Cell(100 * score.accuracy, f"{100 * score.accuracy:.1f}", detail, facts=_facts(score))


def interval(score: Score) -> str:
    """The 95% interval in percent."""
    low, high = (100 * bound for bound in score.ci95)
    return f"[{low:.1f}, {high:.1f}]" if known_interval(score) else "no interval"


def known_interval(score: Score) -> bool:
    """False for a score without one: a rating from a single contest."""
    return score.ci95 != (0.0, 1.0)


def mark_best(cells: Sequence[Cell]) -> tuple[Cell, ...]:
    """Mark the highest printed number, ties included; a row whose numbers are all the same has no best."""
    printed = {float(cell.text) for cell in cells if cell.value is not None}
    top = max(printed) if len(printed) > 1 else None
    return tuple(replace(cell, best=cell.value is not None and float(cell.text) == top) for cell in cells)


def _facts(score: Score) -> dict[str, str]:
    """The values of SCORE_FACTS."""
    values = (
        *(f"{100 * bound:.2f}" for bound in score.ci95),
        "" if score.stderr is None else f"{100 * score.stderr:.2f}",
        f"{score.mean_tokens:.1f}",
        f"{score.p95_tokens:.1f}",
        str(score.n),
        str(score.k),
        f"{score.truncated:.4f}",
        f"{score.unparsed:.4f}",
        f"{score.errors:.4f}",
        str(len(score.excluded)),
        str(int(score.stand_in)),
    )
    return dict(zip(SCORE_FACTS, values, strict=True))
