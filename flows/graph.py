"""The only door to DVC's Python interface: the graph of dvc.yaml, what changed in it, what a stage reads and writes."""

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

MODELS = "artifacts/models/"
CUT = "dvc was stopped while it wrote it; `git checkout dvc.lock`, then the same command: no finished stage runs again"


class GraphError(ValueError):
    """The graph cannot be used as asked; the message names the stage or the file."""


@dataclass(frozen=True)
class Node:
    """A stage of dvc.yaml and the stages whose outputs it reads."""

    name: str
    upstream: tuple[str, ...]


@dataclass(frozen=True)
class Facts:
    """What DVC knows of one stage."""

    params: dict[str, Any]
    """The parameters it reads, flattened to dotted names."""
    results: tuple[Path, ...]
    """Its outputs that are small and in git: metrics, plots, report."""
    key: str
    """sha256 of the command and of all that it reads: equal keys mean equal work."""
    inputs: dict[str, str]
    """DVC's hash of each file and folder that it reads."""
    models: tuple[Path, ...]
    """The checkpoints that it writes."""

    @property
    def sets(self) -> dict[str, str]:
        """The data sets among its inputs: neither code nor checkpoints."""
        return {path: value for path, value in self.inputs.items() if not path.startswith(("stages/", "flows/", MODELS))}


@dataclass(frozen=True)
class Outlook:
    """What `dvc repro` would do with a stage, and why. "follows": an input is made anew; it runs unless that comes out equal."""

    name: str
    does: Literal["cached", "restored", "runs", "follows"]
    reason: str


def dvc_command(*words: str) -> list[str]:
    """`dvc ...` under this very Python."""
    return [sys.executable, "-m", "dvc", *words]


def nodes(root: Path, targets: Sequence[str] = ()) -> list[Node]:
    """All stages, or `targets` (`sft` is each `sft@...`) with what they need; upstream first, else as in dvc.yaml."""
    import networkx

    with _opened(root) as repo:
        stages = _stages(repo)
        order = {stage.name: place for place, stage in enumerate(stages)}
        graph = networkx.DiGraph()
        graph.add_nodes_from(order)
        graph.add_edges_from((up.name, down.name) for down, up in repo.index.graph.edges if {down, up} <= {*stages})
    chosen = [name for target in targets for name in _matching(target, order)]
    wanted = set(chosen).union(*(networkx.ancestors(graph, name) for name in chosen)) if targets else set(order)
    ordered = networkx.lexicographical_topological_sort(graph, key=order.__getitem__)
    return [Node(name, tuple(sorted(graph.predecessors(name)))) for name in ordered if name in wanted]


def _stages(repo: Any) -> list[Any]:
    """The stages of the project's own dvc.yaml; study/dvc.yaml is a graph of its own."""
    return [stage for stage in repo.index.stages if stage.cmd and stage.path_in_repo == "dvc.yaml"]


def _matching(target: str, known: Mapping[str, int]) -> list[str]:
    found = [name for name in known if name == target or name.startswith(f"{target}@")]
    if not found:
        raise GraphError(f"no stage {target!r} in dvc.yaml; there are: {', '.join(known)}")
    return found


def changes(root: Path, names: Sequence[str]) -> dict[str, str]:
    """The stages among `names` that `dvc repro` would run or restore now, each with DVC's reason."""
    found: dict[str, str] = {}
    with _opened(root) as repo, repo.lock:
        for stage in _stages(repo):
            if stage.name in names and (status := stage.status()):
                found[stage.name] = _reason(next(iter(status.values())))
    return found


def _reason(status: Sequence[Any]) -> str:
    first = status[0]
    if isinstance(first, str):
        return first
    title, entries = next(iter(first.items()))
    shown = [f"{name}: {state}" if isinstance(state, str) else f"{name}: {', '.join(state)}" for name, state in entries.items()]
    return f"{title}: {'; '.join(shown[:3])}{' ...' if len(shown) > 3 else ''}"


def outlook(root: Path, wanted: Sequence[Node], params: Mapping[str, Any]) -> list[Outlook]:
    """What `dvc repro` would do with each of `wanted` if params.yaml held the nested values `params`. Nothing is written."""
    found: dict[str, Outlook] = {}
    templates = set(re.findall(r"\$\{([\w.]+)\}", (root / "dvc.yaml").read_text(encoding="utf-8")))
    with _opened(root) as repo, repo.lock:
        stages = {stage.name: stage for stage in _stages(repo)}
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
    """Whether DVC's run cache holds the outputs of this command with these inputs and values."""
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
            dependency.hash_info = dependency.get_hash()
    return stage.repo.stage_cache._load(stage) is not None


def facts(root: Path, names: Sequence[str]) -> dict[str, Facts]:
    """What the stages read and write, their files hashed by DVC. Raises GraphError when one does not exist."""
    with _opened(root) as repo:
        known = {stage.name: stage for stage in _stages(repo)}
        if missing := [name for name in names if name not in known]:
            raise GraphError(f"no stage {missing[0]!r} in dvc.yaml; there are: {', '.join(known)}")
        return {name: _facts(known[name]) for name in names}


def _facts(stage: Any) -> Facts:
    params: dict[str, Any] = {}
    for dependency in stage.params:
        params |= flat(dependency.read_params())
    inputs = {dep.def_path: _hash(dep) for dep in stage.deps if dep not in stage.params}
    written = [Path(out.fs_path) for out in stage.outs if not out.use_cache]
    key = json.dumps([stage.cmd, params, inputs], sort_keys=True, default=str)
    models = tuple(Path(out.fs_path) for out in stage.outs if out.def_path.startswith(MODELS))
    return Facts(params, tuple(written), hashlib.sha256(key.encode()).hexdigest(), inputs, models)


def digest(root: Path, stage: str, path: Path) -> str:
    """DVC's hash of an output as it lies there now. DVC keeps it in its state, so that its own commit need not hash it again."""
    with _opened(root) as repo:
        (out,) = (out for one in _stages(repo) if one.name == stage for out in one.outs if Path(out.fs_path) == path)
        return str(out.get_hash().value)


def _hash(dependency: Any) -> str:
    return str(dependency.get_hash().value) if dependency.exists else "absent"


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"a": {"b": 1}} -> {"a.b": 1}."""
    leaves: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            leaves |= flat(value, f"{prefix}{name}.")
        else:
            leaves[f"{prefix}{name}"] = value
    return leaves


def commit(root: Path) -> tuple[str, bool]:
    """Commit of the checkout and whether tracked files differ from it; ("", False) outside git."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "HEAD"), bool(git("status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.CalledProcessError):
        return "", False


@contextmanager
def _opened(root: Path) -> Iterator[Any]:
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(str(root)) as repo:
            yield repo
    except DvcException as error:
        raise GraphError(f"dvc.lock is not whole ({error}): {CUT}" if "dvc.lock" in str(error) else f"dvc: {error}") from error
