"""The README says the truth: commands, values, paths, formats and map are those of the code, results the committed ones."""

import importlib.util
import re
import shlex
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from dvc.cli.parser import get_main_parser
from dvc.repo import Repo
from imports import PROJECT

from flows import k15, overrides
from flows.graph import flat
from stages.benchmarks.registry import BENCHMARKS
from stages.problems.jsonl import FIELDS
from stages.problems.procedural import FAMILIES
from stages.problems.sources import LOADERS
from stages.reporting import readme
from stages.reporting.published import published
from stages.run.collecting import Source
from stages.run.params import Params

README = (PROJECT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (PROJECT / "Makefile").read_text(encoding="utf-8")
PARAMS = yaml.safe_load((PROJECT / "params.yaml").read_text(encoding="utf-8"))
PROSE = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
CODE = re.findall(r"`([^`\n]+)`", PROSE)


def fences(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


COMMANDS = [words for fence in fences("sh") for line in fence.splitlines() if (words := shlex.split(line, comments=True))]
COMMANDS += [shlex.split(code) for code in CODE if code.startswith(("make ", "dvc ", "python ", "git "))]


@cache
def stages() -> dict[str, list[str]]:
    """Declared outputs of each stage."""
    with Repo(str(PROJECT)) as repo:
        return {stage.name: [out.def_path for out in stage.outs] for stage in repo.index.stages if stage.path_in_repo == "dvc.yaml"}


def are_stages(names: list[str]) -> None:
    for name in names:
        assert any(known == name or known.startswith(f"{name}@") for known in stages()), f"no stage {name} in dvc.yaml"


def make(words: list[str], params: Path) -> None:
    target, values = words[0], dict(word.split("=", 1) for word in words[1:])
    assert re.search(rf"^{target}:", MAKEFILE, flags=re.MULTILINE), f"Makefile has no target {target}"
    for name in values:
        assert f"$({name})" in MAKEFILE, f"Makefile does not use {name}"
    given = [name for name in values.get("PRESET", "").split(",") if name and not written_before(name)]
    overrides.apply(overrides.chosen(",".join(given) or None, None, values.get("SET", "").split()), params)
    are_stages(values.get("TARGETS", "").split())


def written_before(preset: str) -> bool:
    """Whether a preset is a file, which a command `k15 init` of the page then writes."""
    if not preset.endswith(".yaml"):
        return False
    assert any(words[:2] == ["k15", "init"] and words[words.index("--out") + 1] == preset for words in COMMANDS), preset
    return True


def dvc(words: list[str], params: Path) -> None:
    """DVC's own parser accepts it, and the values are ours."""
    found = get_main_parser().parse_args(words)
    overrides.apply(overrides.parse(getattr(found, "set_param", None) or []), params)
    if words[0] in ("repro", "exp"):
        are_stages(getattr(found, "targets", None) or [])


def python(words: list[str], _params: Path) -> None:
    assert words[0] == "-m", f"python {words[0]}"
    assert importlib.util.find_spec(words[1]), f"no module {words[1]}"


def git(words: list[str], _params: Path) -> None:
    assert words[0] == "checkout"
    assert all(path in tracked() for path in words[1:])


def activate(words: list[str], _params: Path) -> None:
    folder, rest = words[0].split("/", 1)
    assert re.search(rf"^VENV +\?= {re.escape(folder)}$", MAKEFILE, flags=re.MULTILINE)
    assert rest == "bin/activate"


def benchmarks(words: list[str], _params: Path) -> None:
    """Its own parser accepts it; benchmarks and rule exist."""
    found = k15.parser().parse_args(words)
    if found.command == "score":
        assert found.rule is None or found.rule in BENCHMARKS[found.benchmark].rules
    elif found.command == "generate":
        assert found.benchmarks == "all" or set(found.benchmarks.split(",")) <= set(BENCHMARKS)


PROGRAMS = {"k15": benchmarks, "make": make, "dvc": dvc, "python": python, "git": git, ".": activate}


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_each_command_is_known(words: list[str], tmp_path: Path) -> None:
    shutil.copy(PROJECT / "params.yaml", tmp_path)
    while re.match(r"\w+=", words[0]):
        assert known_variable(words[0].partition("=")[0])
        words = words[1:]
    assert words[0] in PROGRAMS, words[0]
    PROGRAMS[words[0]](words[1:], tmp_path / "params.yaml")


@cache
def tracked() -> list[str]:
    done = subprocess.run(["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def known_variable(name: str) -> bool:
    code = [PROJECT / path for path in tracked() if re.match(r"(flows|stages)/.*\.py$", path)]
    return any(re.search(rf"\b{name}\b", path.read_text(encoding="utf-8")) for path in code)


def test_each_path_exists_or_is_made_by_a_stage() -> None:
    known = [*tracked(), *(out for outs in stages().values() for out in outs)]
    tops = tuple(f"{top}/" for top in ("stages", "flows", "tests", "results", "artifacts"))
    named = [code for code in CODE if code.startswith(tops) or re.fullmatch(r"[\w.-]+\.(yaml|toml|md|txt)|LICENSE|Makefile", code)]
    assert named
    lost = [path for path in named if not any(_meets(path.rstrip("/"), other) for other in known)]
    assert lost == []


def _meets(path: str, known: str) -> bool:
    """One is the other, or lies below it."""
    return path == known or known.startswith(f"{path}/") or path.startswith(f"{known}/")


def test_each_parameter_exists() -> None:
    leaves = set(flat(PARAMS))
    named = {code.partition("=")[0] for code in CODE if re.match(rf"({'|'.join(PARAMS)})\.\w", code)}
    assert named
    assert named - leaves == set()


def test_each_variable_and_module_is_the_codes() -> None:
    assert [code for code in CODE if re.fullmatch(r"[A-Z0-9]+(_[A-Z0-9]+)+", code) and not known_variable(code)] == []


def test_the_example_of_sources_is_valid() -> None:
    (example,) = fences("yaml")
    found = yaml.safe_load(example)
    merged = {**PARAMS, **{section: {**PARAMS[section], **values} for section, values in found.items()}}
    assert [source.kind for source in Params.model_validate(merged).collect.sources] == ["jsonl"]


def rows(header: str) -> list[list[str]]:
    """Cells of the table whose first line begins with `header`."""
    lines = README.splitlines()
    (start,) = [number for number, line in enumerate(lines) if line.startswith(f"| {header} |")]
    cells: list[list[str]] = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        cells.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return cells


def quoted(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def test_kinds_families_and_fields_of_sources_are_all_named() -> None:
    table = rows("kind")
    assert (
        {kind for row in table for kind in quoted(row[0])} == set(get_args(Source.model_fields["kind"].annotation)) == set(LOADERS)
    )
    named = {kind: row[1] for row in table for kind in quoted(row[0])}
    assert tuple(re.findall(r"\w+", named["procedural"].partition("families ")[2])) == FAMILIES
    assert set(re.findall(r"\w+", named["jsonl"])) >= set(FIELDS)


def test_the_files_of_the_preset_are_those_that_it_reads() -> None:
    named = {path for row in rows("under `path`") for path in quoted(row[0])}
    preset: dict[str, Any] = overrides.preset("real-data")
    assert {path for path in named if path.startswith("train/")} == {
        f"train/{source['path']}" for source in preset["collect.sources"]
    }
    for name in preset["evaluate.benchmarks"]:
        assert any(f"bench/{name}/{file}" in named for file in BENCHMARKS[name].files), name
    assert len([path for path in named if path.startswith("bench/")]) == len(preset["evaluate.benchmarks"])
    assert f"runs {preset['evaluate.limit']} items" in README


def test_the_map_lists_exactly_the_stages_and_folders() -> None:
    files = {str(path.relative_to(PROJECT)) for path in (PROJECT / "stages").glob("*.py")} - {"stages/__init__.py"}
    assert sorted(quoted(row[0])[0] for row in rows("stage")) == sorted(files)
    folders = {str(path.parent.relative_to(PROJECT)) for path in (PROJECT / "stages").glob("*/__init__.py")}
    assert sorted(quoted(row[0])[0] for row in rows("folder")) == sorted(folders | {"flows", "tests"})


def test_all_twelve_benchmarks_are_there() -> None:
    names = {row.benchmark for number in (2, 3) for row in published().table(number).rows}
    assert len(names) == 12
    assert names == set(BENCHMARKS)


def test_it_is_short() -> None:
    assert len(README.splitlines()) <= 250, "further pages belong into docs"


def test_the_results_are_the_committed_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    block = README.partition(readme.START)[2].partition(readme.END)[0]
    if "results/report/summary.json" not in tracked():
        assert block == "", "results in the README, but no results/report/summary.json in git"
        pytest.skip("results/report is not committed yet")
    monkeypatch.chdir(PROJECT)
    assert block == readme.block(Path("results")), "run: python -m stages.reporting.readme"
    assert [path for path in re.findall(r"\]\((results/[^)]*)\)", block) if path not in tracked()] == []


def test_the_page_of_another_run_is_made_of_its_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)
    folder = Path("results/smollm2")
    assert readme.own_page(folder) == (folder / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)]*)\)", readme.own_page(folder))
    assert links
    assert [link for link in links if not (folder / link).is_file()] == []
