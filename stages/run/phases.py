"""The phases that params.yaml may leave out: a section that is null hands on the checkpoint that its phase starts from."""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.data.files import DataError, write_json, write_text

HANDED_ON = "passed_through.json"
"""In a checkpoint's folder: it is another one, as it was; which, and why."""


@dataclass(frozen=True)
class Phase:
    """What makes a checkpoint."""

    section: str
    """Dotted name of its values in params.yaml; null leaves it out."""
    start: str
    """The checkpoint that it starts from."""


PHASES: Mapping[str, Phase] = {
    "short_sft": Phase("sft.short", "base"),
    "long_sft": Phase("sft.long", "short_sft"),
    "long_rl": Phase("rl.long", "long_sft"),
    "merged": Phase("merge", "long_rl"),
    "merged_rs": Phase("sft.merged_rs", "merged"),
    "shortest": Phase("sft.shortest", "long_rl"),
    "dpo": Phase("dpo", "long_rl"),
    "short_rl": Phase("rl.short", "long_rl"),
}
"""By checkpoint, in the order of the recipe."""

FEEDS: Mapping[str, Sequence[str]] = {
    "warm_up": ("sft.long",),
    "sample@long": ("sft.shortest", "dpo"),
    "sample@merged": ("sft.merged_rs",),
}
"""Stages whose output only these phases learn from."""


def passed_through(null: Sequence[str]) -> dict[str, dict[str, str]]:
    """The checkpoints that are another one where the sections `null` are left out: which one, and because of what."""
    return {name: {"same_as": same_as(name, null), "because": because(name, null)} for name in PHASES if is_passed(name, null)}


def idle_stages(null: Sequence[str]) -> dict[str, str | None]:
    """Of each stage of FEEDS why it has nothing to do; None where it has."""
    return {stage: _are_null(sections) if {*sections} <= {*null} else None for stage, sections in FEEDS.items()}


def write_phases(folder: Path, null: Sequence[str]) -> None:
    """What the stage phases hands over: checkpoints.json for the report, and a file for each stage that may have nothing to do, so
    that one stage does not run again for another one's sake."""
    write_json(folder / "checkpoints.json", {"passed_through": passed_through(null)})
    for stage, reason in idle_stages(null).items():
        write_json(folder / f"{stage.replace('@', '_')}.json", {"idle": reason})


def is_passed(checkpoint: str, null: Sequence[str]) -> bool:
    """Whether the phase of a checkpoint is left out."""
    return checkpoint in PHASES and PHASES[checkpoint].section in null


def same_as(checkpoint: str, null: Sequence[str]) -> str:
    """The checkpoint that was trained, or copied, and handed on under this name."""
    while is_passed(checkpoint, null):
        checkpoint = PHASES[checkpoint].start
    return checkpoint


def because(checkpoint: str, null: Sequence[str]) -> str:
    """Why a checkpoint is another one: the sections on the way to it that are null."""
    sections = []
    while is_passed(checkpoint, null):
        sections.append(PHASES[checkpoint].section)
        checkpoint = PHASES[checkpoint].start
    return _are_null(sections[::-1])


def _are_null(sections: Sequence[str]) -> str:
    return f"{' and '.join(sections)} {'is' if len(sections) == 1 else 'are'} null"


def idle(file: Path | None) -> str | None:
    """Why a stage has nothing to do, as its file of `write_phases` says; None when it has, or there is no file. DataError when that
    cannot be read."""
    if file is None:
        return None
    try:
        found = json.loads(file.read_text(encoding="utf-8"))["idle"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{file}: not what the stage phases writes ({error}); run `dvc repro phases`") from error
    return None if found is None else str(found)


def hand_on(start: Path, out: Path, section: str, curves: Path | None = None, columns: str = "step,loss") -> None:
    """The checkpoint folder `start` becomes `out`: the same files by hard links (copies where the file system has none), a note,
    and curves without a point. Rank 0 calls it. DataError when there is no checkpoint."""
    if not (start / "config.json").is_file():
        raise DataError(f"{start}: no checkpoint to hand on ({section} is null)")
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(start, out, copy_function=_linked)
    before = handed_on(start)
    reason = [*(before["null"] if before else []), section]
    (out / HANDED_ON).unlink(missing_ok=True)
    write_json(out / HANDED_ON, {"same_as": before["same_as"] if before else start.name, "null": reason})
    if curves is not None:
        write_text(curves, f"{columns}\n")
    print(f"{section} is null: {out} is {start}, as it was")


def handed_on(folder: Path) -> dict[str, Any] | None:
    """What the note in a checkpoint's folder says: {"same_as": checkpoint, "null": sections}; None where it was made, not handed
    on."""
    note = folder / HANDED_ON
    return json.loads(note.read_text(encoding="utf-8")) if note.exists() else None


def clear(out: Path) -> None:
    """Before a phase writes its checkpoint: away with one that was handed on, whose files are those of another folder."""
    if (out / HANDED_ON).exists():
        shutil.rmtree(out)


def _linked(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
