"""What a module of this project imports, read from its source: nothing is executed."""

import ast
from pathlib import Path

PROJECT = Path(__file__).parents[1]


def file_of(module: str) -> Path | None:
    """stages.data.files -> stages/data/files.py; a package -> its __init__.py; None for what is no module here."""
    path = PROJECT / module.replace(".", "/")
    for found in (path.with_suffix(".py"), path / "__init__.py"):
        if found.is_file():
            return found.relative_to(PROJECT)
    return None


def imported(path: Path) -> set[Path]:
    """Files of this project that `path` imports, at the top or inside a function, or starts with `python -m`."""
    tree = ast.parse((PROJECT / path).read_text(encoding="utf-8"))
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("stages."):
            names.add(node.value)
    return {found for name in names if name.startswith(("stages", "flows")) and (found := file_of(name))}


def closure(path: Path) -> set[Path]:
    """All files of this project that running `path` can load, itself included; package files that hold a docstring are not."""
    seen, waiting = set[Path](), [path]
    while waiting:
        if (now := waiting.pop()) not in seen:
            seen.add(now)
            waiting += imported(now)
    return {found for found in seen if len(ast.parse((PROJECT / found).read_text(encoding="utf-8")).body) > 1}
