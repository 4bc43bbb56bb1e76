"""dvc.yaml says the truth: each stage declares exactly the parameters and the code that its program reads.

Stages that are off by default are looked at as their presets switch them on."""

import ast
import re
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.repo import Repo
from imports import PROJECT, closure

from flows import overrides
from flows.graph import flat

RAW = yaml.safe_load((PROJECT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
OPTIONAL = {"code_tests": "code-tests", "reward_model": "reward-model"}
"""Stages that are off by default, and the presets that switch them on."""
VALUES = {name: value for preset in OPTIONAL.values() for name, value in overrides.preset(preset).items()}
PARAMS = {**yaml.safe_load((PROJECT / "params.yaml").read_text(encoding="utf-8")), **VALUES}


@cache
def stages() -> dict[str, Any]:
    """Of a folder that holds dvc.yaml and the parameters with all optional stages on."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("dvc.yaml", "params.yaml"):
            shutil.copy(PROJECT / name, folder)
        overrides.apply(VALUES, Path(folder) / "params.yaml")
        with Repo(folder, uninitialized=True) as repo:
            return {stage.name: stage for stage in repo.index.stages}


def program(stage: str) -> Path:
    return Path(f"stages/{stage.split('@')[0]}.py")


def declared_params(stage: str) -> set[str]:
    return {key for dependency in stages()[stage].params for key in dependency.params}


def read_params(stage: str) -> set[str]:
    """Keys of the `read(...)` calls of the stage's program; what an f-string leaves open is the item: sft@long -> long."""
    item = stage.partition("@")[2]
    keys = set()
    for node in ast.walk(ast.parse((PROJECT / program(stage)).read_text(encoding="utf-8"))):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "read"):
            continue
        key = node.args[0]
        parts = key.values if isinstance(key, ast.JoinedStr) else [key]
        for part in parts:
            assert isinstance(part, ast.Constant | ast.FormattedValue), f"{program(stage)}: read() takes a literal key"
        keys.add("".join(str(part.value) if isinstance(part, ast.Constant) else item for part in parts))
    return keys


def present(stage: str) -> None:
    if not (PROJECT / program(stage)).exists():
        pytest.fail(f"{program(stage)} does not exist yet")


ALL = [f"{name}@{item}" for name, body in RAW.items() if "foreach" in body for item in VALUES.get(name) or body["foreach"]]
ALL += [name for name, body in RAW.items() if "foreach" not in body]


def test_the_list_of_stages_is_dvcs() -> None:
    assert sorted(ALL) == sorted(stages())


def test_optional_stages_are_off_by_default() -> None:
    with Repo(str(PROJECT)) as repo:
        found = {stage.name for stage in repo.index.stages if stage.path_in_repo == "dvc.yaml"}
    assert found == {name for name in ALL if name.split("@")[0] not in OPTIONAL}


@pytest.mark.parametrize("stage", ALL)
def test_a_stage_declares_the_parameters_that_it_reads(stage: str) -> None:
    present(stage)
    assert declared_params(stage) == read_params(stage)


def _covers(key: str, leaf: str) -> bool:
    return leaf == key or leaf.startswith(f"{key}.")


def test_a_changed_parameter_reruns_exactly_the_stages_that_read_it() -> None:
    wrong = {}
    for stage in ALL:
        present(stage)
    for leaf in flat(PARAMS):
        reruns = {stage for stage in ALL if any(_covers(key, leaf) for key in declared_params(stage))}
        reads = {stage for stage in ALL if any(_covers(key, leaf) for key in read_params(stage))}
        if reruns != reads or not reads:
            wrong[leaf] = (sorted(reruns), sorted(reads))
    assert wrong == {}, "(stages that rerun, stages that read)"


@pytest.mark.parametrize("name", RAW)
def test_a_value_that_is_filled_into_a_command_is_a_declared_parameter(name: str) -> None:
    """`${x}` in cmd or deps changes the stage whether or not x is declared: what reruns must be what reads."""
    body = RAW[name].get("do", RAW[name])
    used = set(re.findall(r"\$\{([\w.]+)\}", yaml.safe_dump({key: body[key] for key in ("cmd", "deps")})))
    used = {key for key in used if key.split(".")[0] not in ("item", "key")}
    known = {re.sub(r"\$\{\w+\}", "*", key) for key in body.get("params", [])}
    assert [key for key in used if not any(_covers(declared, key) for declared in known)] == []


@pytest.mark.parametrize("name", RAW)
def test_the_command_runs_the_stages_own_program(name: str) -> None:
    body = RAW[name].get("do", RAW[name])
    expected = rf"python -m flows\.stage {name}(@\$\{{\w+\}})? (--processes \S+ )?-- stages\.{name}( |$)"
    assert re.match(expected, " ".join(body["cmd"].split())), body["cmd"]


def code(stage: str) -> set[Path]:
    """Declared dependencies that are code: under stages/, and no folder of data that a parameter names."""
    data = {PARAMS["collect"]["root"], PARAMS["evaluate"]["root"], PARAMS["report"]["columns"]}
    declared = {dep.def_path for dep in stages()[stage].deps if dep not in stages()[stage].params}
    return {Path(path) for path in declared if path.startswith("stages/") and path not in data}


@pytest.mark.parametrize("stage", ALL)
def test_declared_code_covers_all_that_the_program_imports(stage: str) -> None:
    present(stage)
    missing = [path for path in closure(program(stage)) if not any(path.is_relative_to(dep) for dep in code(stage))]
    assert sorted(map(str, missing)) == [], f"{stage} runs code that is none of its deps in dvc.yaml"


@pytest.mark.parametrize("stage", ALL)
def test_no_declared_code_is_unused(stage: str) -> None:
    present(stage)
    loaded = closure(program(stage))
    unused = [str(dep) for dep in code(stage) if not any(path.is_relative_to(dep) for path in loaded)]
    assert unused == [], f"{stage} reruns when code changes that it never loads"


@pytest.mark.parametrize("path", sorted(path.relative_to(PROJECT) for path in (PROJECT / "stages").rglob("*.py")), ids=str)
def test_only_stage_programs_read_parameters(path: Path) -> None:
    if path.parent == Path("stages") or path == Path("stages/run/params.py"):
        return
    for node in ast.walk(ast.parse((PROJECT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "stages.run.params":
            names = {alias.name for alias in node.names} & {"read", "load"}
            assert not names, f"{path}:{node.lineno} imports {names}: take plain values, the stage file reads them"


def test_outputs_belong_to_one_stage_and_inputs_are_made_by_one() -> None:
    made = {out.def_path for stage in stages().values() for out in stage.outs}
    read = {dep.def_path for stage in stages().values() for dep in stage.deps if dep not in stage.params}
    loose = [path for path in read if path.startswith(("artifacts/", "results/")) and not _made(path, made)]
    assert loose == []


def _made(path: str, made: set[str]) -> bool:
    return any(Path(path).is_relative_to(out) for out in made)
