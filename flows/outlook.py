"""What `dvc repro` would do with each stage, and why, before anything runs (`k15 plan`). Nothing is written."""

import contextlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from flows.graph import Node, flat, mend, opened, stages_of


@dataclass(frozen=True)
class Outlook:
    """What `dvc repro` would do with a stage, and why. "follows": an input is made anew; it runs unless that comes out equal."""

    name: str
    does: Literal["cached", "restored", "runs", "follows"]
    reason: str


def outlook(root: Path, wanted: Sequence[Node], params: Mapping[str, Any]) -> list[Outlook]:
    """What `dvc repro` would do with each of `wanted` if params.yaml held the nested values `params`. Nothing is written."""
    found: dict[str, Outlook] = {}
    templates = set(re.findall(r"\$\{([\w.]+)\}", (root / "dvc.yaml").read_text(encoding="utf-8")))
    mend(root)
    with opened(root) as repo, repo.lock:
        stages = {stage.name: stage for stage in stages_of(repo)}
        for node in wanted:
            stage, renewed = stages[node.name], [up for up in node.upstream if up in found and found[up].does != "cached"]
            reason = _difference(stage, params, made_anew=bool(renewed))
            if renewed:
                more = f" and {len(renewed) - 3} more" if len(renewed) > 3 else ""
                follows = f"an input is made anew by {', '.join(renewed[:3])}{more}"
                found[node.name] = Outlook(node.name, "runs" if reason else "follows", reason or follows)
            elif not reason:
                found[node.name] = Outlook(node.name, "cached", "nothing that it reads has changed")
            else:
                does: Literal["restored", "runs"] = "restored" if _kept(stage, params, templates) else "runs"
                found[node.name] = Outlook(node.name, does, reason)
    return list(found.values())


def _difference(stage: Any, params: Mapping[str, Any], made_anew: bool) -> str:
    """How parameters, command, inputs and outputs differ from dvc.lock; "" when they do not. With `made_anew` only the first two,
    and a stage that never ran, count: what is on the disk will be another then."""
    parts: list[str] = []
    for dependency in stage.params:
        was, now = flat(dependency.hash_info.value or {}), flat(_values(dependency, params))
        if not was:
            return "it has not run here yet"
        changed = [f"{key}: {_short(was.get(key))} -> {_short(now.get(key))}" for key in now if now[key] != was.get(key)]
        parts += changed or [f"{key} is gone" for key in was if key not in now]
    if not parts and stage.changed_stage():
        parts.append("its command or the list of what it reads and writes changed")
    if not made_anew:
        for which, entries in (("input", stage.deps), ("output", stage.outs)):
            states = {entry.def_path: entry.status() for entry in entries if entry not in stage.params}
            parts += [f"{which} {path}: {next(iter(state.values()))}" for path, state in states.items() if state]
    return "; ".join(parts[:3]) + (f"; and {len(parts) - 3} more" if len(parts) > 3 else "")


def _values(dependency: Any, params: Mapping[str, Any]) -> dict[str, Any]:
    """What a stage reads of the nested `params`, by the dotted names that dvc.yaml lists."""
    found = {}
    for key in dependency.params:
        value: Any = params
        for name in key.split("."):
            value = value[name]
        found[key] = value
    return found


def _short(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _kept(stage: Any, params: Mapping[str, Any], templates: set[str]) -> bool:
    """Whether DVC's run cache holds the outputs of this command with these inputs and values: the
    same entry as `StageCache.restore` would take, with every output still in the cache."""
    from dvc.stage.cache import _can_hash
    from dvc_data.hashfile.hash_info import HashInfo

    for dependency in stage.params:
        values: Any = _values(dependency, params)  # DVC's hash of parameters is their values
        on_disk = dependency.read_params()
        if any(flat(values).get(key) != flat(on_disk).get(key) for key in templates):
            return False  # another value in the command: what DVC resolved is not what would run
        dependency.hash_info = HashInfo(dependency.PARAM_PARAMS, values)
    if not all(dependency.exists for dependency in stage.deps):
        return False
    for dependency in stage.deps:
        if dependency not in stage.params:
            dependency.save()  # its hash, and whether it may be executed: both are part of the entry
    if not _can_hash(stage):
        return False
    runs = stage.repo.stage_cache
    entry = runs._load(stage)
    if entry is None:
        return False
    with contextlib.chdir(stage.repo.root_dir):  # DVC makes the stage of a relative path
        return bool(runs._create_stage(entry, wdir=stage.wdir).outs_cached())
