"""The door to DVC's Python interface: the graph of dvc.yaml, what changed in it, what a stage reads and writes."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


def dvc_command(*words: str) -> list[str]:
    """`dvc ...` under this very Python."""
    return [sys.executable, "-m", "dvc", *words]


def nodes(root: Path, targets: Sequence[str] = ()) -> list[Node]:
    """All stages, or `targets` (`sft` is each `sft@...`) with what they need; upstream first, else as in dvc.yaml."""
    import networkx

    with opened(root) as repo:
        stages = stages_of(repo)
        order = {stage.name: place for place, stage in enumerate(stages)}
        graph = networkx.DiGraph()
        graph.add_nodes_from(order)
        graph.add_edges_from((up.name, down.name) for down, up in repo.index.graph.edges if {down, up} <= {*stages})
    chosen = [name for target in targets for name in _matching(target, order)]
    wanted = set(chosen).union(*(networkx.ancestors(graph, name) for name in chosen)) if targets else set(order)
    ordered = networkx.lexicographical_topological_sort(graph, key=order.__getitem__)
    return [Node(name, tuple(sorted(graph.predecessors(name)))) for name in ordered if name in wanted]


def mend(root: Path) -> None:
    """Remove DVC's list of who reads and writes what (.dvc/tmp/rwlock) where a DVC that was killed left it half written: DVC would
    run no stage any more. That is done under DVC's own lock for the list, so that nobody is writing it. GraphError when the lock
    cannot be had."""
    folder = root / ".dvc/tmp"
    if _readable(folder / "rwlock"):
        return
    from dvc.lock import LockError, make_lock

    try:
        with make_lock(str(folder / "rwlock.lock"), tmp_dir=str(folder)):
            if not _readable(folder / "rwlock"):
                (folder / "rwlock").unlink()
    except LockError as error:
        raise GraphError(f"dvc: {error}") from error


def _readable(path: Path) -> bool:
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return True
    except ValueError:
        return False
    return True


def stages_of(repo: Any) -> list[Any]:
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
    mend(root)
    with opened(root) as repo, repo.lock:
        for stage in stages_of(repo):
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
    with opened(root) as repo:
        known = {stage.name: stage for stage in stages_of(repo)}
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
    models = tuple(Path(out.fs_path) for out in _models(stage))
    return Facts(params, tuple(written), hashlib.sha256(key.encode()).hexdigest(), inputs, models)


def digests(root: Path, name: str) -> dict[str, str]:
    """DVC's hash of each checkpoint of a stage as it lies there now, by its folder's name. DVC keeps them in its state, so that its
    own commit need not hash again. Raises GraphError where there is no such stage."""
    with opened(root) as repo:
        return {Path(out.fs_path).name: str(out.get_hash().value) for out in _models(_stage(repo, name))}


def lend_hashes(root: Path, name: str) -> None:
    """Let DVC know the hashes of a checkpoint that a stage handed on: its files are hard links to those of another one, which DVC
    has hashed. Weights of any size cost nothing then. GraphError where there is no such stage."""
    with opened(root) as repo:
        for out in _models(_stage(repo, name)):
            own = Path(out.fs_path)
            others = (file for folder in own.parent.glob("*") if folder != own for file in folder.rglob("*") if file.is_file())
            known = {file.stat().st_ino: file for file in others}
            for file in own.rglob("*"):
                source = known.get(file.stat().st_ino)
                if source and (found := repo.state.get(str(source), out.fs)[1]):
                    repo.state.save(str(file), out.fs, found)


def _stage(repo: Any, name: str) -> Any:
    for stage in stages_of(repo):
        if stage.name == name:
            return stage
    raise GraphError(f"no stage {name!r} in dvc.yaml")


def _models(stage: Any) -> list[Any]:
    return [out for out in stage.outs if out.def_path.startswith(MODELS)]


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
        return subprocess.run(
            ["git", *words], cwd=root, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        return git("rev-parse", "HEAD"), bool(git("status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.CalledProcessError):
        return "", False


@contextmanager
def opened(root: Path) -> Iterator[Any]:
    """DVC's own view of the repository; what DVC says against it becomes a GraphError."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(str(root)) as repo:
            yield repo
    except DvcException as error:
        raise GraphError(f"dvc.lock is not whole ({error}): {CUT}" if "dvc.lock" in str(error) else f"dvc: {error}") from error
