"""dvc.yaml says the truth: each stage declares exactly the parameters and the code that its program reads.

Stages that are off by default are looked at as their presets switch them on."""

import ast
import re
import shutil
import tempfile
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from dvc.repo import Repo
from imports import PROJECT, closure

from flows import overrides
from flows.graph import flat
from stages.run.params import Params
from stages.run.phases import FEEDS, PHASES
from stages.run.sections import Outside, Section, deciding_names, whole

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


def section_at(key: str) -> type[Section] | None:
    """The section of params.yaml at a dotted key; None where there is a value."""
    kind: Any = Params
    for name in key.split("."):
        field = kind.model_fields.get(name) if isinstance(kind, type) and issubclass(kind, Section) else None
        kinds = [] if field is None else [field.annotation, *get_args(field.annotation)]
        kind = next((one for one in kinds if isinstance(one, type) and issubclass(one, Section)), None)
    return kind


def marks(key: str) -> list[Any]:
    """What is noted at the field of a dotted key."""
    *sections, last = key.split(".")
    kind = section_at(".".join(sections)) if sections else Params
    return kind.model_fields[last].metadata if kind and last in kind.model_fields else []


def deciding_keys(key: str, stage: str = "") -> set[str]:
    """What a stage that reads `key` must declare: of a section with values of memory and speed those that decide results."""
    kind = section_at(key)
    if kind is not None and not whole(kind):
        return {f"{key}.{name}" for name in deciding_names(kind)}
    by_batch = key == "hardware.generation_batch" and stage.startswith("evaluate@")  # what is drawn together shares a stream
    return set() if Outside.ROOM in marks(key) and not by_batch else {key}


def read_params(stage: str) -> set[str]:
    """What a stage's program reads and results depend on."""
    return {found for key in read_keys(stage) for found in deciding_keys(key, stage)}


def nodes_of(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse((PROJECT / path).read_text(encoding="utf-8"))))


def work_of(path: Path) -> list[Path]:
    """Modules that a stage program imports within its main, when there is something to do."""
    mains = [node for node in nodes_of(path) if isinstance(node, ast.FunctionDef) and node.name == "main"]
    found = [node.module for node in ast.walk(mains[0]) if isinstance(node, ast.ImportFrom)] if mains else []
    return [Path(*str(module).split(".")).with_suffix(".py") for module in found]


def read_keys(stage: str) -> set[str]:
    """Keys of the `read(...)` calls of the stage's program and of the module that its main imports
    to do the work; what an f-string leaves open is the item: sft@long -> long."""
    item = stage.partition("@")[2]
    keys = set()
    for node in chain.from_iterable(map(nodes_of, [program(stage), *work_of(program(stage))])):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("read", "read_or_null")):
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


ITEMS = {**VALUES, "evaluate": PARAMS["evaluate"]["checkpoints"]}
ALL = [f"{name}@{item}" for name, body in RAW.items() if "foreach" in body for item in ITEMS.get(name) or body["foreach"]]
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
        if reruns != reads or not (reads or Outside.ROOM in marks(leaf)):
            wrong[leaf] = (sorted(reruns), sorted(reads))
    assert wrong == {}, "(stages that rerun, stages that read)"


def test_the_values_of_hardware_that_decide_no_result() -> None:
    """They may be changed after an out-of-memory error, and the stage goes on; only evaluate draws by the batch."""
    hardware = section_at("hardware")
    assert hardware is not None
    free = {key for key in flat(PARAMS["hardware"], "hardware.") if Outside.ROOM in marks(key)}
    assert free >= {f"hardware.{name}" for name in ("generation_batch", "workers", "vllm.memory_share", "save_seconds")}
    assert free | deciding_keys("hardware") == set(flat(PARAMS["hardware"], "hardware."))
    assert not free & deciding_keys("hardware")
    rerun = {stage: declared_params(stage) & free for stage in ALL if declared_params(stage) & free}
    assert rerun == {stage: {"hardware.generation_batch"} for stage in ALL if stage.startswith("evaluate@")}


def test_the_phases_are_those_of_the_graph() -> None:
    """Which checkpoint a phase starts from, which section it has, and who learns from what a stage makes."""
    models = {}
    for stage in ALL:
        made = [out.def_path for out in stages()[stage].outs if out.def_path.startswith("artifacts/models/")]
        models |= {Path(path).name: stage for path in made}
    assert set(models) == {"base", *PHASES}
    for name, phase in PHASES.items():
        stage = models[name]
        assert phase.section == stage.replace("@", "."), name
        read = {dep.def_path for dep in stages()[stage].deps}
        assert f"artifacts/models/{phase.start}" in read, name
    for feeder, sections in FEEDS.items():
        made = {out.def_path for out in stages()[feeder].outs if out.def_path.startswith("artifacts/")}
        learn = {stage for stage in ALL for dep in stages()[stage].deps if any(_made(dep.def_path, {out}) for out in made)}
        assert {stage.replace("@", ".") for stage in learn if stage.split("@")[0] not in OPTIONAL} == {*sections}, feeder


def test_the_report_comes_after_everything_whose_files_lie_in_its_folders() -> None:
    """A dependency on a folder makes an edge to each stage that writes a file there."""
    with Repo(str(PROJECT)) as repo:
        edges = {(down.name, up.name) for down, up in repo.index.graph.edges if down.path_in_repo == "dvc.yaml"}
    before = {up for down, up in edges if down == "report"}
    curves = {stage for stage in ALL if stage.split("@")[0] in ("base", "sft", "rl", "dpo")}
    assert before == curves | {stage for stage in ALL if stage.startswith("evaluate@")} | {"phases", "collect", "curate", "warm_up"}


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
    work = {module for name in ALL for module in work_of(program(name))}
    if path.parent == Path("stages") or path in {Path("stages/run/params.py"), *work}:
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
    return any(Path(path).is_relative_to(out) or Path(out).is_relative_to(path) for out in made)
