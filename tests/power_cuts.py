"""What a disk may hold after a power cut: file operations are recorded while a program runs, and
replayed as a disk without mercy may have kept them.

Only what was fsynced is certain: a file's content by fsync of the file, its name by fsync of the
folder. Of all else any part may be there: files empty, half, as zeros or whole, renames and new
names lost, deletions early. What was appended to a file on the disk takes nothing of it away."""

import itertools
import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

CALLS = ("fsync", "replace", "rename", "unlink", "rmdir", "mkdir")
Tree = dict[str, bytes | None]
"""{path: content, None for a folder}."""
Change = tuple[int, str, int | None]
"""(folder, name, what it names from now on)."""


@dataclass(frozen=True)
class Cut:
    """One possible disk."""

    call: str
    returned: Any
    """What the program had said to be done before."""
    tree: Tree

    def put(self, folder: Path) -> None:
        """Write it into a folder that is not there yet."""
        folder.mkdir()
        for name, content in self.tree.items():
            if content is None:
                (folder / name).mkdir()
            else:
                (folder / name).write_bytes(content)


@dataclass
class Recorder:
    """Follows a folder, whose content at the beginning is on the disk."""

    root: Path
    variants: int
    """Random disks after each call, beside those with nothing, with all, and with the deletions alone of what is not certain."""
    seed: int
    returned: Any = None
    cuts: list[Cut] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.numbers, self.chance = itertools.count(1), random.Random(self.seed)
        self.entries: dict[int, dict[str, int]] = {0: {}}
        self.content: dict[int, bytes] = {}
        self.stamps: dict[int, tuple[int, int]] = {}
        self.pending: list[list[Change]] = []
        self.seen: set[Any] = set()
        self._look(self.root, 0)
        self.pending = []
        self.sure = {folder: dict(names) for folder, names in self.entries.items()}
        self.synced = dict(self.content)

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Watch the calls of this process."""
        with pytest.MonkeyPatch.context() as patch:
            for name in CALLS:
                patch.setattr(os, name, self._watched(name, getattr(os, name)))
            yield

    def _watched(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*words: Any, **options: Any) -> Any:
            self._look(self.root, 0)
            self._cut(f"before {name}")
            target = os.readlink(f"/proc/self/fd/{words[0]}") if name == "fsync" else ""
            result = real(*words, **options)
            if name == "fsync":
                self._sync(Path(target))
            elif name in ("replace", "rename"):
                self._move(Path(words[0]), Path(words[1]))
            self._look(self.root, 0)
            self._cut(name)
            return result

        return call

    def _look(self, folder: Path, number: int) -> None:
        """Find what was made, written and removed since the last look."""
        names = self.entries[number]
        found = {entry.name: entry for entry in os.scandir(folder)}
        for gone in names.keys() - found.keys():
            self._change((number, gone, None))
        for name, entry in sorted(found.items()):
            if name not in names:
                new = next(self.numbers)
                if entry.is_dir():
                    self.entries[new] = {}
                self._change((number, name, new))
            child = names[name]
            if entry.is_dir():
                self._look(folder / name, child)
                continue
            facts = os.stat(folder / name)
            stamp = (facts.st_mtime_ns, facts.st_size)
            if self.stamps.get(child) != stamp:
                self.stamps[child], self.content[child] = stamp, (folder / name).read_bytes()

    def _change(self, *changes: Change) -> None:
        self.pending.append(list(changes))
        _apply(self.entries, changes)

    def _number(self, path: Path) -> int | None:
        """What a path names; None outside the folder."""
        if not path.absolute().is_relative_to(self.root):
            return None
        number = 0
        for part in path.absolute().relative_to(self.root).parts:
            number = self.entries[number][part]
        return number

    def _sync(self, path: Path) -> None:
        number = self._number(path)
        if number is None:
            return
        if number in self.content:
            self.synced[number] = self.content[number]
            return
        done = [changes for changes in self.pending if any(folder == number for folder, _, _ in changes)]
        self.pending = [changes for changes in self.pending if changes not in done]
        for changes in done:
            _apply(self.sure, changes)

    def _move(self, source: Path, target: Path) -> None:
        number, old, new = self._number(source), self._number(source.parent), self._number(target.parent)
        if number is not None and old is not None and new is not None:
            self._change((old, source.name, None), (new, target.name, number))

    def _cut(self, call: str) -> None:
        deletions = [changes for changes in self.pending if all(what is None for _, _, what in changes)]
        some = [[changes for changes in self.pending if self.chance.random() < 0.5] for _ in range(self.variants)]
        for place, kept in enumerate([[], self.pending, deletions, *some]):
            chosen = {number: self._content(number, place) for number in self.content}
            folders = {folder: dict(names) for folder, names in self.sure.items()}
            for changes in kept:
                _apply(folders, changes)
            tree = dict(_walk(folders, chosen, self.entries))
            look = (self.returned, *((name, hash(content)) for name, content in tree.items()))
            if look not in self.seen:
                self.seen.add(look)
                self.cuts.append(Cut(call, self.returned, tree))

    def _content(self, number: int, place: int) -> bytes:
        now, then = self.content[number], self.synced.get(number, b"")
        if now == then or place == 1:
            return now
        sure = then if now.startswith(then) else b""
        rest = now[len(sure) :]
        parts = [b"", rest[: len(rest) // 2], b"\0" * len(rest), rest]
        return then if place == 0 else self.chance.choice([then, *(sure + part for part in parts)])


def _apply(entries: dict[int, dict[str, int]], changes: Any) -> None:
    for folder, name, number in changes:
        names = entries.setdefault(folder, {})
        if number is None:
            names.pop(name, None)
        else:
            names[name] = number


def _walk(
    folders: dict[int, dict[str, int]], content: dict[int, bytes], kinds: dict[int, Any], number: int = 0, above: str = ""
) -> Iterator[tuple[str, bytes | None]]:
    for name, child in sorted(folders.get(number, {}).items()):
        yield above + name, None if child in kinds else content[child]
        if child in kinds:
            yield from _walk(folders, content, kinds, child, f"{above}{name}/")
