"""The code that a stage's results depend on, as it was when the stage's state was begun: a zip beside
the state, compared with the code at hand before a state is gone on with."""

import ast
import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import stages

ROOT = Path(stages.__path__[0])
"""Of the package, in a checkout or where a wheel was installed."""
_MENTION = re.compile(r"\bstages(?:\.\w+)+")
_FROM = re.compile(r"\bfrom (stages[\w.]*) import (\([^)]*\)|[^\n(]+)")
_SHOWN = 5
"""Names in a message at most."""


def code_of(program: str, root: Path = ROOT) -> dict[str, bytes]:
    """{path below `root`: content} of what stages/<program>.py, or all of the folder
    stages/<program>, can load: modules that it or one of those names anywhere, and files that are
    no Python beside them. ValueError where there is no such program."""
    place = root / program
    waiting = [place.with_suffix(".py")] if place.with_suffix(".py").is_file() else sorted(place.glob("*.py"))
    if not waiting:
        raise ValueError(f"stages/{program}: no program and no folder of programs")
    found: dict[Path, bytes] = {}
    while waiting:
        if (path := waiting.pop()) not in found:
            found[path] = path.read_bytes()
            waiting += _named(found[path].decode(), root)
    for folder in {path.parent for path in found} - {root}:
        found |= {path: path.read_bytes() for path in folder.iterdir() if path.is_file() and path.suffix not in (".py", ".pyc")}
    return {path.relative_to(root).as_posix(): found[path] for path in sorted(found)}


def changed(then: Mapping[str, bytes], root: Path = ROOT) -> list[str]:
    """Names of the files that are not what they were `then`. Comments, docstrings and layout of
    Python do not count."""
    return [name for name, content in then.items() if not _same(root / name, content)]


def packed(code: Mapping[str, bytes]) -> bytes:
    """The files as a zip."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in code.items():
            archive.writestr(name, content)
    return out.getvalue()


def unpacked(path: Path) -> dict[str, bytes]:
    """The files of a zip; none where there is no whole one."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    except (OSError, ValueError, RuntimeError, EOFError, zipfile.BadZipFile, zlib.error):
        return {}


def listed(names: list[str]) -> str:
    """The first of the names, and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(f"stages/{name}" for name in names[:_SHOWN]) + more


def _named(text: str, root: Path) -> Iterator[Path]:
    """Modules that a module names, package files left out: they hold no code."""
    names = set(_MENTION.findall(text))
    for package, parts in _FROM.findall(text):
        names |= {f"{package}.{word}" for word in re.findall(r"\w+", parts)}
    for name in names:
        parts = name.split(".")[1:]
        for length in range(1, len(parts) + 1):
            path = root.joinpath(*parts[:length]).with_suffix(".py")
            if path.is_file():
                yield path


def _same(path: Path, then: bytes) -> bool:
    try:
        now = path.read_bytes()
    except OSError:
        return False
    return now == then or (path.suffix == ".py" and _meaning(now) == _meaning(then) != "")


def _meaning(source: bytes) -> str:
    """What Python makes of a module, without docstrings; "" for what is no Python."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return ""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [part for part in body if not _is_text(part)]  # type: ignore[attr-defined]
    return ast.dump(tree)


def _is_text(node: ast.AST) -> bool:
    """A string that stands alone: a docstring, of a value too."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
