"""The questions of a benchmark and the files they come from."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stages.data.files import DataError, read_rows


@dataclass(frozen=True)
class Item:
    """One question of a benchmark."""

    id: str
    question: str
    """As published, without any instruction."""
    image: str | None
    """Path of the (first) picture, or None. Where an item has several, data["images"] holds all paths in order."""
    gold: str
    group: str
    """The benchmark's own subdivision: subject and level, or the competition."""
    options: tuple[str, ...] = ()
    """Texts of the options A, B, ...; () for a free answer."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """What else the benchmark's own scorer needs: instructions, tests, units."""


@dataclass(frozen=True)
class Loaded:
    """The items that are there."""

    items: list[Item]
    part: str | None
    """None when these are all items; else which part they are and why. A part stays out of tables 2 and 3."""
    files: tuple[Path, ...]
    """What was read, in any order; pictures are not among them."""


def first_file(path: Path, names: Sequence[str]) -> Path:
    """`path` when it is a file, else the first of `names` (patterns as of Path.glob) in that folder. DataError for none."""
    if path.is_file():
        return path
    for name in names:
        found = sorted(path.glob(name))
        if found:
            return found[0]
    raise DataError(f"{path}: none of {', '.join(names)} is there; put the published file there")


def folder_of(path: Path) -> Path:
    """The folder of a data file, or the folder itself."""
    return path.parent if path.is_file() else path


def read_items(path: Path, item: Callable[[Mapping[str, Any]], Item]) -> list[Item]:
    """Every row of a JSONL file through `item`. DataError names the file, the row and what is wrong with it."""
    return items_of(path, read_rows(path), item)


def items_of(
    path: Path, rows: Iterable[Mapping[str, Any]], item: Callable[[Mapping[str, Any]], Item], gold_needed: bool = True
) -> list[Item]:
    """Every row of the file at `path` through `item`. DataError names the file, the row and what is wrong with it; an empty answer
    is wrong where it is needed."""
    items = []
    for number, row in enumerate(rows, 1):
        try:
            found = item(row)
        except KeyError as error:
            raise DataError(f"{path}: row {number} has no {error}; its fields are {', '.join(row)}; fetch the file again") from None
        except ValueError as error:
            raise DataError(f"{path}: row {number}: {error}; fetch the file again") from None
        if not found.question.strip() or (gold_needed and not found.gold.strip()):
            raise DataError(f"{path}: row {number} (id {found.id!r}) has an empty question or answer; fetch the file again")
        items.append(found)
    return items
