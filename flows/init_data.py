"""The user's files for `k15 init`: which rows they hold, and how long prompts and solutions are for the model's own tokenizer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from jinja2 import TemplateError

from stages.benchmarks.registry import BENCHMARKS
from stages.data.display import visible
from stages.data.files import DataError
from stages.problems.drafts import Draft, Row, RowError
from stages.problems.jsonl import FIELDS
from stages.problems.rows import SUFFIXES, scan
from stages.problems.sources import ADAPTERS
from stages.prompts.bounded import bounded
from stages.prompts.prompt import BOXED

READ = 1000
"""Rows of a file whose lengths are measured."""
TRIED = 50
"""Rows of a file by which its form is known."""
KINDS = {".jsonl": "jsonl", ".json": "jsonl", ".csv": "csv", ".tsv": "csv", ".parquet": "parquet"}
ALIASES = {
    "question": ("question", "problem", "prompt", "query", "input"),
    "answer": ("answer", "final_answer", "target", "label", "output"),
    "solution": ("solution", "rationale", "reasoning", "response"),
    "image": ("image", "image_path", "picture"),
}
"""Columns that are taken for a field of our own form where no published form fits."""


@dataclass(frozen=True)
class Found:
    """One file as a source."""

    path: Path
    adapter: str
    columns: dict[str, str]
    rows: int
    drafts: Sequence[Draft]
    """Of the first READ rows, those that can be read."""


@dataclass(frozen=True)
class Data:
    """All files together."""

    root: Path
    files: Sequence[Found]
    benchmarks: Path | None
    """Folder of the benchmarks' folders, where one is there."""
    named: Sequence[str]
    """Benchmarks whose files are in it."""

    @property
    def drafts(self) -> list[Draft]:
        """Rows of all files."""
        return [draft for file in self.files for draft in file.drafts]

    @property
    def pictured(self) -> bool:
        """Whether some row has a picture."""
        return any(draft.image is not None for draft in self.drafts)

    @property
    def solved(self) -> bool:
        """Whether some row has a worked solution."""
        return any(draft.solution_long for draft in self.drafts)

    @property
    def rows(self) -> int:
        """Of all files."""
        return sum(file.rows for file in self.files)


@dataclass(frozen=True)
class Lengths:
    """Tokens of a prompt with template and instruction, without pictures, and of a worked solution; nearly the longest of each."""

    prompt: int
    solution: int
    counted: str
    """By what."""


def read(path: Path) -> Data:
    """The problems in a file, or in a folder: DIR/train and DIR/bench as `make run DATA=DIR` takes them, or files side by side.

    Raises DataError for a path without a readable file of problems, naming what was found."""
    if path.is_file():
        return Data(_apart(path.parent), [_found(path)], None, [])
    if not path.is_dir():
        raise DataError(f"--data {path}: no such file or folder")
    train = path / "train" if (path / "train").is_dir() else path
    files = [file for file in sorted(train.rglob("*")) if file.is_file() and _suffix(file) in SUFFIXES]
    found = [one for file in files if (one := _problems(file)) is not None]
    if not found:
        raise DataError(f"--data {path}: no file of problems there ({', '.join(SUFFIXES)}); README lists the forms of rows")
    bench = path / "bench"
    named = [name for name, one in BENCHMARKS.items() if any(any((bench / name).glob(glob)) for glob in one.files)]
    return Data(_apart(train), found, bench.resolve() if bench.is_dir() else None, named)


def _apart(folder: Path) -> Path:
    """The folder's own path. DataError for one that holds the project: DVC refuses an input that the
    outputs of stages lie in."""
    root = folder.resolve()
    if Path.cwd().resolve().is_relative_to(root):
        raise DataError(
            f"--data: the rows lie in {root}, which holds the project, so that the run's own outputs would "
            "lie in its input; move them into a folder of their own, for example data/"
        )
    return root


def _suffix(path: Path) -> str:
    return path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix


def _problems(path: Path) -> Found | None:
    """A file of a folder, unless its rows are no problems (lists of pictures and the like)."""
    try:
        return _found(path)
    except DataError:
        return None


