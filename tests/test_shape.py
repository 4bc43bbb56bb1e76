"""`ls` is the architecture, and stays so: names, sizes, docstrings, parameters."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from imports import PROJECT

from flows.graph import flat

BANNED = {"utils", "util", "common", "helpers", "helper", "misc", "manager", "base", "core", "shared", "tools"}
STAGE_NAMES = set(yaml.safe_load((PROJECT / "dvc.yaml").read_text(encoding="utf-8"))["stages"])
MODULES = sorted(path.relative_to(PROJECT) for top in ("stages", "flows") for path in (PROJECT / top).rglob("*.py"))
FOLDERS = sorted({path.parent for path in MODULES})


def source(path: Path) -> str:
    return (PROJECT / path).read_text(encoding="utf-8")


def test_each_file_in_stages_is_a_stage_of_dvc_yaml() -> None:
    assert {path.stem for path in MODULES if path.parent == Path("stages")} - {"__init__"} == STAGE_NAMES


@pytest.mark.parametrize("folder", FOLDERS, ids=str)
def test_each_folder_says_in_one_paragraph_what_it_is(folder: Path) -> None:
    """And does nothing else: importing a package has no effect."""
    tree = ast.parse(source(folder / "__init__.py"))
    text = ast.get_docstring(tree)
    assert text, f"{folder}/__init__.py has no docstring"
    assert "\n\n" not in text, f"{folder}/__init__.py: more than one paragraph"
    assert len(tree.body) == 1, f"{folder}/__init__.py holds code"


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_modules_have_a_docstring_a_telling_name_and_a_bounded_size(path: Path) -> None:
    is_stage = path.parent == Path("stages") and path.name != "__init__.py"
    assert ast.get_docstring(ast.parse(source(path))), f"{path} has no docstring"
    assert is_stage or path.stem not in BANNED, f"{path}: a name that says nothing"
    lines, limit = len(source(path).splitlines()), 120 if is_stage else 250
    assert lines <= limit, f"{path}: {lines} lines, at most {limit}"


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(source(path))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from `def` to the end, without the docstring's own."""
    first = node.body[0]
    text = first if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) else None
    docstring = (text.end_lineno or text.lineno) - text.lineno + 1 if text else 0
    return (node.end_lineno or node.lineno) - node.lineno + 1 - docstring


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_functions_are_short(path: Path) -> None:
    long = [f"{path}:{node.lineno} {node.name}: {length(node)}" for node in functions(path) if length(node) > 40]
    assert not long, f"at most 40 lines: {long}"


def test_nine_functions_in_ten_have_at_most_thirty_lines() -> None:
    sizes = sorted(length(node) for path in MODULES for node in functions(path))
    assert sizes[len(sizes) * 9 // 10] <= 30


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_nothing_is_left_unfinished_or_swallowed(path: Path) -> None:
    marks = re.findall(r"\b(?:TODO|FIXME|XXX)\b|NotImplementedError", source(path))
    assert not marks, f"{path}: {marks}"
    for node in ast.walk(ast.parse(source(path))):
        if isinstance(node, ast.ExceptHandler):
            assert node.type, f"{path}:{node.lineno}: bare except"
            broad = isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException")
            silent = all(isinstance(line, ast.Pass) for line in node.body)
            assert not (broad and silent), f"{path}:{node.lineno}: swallows every error"


def test_no_two_test_files_share_a_name() -> None:
    """pytest imports them as top-level modules: run together, the second one would not be collected."""
    names = [path.name for path in (PROJECT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))


def test_the_top_level_holds_what_the_design_says_and_nothing_else() -> None:
    import subprocess

    listed = subprocess.run(["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    tops = {name.split("/")[0] for name in listed.splitlines()}
    files = {"pyproject.toml", "README.md", "dvc.yaml", "dvc.lock", "params.yaml", "Makefile", "LICENSE"}
    files |= {"constraints.txt", "constraints-vllm.txt"}
    assert {top for top in tops if not top.startswith(".")} - files <= {"flows", "stages", "study", "tests", "results", "docs"}


def test_params_are_few_enough_to_read() -> None:
    """The phases of a stage (sft.short, sft.long ...) share their names: one name is one thing to learn."""
    tree = yaml.safe_load(source(Path("params.yaml")))
    names = {re.sub(r"^(sft|rl)\.\w+\.", r"\1.*.", leaf) for leaf in flat(tree)}
    assert len(names) <= 125, len(names)


def test_each_parameter_or_its_section_says_where_it_comes_from() -> None:
    silent, told = [], [(-1, True)]
    for number, line in enumerate(source(Path("params.yaml")).splitlines(), start=1):
        found = re.match(r"( *)(- )?(\w+):|( *)- ", line)
        if not found:
            continue
        depth = len(found[1] if found[1] is not None else found[4])
        while told[-1][0] >= depth:
            told.pop()
        told.append((depth, "#" in line or (told[-1][0] >= 0 and told[-1][1])))
        if not told[-1][1] and not re.fullmatch(r"\s*\w+:\s*", line):
            silent.append(f"params.yaml:{number}: {line.strip()}")
    assert silent == []
