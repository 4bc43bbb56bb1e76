"""A run with overrides from Prefect's form works in a git worktree of its own: the checkout is never touched, and a
retry of the same flow run finds its half-done tree again. Its result is kept as a DVC experiment `run-<id>`."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flows import overrides
from flows.graph import dvc_command
from stages.run.params import ParamsError


class WorktreeError(RuntimeError):
    """git or dvc refused; the message carries their words."""


def enter(root: Path, run: str, values: Mapping[str, Any]) -> Path:
    """The worktree of flow run `run`: .runs/<run>, at the checkout's commit, on its cache, `values` in params.yaml."""
    tree = root / ".runs" / run
    if tree.is_dir():
        return tree
    _call(root, "git", "worktree", "add", "--quiet", "--detach", str(tree), "HEAD")
    try:
        _call(tree, *dvc_command("config", "--quiet", "--local", "cache.dir", str(root / ".dvc/cache")))
        overrides.apply(values, tree / "params.yaml")
    except (ParamsError, WorktreeError):
        leave(root, tree)
        raise
    return tree


def keep(tree: Path, run: str) -> str:
    """Save the finished worktree as the experiment that `dvc exp show` lists; returns its name."""
    name = f"run-{run[:8]}"
    _call(tree, *dvc_command("exp", "save", "--quiet", "--force", "--name", name))
    return name


def leave(root: Path, tree: Path) -> None:
    """Remove the worktree."""
    _call(root, "git", "worktree", "remove", "--force", str(tree))


def _call(folder: Path, *words: str) -> None:
    done = subprocess.run(words, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        shown = " ".join(word for word in words if word != sys.executable)
        raise WorktreeError(f"{shown}: {(done.stderr or done.stdout).strip()}")
