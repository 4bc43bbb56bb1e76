"""Raw responses on disk, written as they come: whatever was answered is not asked again, whatever was killed goes on.

A row a response: `k15 score` reads such a file as it is."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from stages.data.files import DataError, append_lines, write_bytes
from stages.prompts.prompt import Prompt
from stages.rollout.responder import Refusal, Response

Kept = Response | Refusal
Key = tuple[str, str, int]
"""Suite, id, number of the sample."""
EXCLUDED = "excluded"
"""Finish of a question that could not be asked."""


@dataclass(frozen=True)
class Slot:
    """One response that is wanted, and what it depends on."""

    suite: str
    id: str
    sample: int
    prompt_hash: str
    settings: Mapping[str, Any]
    seed: int

    @property
    def key(self) -> Key:
        """What names it."""
        return self.suite, self.id, self.sample


@dataclass(frozen=True)
class Row:
    """One line of a file."""

    benchmark: str
    id: str
    """The benchmark's own."""
    sample: int
    """From 0 to k - 1."""
    response: str | None
    """As it came; null for a question that could not be asked."""
    reasoning_content: str | None
    """Thinking that an endpoint gives apart; it is not scored. Thinking within the response stays there."""
    finish: str
    """"stop", "length", an endpoint's own word, or "excluded" for a question that could not be asked."""
    reason: str | None
    """Why the question could not be asked."""
    prompt_tokens: int | None
    tokens: int | None
    """Of the response, thinking included."""
    seed: int
    prompt_hash: str
    settings: dict[str, Any]

    @property
    def key(self) -> Key:
        """What names it."""
        return self.benchmark, self.id, self.sample


class Journal:
    """The files of some suites; several suites may share one."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self.files = files

    def restore(self, together: Sequence[Sequence[Slot]]) -> dict[Key, Kept]:
        """What is there of the wanted responses. Slots that are drawn together count only when all of them are there.

        A torn last line is dropped. DataError where a row differs from what is wanted, or is none."""
        wanted = {slot.key: slot for group in together for slot in group}
        found: dict[Key, Kept] = {}
        for path in self._paths():
            for number, row in _rows(path):
                if row.key in wanted:
                    _same(wanted[row.key], row, f"{path}:{number}")
                    found[row.key] = _kept(row)
        partial = {slot.key for group in together if any(slot.key not in found for slot in group) for slot in group}
        self._rewrite(lambda rows: [row for row in rows if row.key not in partial])
        return {key: kept for key, kept in found.items() if key not in partial}

    def append(self, entries: Iterable[tuple[Slot, Kept]]) -> None:
        """Add responses, which are on the disk when this returns; after a kill or a power cut all
        but the end of the file is whole."""
        lines: dict[Path, str] = {}
        for slot, kept in entries:
            path = self.files[slot.suite]
            lines[path] = lines.get(path, "") + _line(_row(slot, kept))
        for path, text in lines.items():
            append_lines(path, text.encode("ascii"))

    def sort(self, slots: Iterable[Slot]) -> None:
        """The rows in the order of `slots`, others after them: equal runs give equal files, whoever answered first."""
        place = {slot.key: number for number, slot in enumerate(slots)}
        self._rewrite(lambda rows: sorted(rows, key=lambda row: place.get(row.key, len(place))))

    def _paths(self) -> list[Path]:
        return list(dict.fromkeys(self.files.values()))

    def _rewrite(self, change: Callable[[list[Row]], list[Row]]) -> None:
        for path in filter(Path.exists, self._paths()):
            content = "".join(_line(row) for row in change([row for _, row in _rows(path)])).encode("ascii")
            if content != path.read_bytes():
                write_bytes(path, content)


def prompt_hash(prompt: Prompt) -> str:
    """SHA-256 of what is asked: question, instruction, and the content of each picture."""
    parts = [prompt.question, repr(prompt.instruction), *map(_digest, prompt.images)]
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _digest(path: str) -> str:
    file = Path(path)
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else f"absent: {path}"


def _rows(path: Path) -> Iterator[tuple[int, Row]]:
    """Rows with their line numbers, without the half line that a killed writer left."""
    content = path.read_bytes() if path.exists() else b""
    for number, line in enumerate(content.split(b"\n")[:-1], 1):
        try:
            yield number, _read(json.loads(line))
        except ValueError as error:
            raise DataError(
                f"{path}:{number}: no row of `k15 generate` ({error}); delete the line, or choose another file"
            ) from None


def _read(value: Any) -> Row:
    """ValueError says what makes it no row."""
    if not isinstance(value, dict) or set(value) != {field.name for field in fields(Row)}:
        raise ValueError("its fields are others")
    row = Row(**value)
    kinds = {"id": str, "sample": int, "response": str | None, "seed": int, "prompt_hash": str, "settings": dict}
    for name, kind in kinds.items():
        if not isinstance(getattr(row, name), kind):
            raise ValueError(f"{name} is {type(getattr(row, name)).__name__}")
    return row


def _same(slot: Slot, row: Row, where: str) -> None:
    """DataError names what differs."""
    now, then = {**slot.settings, "seed": slot.seed}, {**row.settings, "seed": row.seed}
    different = [name for name in {**now, **then} if now.get(name) != then.get(name)]
    remedy = "write to another folder, or use the settings of this one"
    if different:
        name = different[0]
        raise DataError(f"{where}: {row.id!r} was drawn with {name} = {then.get(name)!r}, now it is {now.get(name)!r}; {remedy}")
    if slot.prompt_hash != row.prompt_hash:
        raise DataError(f"{where}: {row.id!r} was asked another prompt or other pictures; {remedy}")


def _row(slot: Slot, kept: Kept) -> Row:
    if isinstance(kept, Refusal):
        answer = Response("", EXCLUDED, None, None)
        text, reason = None, kept.reason
    else:
        answer, text, reason = kept, kept.text, None
    return Row(
        benchmark=slot.suite,
        id=slot.id,
        sample=slot.sample,
        response=text,
        reasoning_content=answer.reasoning,
        finish=answer.finish,
        reason=reason,
        prompt_tokens=answer.prompt_tokens,
        tokens=answer.tokens,
        seed=slot.seed,
        prompt_hash=slot.prompt_hash,
        settings=dict(slot.settings),
    )


def _kept(row: Row) -> Kept:
    if row.response is None:
        return Refusal(row.reason or "")
    return Response(row.response, row.finish, row.tokens, row.prompt_tokens, row.reasoning_content)


def _line(row: Row) -> str:
    """ASCII, so that whatever a model writes (lone surrogates too) survives."""
    return json.dumps(asdict(row)) + "\n"
