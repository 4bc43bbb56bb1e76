"""Runs with overrides of their own tree."""

from pathlib import Path

import pytest
from toy_repository import Toy

from flows import worktrees
from stages.run.params import ParamsError, load


def test_a_worktree_has_the_values_and_the_checkout_keeps_its_own(toy: Toy) -> None:
    tree = worktrees.enter(toy.root, "abc", {"merge.weight": 0.25})
    assert load(tree / "params.yaml").merge.weight == 0.25
    assert load(toy.root / "params.yaml").merge.weight == 0.5
    (tree / "half-done").touch()
    assert worktrees.enter(toy.root, "abc", {"merge.weight": 0.25}) == tree
    assert (tree / "half-done").exists(), "a retry must find what was done"
    worktrees.leave(toy.root, tree)
    assert not tree.exists()


def test_a_wrong_override_leaves_no_worktree(toy: Toy) -> None:
    with pytest.raises(ParamsError, match="did you mean 'seed'"):
        worktrees.enter(toy.root, "abc", {"sed": 1})
    assert list((toy.root / ".runs").iterdir()) == []


def test_outside_git_the_words_are_gits(tmp_path: Path) -> None:
    with pytest.raises(worktrees.WorktreeError, match=r"git worktree add .*not a git repository"):
        worktrees.enter(tmp_path, "abc", {})
