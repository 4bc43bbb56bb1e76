"""How a score came about, recorded beside it: prompt, data by its hash, rule, extraction, and the code that scored."""

import hashlib
import re
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from stages.benchmarks.benchmark import Benchmark

_STAGES = Path(__file__).resolve().parents[1]
_CODE = ("benchmarks", "verifiers")
_LIBRARIES = ("latex2sympy2-extended", "mpmath", "sympy", "langdetect")
_HUB_NOTES = ".cache/huggingface/download"
"""Where the hub's client notes the commit of what it downloads to a local folder."""


def described(benchmark: Benchmark, data: dict[str, Any]) -> dict[str, Any]:
    """What a reader must know of a score on `data` (of `data_read`): names, prompt, shots, split, rules, scorer."""
    return {
        "title": benchmark.title,
        "metric": benchmark.metric,
        "prompt": benchmark.prompt_source,
        "shots": benchmark.shots,
        "split": benchmark.split,
        "data": data,
        "extraction": benchmark.extraction,
        "rule": benchmark.rule,
        **({"differs": differs} if (differs := benchmark.differences()) else {}),
        "scorer": scorer(),
    }


def data_read(benchmark: Benchmark, files: Sequence[Path]) -> dict[str, Any]:
    """Where the data comes from and what was read of it.

    `sha256` is that of the file; of several files, that of what `sha256sum` prints for them in the order of their names,
    the names as in `files`, relative to the folder that holds them all. None where no file was read. `revision` is the commit
    that the files were downloaded at, never the pinned one by mere belief; None when it is not known. `as_checked` says whether
    the files are byte for byte those that this code was checked with; None where their hash is not recorded."""
    folder = _folder(files)
    names = {file.relative_to(folder).as_posix(): file for file in files}
    hashes = {name: _sha256(names[name]) for name in sorted(names)}
    listing = "".join(f"{content}  {name}\n" for name, content in hashes.items())
    whole = next(iter(hashes.values())) if len(hashes) == 1 else hashlib.sha256(listing.encode()).hexdigest()
    return {
        "hub_id": benchmark.hub_id,
        "pinned": benchmark.revision,
        "revision": downloaded_revision(files),
        "as_checked": None if benchmark.content is None or not hashes else whole == benchmark.content,
        "origin": benchmark.origin,
        "files": list(hashes),
        "sha256": whole if hashes else None,
    }


def downloaded_revision(files: Sequence[Path]) -> str | None:
    """The commit of the hub that all files were downloaded at by `hf download --local-dir`; None when that is not known."""
    found = {_noted_commit(file) for file in files}
    return found.pop() if len(found) == 1 else None


@cache
def scorer() -> dict[str, str]:
    """What scores: the first 12 hexadecimal digits of the SHA-256 of the code of benchmarks and verifiers, and its libraries."""
    digest = hashlib.sha256()
    for path in sorted(path for folder in _CODE for path in (_STAGES / folder).rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(_STAGES).as_posix()}\0{_sha256(path)}\n".encode())
    return {"code": digest.hexdigest()[:12], **{name: version(name) for name in _LIBRARIES}}


def _folder(files: Sequence[Path]) -> Path:
    parents = [set(file.parents) for file in files] or [{Path()}]
    return max(set.intersection(*parents), key=lambda path: len(path.parts))


def _noted_commit(file: Path) -> str | None:
    for folder in file.parents:
        note = folder / _HUB_NOTES / f"{file.relative_to(folder).as_posix()}.metadata"
        if note.is_file():
            first = note.read_text(encoding="utf-8", errors="replace").partition("\n")[0].strip()
            return first if re.fullmatch("[0-9a-f]{40}", first) else None
    return None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
