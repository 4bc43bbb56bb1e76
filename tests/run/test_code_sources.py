"""The code of a stage: found by the names in its modules, whole, and no more than what can be loaded."""

from pathlib import Path

import pytest
from imports import PROJECT, closure

from stages.run.sources import ROOT, code_of, listed

PROGRAMS = ["base", "sft", "rl", "dpo", "curate", "warm_up", "sample", "evaluate", "code_tests", "reward_model"]
"""Stages with resumable state."""


@pytest.mark.parametrize("program", PROGRAMS)
def test_all_that_a_stage_can_load_is_its_code(program: str) -> None:
    """As Python's own reading of the modules finds it."""
    needed = {path.relative_to("stages").as_posix() for path in closure(Path(f"stages/{program}.py"))}
    found = code_of(program)
    assert needed <= set(found)
    assert len([name for name in found if name.endswith(".py")]) <= len(needed) + 3
    assert not any("reporting/" in name for name in found)
    assert all((ROOT / name).read_bytes() == content for name, content in found.items())


def test_every_stage_with_state_is_looked_at() -> None:
    users = [path for path in PROJECT.glob("stages/**/*.py") if "state_folder(" in path.read_text(encoding="utf-8")]
    names = {path.relative_to(PROJECT / "stages").as_posix() for path in users} - {"run/state.py", "study/workspace.py"}
    assert names == {name for program in PROGRAMS for name in code_of(program) if name in names}


def test_tables_beside_the_modules_count() -> None:
    assert {"benchmarks/codeforces_percentiles.json", "verifiers/sentence_parameters.txt"} <= set(code_of("evaluate"))


def test_a_study_runs_every_stage() -> None:
    assert {"rl.py", "evaluate.py", "study/steps.py", "training/engine.py"} <= set(code_of("study"))


def test_a_name_without_a_program_is_refused() -> None:
    with pytest.raises(ValueError, match="stages/nothing: no program"):
        code_of("nothing")


def test_few_names_are_shown() -> None:
    assert listed(["a.py", "b.py"]) == "stages/a.py, stages/b.py"
    assert listed([f"{number}.py" for number in range(7)]).endswith("stages/4.py and 2 more")
