"""The only door to DVC's Python interface: the graph of dvc.yaml, what changed in it, what a stage reads and writes."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


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


def dvc_command(*words: str) -> list[str]:
    """`dvc ...` under this very Python."""
    return [sys.executable, "-m", "dvc", *words]


def nodes(root: Path, targets: Sequence[str] = ()) -> list[Node]:
    """All stages, or `targets` (`sft` is each `sft@...`) with what they need; upstream first, else as in dvc.yaml."""
    import networkx

    with _opened(root) as repo:
        order = {stage.name: place for place, stage in enumerate(repo.index.stages) if stage.cmd}
        graph = networkx.DiGraph()
        graph.add_nodes_from(order)
        graph.add_edges_from((up.name, down.name) for down, up in repo.index.graph.edges if down.cmd and up.cmd)
    wanted = set(order)
    if targets:
        chosen = [name for target in targets for name in _matching(target, order)]
        wanted = set(chosen).union(*(networkx.ancestors(graph, name) for name in chosen))
    ordered = networkx.lexicographical_topological_sort(graph, key=order.__getitem__)
    return [Node(name, tuple(sorted(graph.predecessors(name)))) for name in ordered if name in wanted]


def _matching(target: str, known: Mapping[str, int]) -> list[str]:
    found = [name for name in known if name == target or name.startswith(f"{target}@")]
    if not found:
        raise GraphError(f"no stage {target!r} in dvc.yaml; there are: {', '.join(known)}")
    return found


def changes(root: Path, names: Sequence[str]) -> dict[str, str]:
    """The stages among `names` that `dvc repro` would run or restore now, each with DVC's reason."""
    found: dict[str, str] = {}
    with _opened(root) as repo, repo.lock:
        for stage in repo.index.stages:
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


def facts(root: Path, names: Sequence[str]) -> dict[str, Facts]:
    """What the stages read and write, their files hashed by DVC. Raises GraphError when one does not exist."""
    with _opened(root) as repo:
        known = {stage.name: stage for stage in repo.index.stages if stage.cmd}
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
    return Facts(params, tuple(written), hashlib.sha256(key.encode()).hexdigest())


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
    try:
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=True)
        state = subprocess.run(
            ["git", "status", "--porcelain", "--untracked-files=no"],
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "", False
    return head.stdout.strip(), bool(state.stdout.strip())


@contextmanager
def _opened(root: Path) -> Iterator[Any]:
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(str(root)) as repo:
            yield repo
    except DvcException as error:
        raise GraphError(f"dvc: {error}") from error