def _found(path: Path) -> Found:
    rows = [row for _, row in islice(scan(path), READ) if not isinstance(row, RowError)]
    if not rows:
        raise DataError(f"{path}: no row can be read; expected JSON lines, JSON, CSV or Parquet")
    adapter, columns = _form(rows[:TRIED], path)
    drafts = [draft for row in rows if (draft := _draft(adapter, columns, row)) is not None]
    total = len(rows) if len(rows) < READ else sum(1 for _ in scan(path))
    return Found(path, adapter, columns, total, drafts)


def _form(rows: Sequence[Row], path: Path) -> tuple[str, dict[str, str]]:
    """The adapter that reads most of the rows, or the columns that stand for our fields. GSM8K's rows have our fields, too, and are
    told by their "####"."""
    if all("####" in str(row.get("answer", "")) and "question" in row for row in rows):
        return "gsm8k", {}
    readable = {name: sum(_draft(name, {}, row) is not None for row in rows) for name in ADAPTERS if name != "gsm8k"}
    best = max(readable, key=lambda name: readable[name])
    if 2 * readable[best] >= len(rows):
        return best, {}
    columns = _columns(rows)
    if not any(_draft("own", columns, row) for row in rows):
        names = visible(", ".join(map(str, rows[0])))
        raise DataError(f"{path}: rows with {names} are of no known form; expected at least question and answer (README)")
    return "own", columns


def _columns(rows: Sequence[Row]) -> dict[str, str]:
    """Field -> column, where the columns are not simply the fields."""
    names = {name for row in rows for name in row}
    if names <= {*FIELDS}:
        return {}
    found = {field: next((name for name in known if name in names), None) for field, known in ALIASES.items()}
    return {field: name for field, name in found.items() if name is not None}


def _draft(adapter: str, columns: dict[str, str], row: Row) -> Draft | None:
    try:
        chosen = {field: row[name] for field, name in columns.items()} if columns else row
        return ADAPTERS[adapter](chosen, "rows")
    except (RowError, KeyError):  # `collect` lists such rows with their place
        return None


def lengths(data: Data, source: str, revision: str | None, instruction: str) -> Lengths:
    """Of all rows that were read. Without the model's tokenizer here three characters are counted as a token."""
    drafts = data.drafts
    questions = [f"{draft.question}\n{instruction}" if draft.verifier in BOXED else draft.question for draft in drafts]
    solutions = [draft.solution_long for draft in drafts if draft.solution_long]
    count, overhead, counted = _counter(source, revision)
    prompts = [length + overhead for length in count(questions)]
    return Lengths(_most(prompts), _most(count(solutions)) if solutions else 0, counted)


def _most(counts: Sequence[int]) -> int:
    """The 99th percentile: single giants are excluded by `curate`."""
    return sorted(counts)[min(len(counts) - 1, round(0.99 * len(counts)))]


def _counter(source: str, revision: str | None) -> tuple[Callable[[Sequence[str]], list[int]], int, str]:
    """Counts tokens; the tokens of the chat template around a question; by what is counted."""
    if (tokenizer := _tokenizer(source, revision)) is None:
        return lambda texts: [len(text) // 3 + 1 for text in texts], 64, "three characters a token: no tokenizer is here"

    def count(texts: Sequence[str]) -> list[int]:
        return [len(ids) for ids in tokenizer(list(texts), add_special_tokens=False)["input_ids"]]

    messages = [{"role": "user", "content": "x"}]
    try:
        with bounded():
            around = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    except (
        TemplateError,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
    ):  # parts instead of a text, or no template: `base` says so
        around = "x" * 64
    return count, max(16, count([around])[0]), "the model's own tokenizer"


def _tokenizer(source: str, revision: str | None) -> Any:
    """The tokenizer of a folder, or of a hub id that is in the cache; None elsewhere."""
    from huggingface_hub import try_to_load_from_cache

    folder = Path(source)
    if not folder.is_dir():
        if "/" not in source or Path(source).is_file():
            return None
        path = try_to_load_from_cache(source, "tokenizer.json", revision=revision)
        if not isinstance(path, str):
            return None
        folder = Path(path).parent
    from stages.models.loading import load_tokenizer

    try:
        return load_tokenizer(folder)
    except DataError:  # `base` says what is wrong with the folder
        return None
