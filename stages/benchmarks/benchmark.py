"""What a benchmark is: where its published files lie, how an item is asked, how a response is judged."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from stages.data.files import DataError, read_rows
from stages.rollout.engine import Prompt
from stages.verifiers.verdict import Verdict


@dataclass(frozen=True)
class Item:
    """One question of a benchmark."""

    id: str
    question: str
    """As published, without any instruction."""
    image: str | None
    """Path of the picture, or None."""
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


Score = Callable[[Sequence[tuple[Item, str]], int, float], list[Verdict]]


@dataclass(frozen=True)
class Benchmark:
    """One row of tables 2 and 3 of the report."""

    name: str
    """Folder of its files under evaluate.root, and its key in results."""
    title: str
    """As printed in the tables."""
    metric: str
    modality: Literal["text", "image"]
    tables: tuple[int, ...]
    """Numbers of the report's tables that have this row."""
    size: int
    """Items of the whole benchmark."""
    hub_id: str
    """Data set on the hub."""
    revision: str | None
    """Commit of `hub_id`; None: no commit was pinned, so give the one that you download with --revision."""
    origin: str
    """Repository and commit of the published files that this code was checked with."""
    files: tuple[str, ...]
    """File names under <root>/<name>, of which the first that exists is read."""
    prompt_source: str
    """Whose prompt `prompt` is."""
    load: Callable[[Path], Loaded]
    """All items in a folder. DataError names the path that is missing and what to put there, or the row at fault."""
    prompt: Callable[[Item], Prompt]
    score: Score
    """Verdicts of (item, response) pairs in order, given the verifier processes and the seconds of one comparison."""

    def read(self, root: Path) -> Loaded:
        """The items under `root`. DataError as `load`, and for two items of one id."""
        folder = root / self.name
        if not any((folder / name).exists() for name in self.files):
            raise DataError(f"{folder}: {self.title} needs {' or '.join(self.files)} there; {self.how_to_get(folder)}")
        loaded = self.load(folder)
        ids = [item.id for item in loaded.items]
        if len(set(ids)) < len(ids):
            raise DataError(f"{folder}: the id {_first_twice(ids)!r} occurs twice; fetch the file again")
        if loaded.part is None and len(ids) != self.size:
            return Loaded(loaded.items, f"the file holds {len(ids)} of {self.size} items")
        return loaded

    def how_to_get(self, folder: Path) -> str:
        """The command that downloads the data set into `folder`."""
        revision = self.revision or "COMMIT"
        return f"get it by `hf download {self.hub_id} --repo-type dataset --revision {revision} --local-dir {folder}`"


def first_file(folder: Path, names: Sequence[str]) -> Path:
    """The first of `names` that exists in `folder`. DataError when none does."""
    for name in names:
        if (folder / name).exists():
            return folder / name
    raise DataError(f"{folder}: none of {', '.join(names)} is there; put the published file there")


def read_items(path: Path, item: Callable[[Mapping[str, Any]], Item]) -> list[Item]:
    """Every row of a JSONL file through `item`. DataError names the file, the row and what is wrong with it."""
    items = []
    for number, row in enumerate(read_rows(path), 1):
        try:
            found = item(row)
        except KeyError as error:
            raise DataError(f"{path}: row {number} has no {error}; its fields are {', '.join(row)}; fetch the file again") from None
        except ValueError as error:
            raise DataError(f"{path}: row {number}: {error}; fetch the file again") from None
        if not found.question.strip() or not found.gold.strip():
            raise DataError(f"{path}: row {number} (id {found.id!r}) has an empty question or answer; fetch the file again")
        items.append(found)
    return items


def _first_twice(ids: Sequence[str]) -> str:
    return next(name for index, name in enumerate(ids) if name in ids[:index])
