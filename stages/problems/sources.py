"""Every kind of source in one literal dict, and the rules over all sources: no question twice, no split empty."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from stages.data.files import DataError
from stages.data.licences import forbidden
from stages.data.records import Finding, Problem, Split
from stages.problems import code_sets, competition_math, gsm8k, jsonl, picture_choices, procedural, tabmwp
from stages.problems.published import Adapter, Loaded, Reader, question_digest, repeated
from stages.problems.rows import Located, mapped, scan, scan_hub
from stages.run.collecting import Source
from stages.verifiers.judge import NO_JUDGE

SPLITS: tuple[Split, ...] = ("heldout", "validation", "train")
"""In the order in which a question met twice is kept: what is held out stays out."""


@dataclass(frozen=True)
class Setting:
    """What every loader is given beside its source."""

    root: Path
    images: Path
    max_pixels: int
    seed: int
    workers: int


def load_procedural(source: Source, setting: Setting) -> Loaded:
    """Problems of every named family. Raises DataError for an unknown family."""
    loaded = Loaded()
    for family in source.families:
        for split, count in quotas_of(source).items():
            loaded.problems += procedural.generate(family, split, count, setting.seed, setting.images, source.level)
    loaded.rows = len(loaded.problems)
    return loaded


ADAPTERS: dict[str, Adapter] = {
    "own": jsonl.read_row,
    "gsm8k": gsm8k.read_row,
    "math": competition_math.read_row,
    "tabmwp": tabmwp.read_row,
    "mbpp": code_sets.read_mbpp,
    "leetcode": code_sets.read_leetcode,
    "mmmu": picture_choices.read_row,
}
"""What rows look like."""


def load_file(source: Source, setting: Setting) -> Loaded:
    """Problems of one file; a kind that names the form of its rows says nothing of the file's kind, which its suffix tells."""
    path = setting.root / _path(source)
    adapter = source.adapter if source.kind in ("jsonl", "csv", "parquet") else source.kind
    return _read(source, setting, adapter, scan(path), path.parent, path.stem)


def load_hub(source: Source, setting: Setting) -> Loaded:
    """Problems of a data set of the hub at a commit, or of a folder under collect.root that `datasets` loads."""
    name = _path(source)
    folder = setting.root / name
    if not folder.is_dir() and source.revision is None:
        raise DataError(
            f"collect.sources: {name!r} is no folder under {setting.root}, and a data set of the hub needs the commit that pins "
            "it; add its revision"
        )
    located = str(folder) if folder.is_dir() else name
    rows = scan_hub(located, source.revision, source.subset, source.split)
    return _read(source, setting, source.adapter, rows, folder, source.split)


def _path(source: Source) -> str:
    if source.path is None or len(source.families) != 1:
        raise DataError(f"collect.sources: kind {source.kind} needs a path and exactly one family name, found {source}")
    if reason := forbidden(source.path, *source.families):
        raise DataError(f"collect.sources: {reason}; remove this source (its items may be scored, not trained on)")
    return source.path


def _read(source: Source, setting: Setting, adapter: str, rows: Iterator[Located], folder: Path, name: str) -> Loaded:
    return Reader(
        ADAPTERS[adapter],
        mapped(rows, source.columns, source.values),
        name,
        folder,
        source.families[0],
        quotas_of(source),
        setting.images,
        setting.max_pixels,
        setting.workers,
        source.free_answer,
    ).load()


LOADERS: dict[str, Callable[[Source, Setting], Loaded]] = {
    "procedural": load_procedural,
    "hub": load_hub,
    **dict.fromkeys(("jsonl", "csv", "parquet", "gsm8k", "math", "tabmwp", "mbpp", "leetcode", "mmmu"), load_file),
}


def load(source: Source, setting: Setting) -> Loaded:
    """All problems of one source.

    Raises DataError for an absent file, an unknown family, a forbidden set, or when nothing is left for training."""
    loaded = LOADERS[source.kind](source, setting)
    if not any(problem.split == "train" for problem in loaded.problems):
        reasons = Counter(finding.rule for finding in loaded.excluded).most_common()
        listed = ", ".join(f"{count} {rule}" for rule, count in reasons) or "the file has no rows"
        first = "".join(f"; first: {finding.where}: {finding.reason}" for finding in loaded.excluded[:1])
        raise DataError(f"{title(source)}: no problem is left for training of {loaded.rows} rows ({listed}{first})")
    return loaded


def check_splits(problems: Sequence[Problem], sources: Sequence[Source]) -> None:
    """Raise DataError when a split that some source should fill is empty."""
    for split in SPLITS:
        wanted = sum(quotas_of(source)[split] for source in sources)
        if wanted and not any(problem.split == split for problem in problems):
            raise DataError(f"no problem in split {split!r}, {wanted} wanted; add rows to the sources or change collect.sources")


def judgeable(problems: Sequence[Problem], judged: bool) -> tuple[list[Problem], list[Finding]]:
    """The problems without those that need a judge where there is none (`judged` is false), and a finding for each of these.

    Raises DataError when none is left for training."""
    needy = [problem for problem in problems if problem.verifier == "judge" and not judged]
    kept = [problem for problem in problems if judged or problem.verifier != "judge"]
    if needy and not any(problem.split == "train" for problem in kept):
        raise DataError(f"no problem is left for training: {len(needy)} have the verifier 'judge', and {NO_JUDGE} (judge.model)")
    return kept, [Finding(id=row.id, where=row.source, rule="no judge", reason=NO_JUDGE) for row in needy]


def title(source: Source) -> str:
    """How messages and the funnel call a source."""
    return source.path or f"{source.kind} {' '.join(source.families)}"


def quotas_of(source: Source) -> dict[Split, int]:
    """Problems wanted of each split (of each family)."""
    return {"heldout": source.heldout, "validation": source.validation, "train": source.train}


def without_repeats(problems: Sequence[Problem]) -> tuple[list[Problem], list[Finding]]:
    """Problems whose id and question (with its picture) occur once over all splits and sources; held-out ones win.

    The findings name what a repeat repeats."""
    kept: list[Problem] = []
    repeats: list[Finding] = []
    ids: set[str] = set()
    questions: dict[bytes, Problem] = {}
    for problem in sorted(problems, key=lambda problem: SPLITS.index(problem.split)):
        key = question_digest(problem.question, problem.image)
        if problem.id in ids:
            rule, reason = "duplicate id", f"another problem of {problem.source} has this id"
        elif key in questions:
            rule, reason = repeated(problem.verifier, problem.answer, questions[key].answer, questions[key].id)
        else:
            ids.add(problem.id)
            questions[key] = problem
            kept.append(problem)
            continue
        repeats.append(Finding(id=problem.id, where=problem.source, rule=rule, reason=reason))
    return kept, repeats
