"""MMLU (§3.1): 57 subjects in English, four options, scored by the letter.

Prompt and extraction: github.com/openai/simple-evals, common.py and mmlu_eval.py (zero-shot, chain of thought)."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stages.benchmarks.averages import Average, Judged, by_group, group_figure, macro, micro, percent
from stages.benchmarks.items import Item, Loaded, items_of
from stages.benchmarks.multiple_choice import LETTERS, announced, boxed, fallback_share, leading, said, score_letters, whole_line
from stages.benchmarks.statistics import accuracy
from stages.benchmarks.subjects import MMLU
from stages.benchmarks.tables import rows_of
from stages.rollout.engine import Prompt

FILES = (
    "test/*_test.csv",
    "data/test/*_test.csv",
    "all/test-*.parquet",
    "*/test-*.parquet",
    "*_test.parquet",
    "*_test.csv",
    "test.jsonl",
)
PROMPT_SOURCE = "zero-shot chain of thought of simple-evals (github.com/openai/simple-evals, common.py); the report gives no prompt"
EXTRACTION = (
    "simple-evals: the letter after the first 'Answer:' once Markdown and LaTeX marks are removed; where there is none "
    "a first line that is a letter (as lm-evaluation-harness), else a start such as 'B. text', the last 'answer is', the last "
    "\\boxed{}, a letter announced in bold, LaTeX or another sentence (these four counted as read_by_fallback)"
)
RULE = "the letter equals the gold letter; mean over all 14,042 questions (micro), the mean over the 57 subjects (macro) beside it"
INSTRUCTION = (
    "Answer the following multiple choice question. The last line of your response should be of the following format: "
    "'Answer: $LETTER' (without quotes) where LETTER is one of ABCD. Think step by step before answering."
)
_HEADER = ("question", "A", "B", "C", "D", "answer")
_MARKS = (
    *("**", "$\\boxed{", "}$", "\\$", "$\\text{", "$", "\\mathrm{", "\\{"),
    *("\\text", "\\(", "\\mathbf{", "{", "\\boxed"),
)
_STATED = re.compile(r"(?i)Answer[ \t]*:[ \t]*([A-D])")


def load(path: Path) -> Loaded:
    """The authors' CSV files (one a subject, no header), the hub's Parquet file of all subjects or one a subject, or rows."""
    files = _files(path)
    return Loaded([item for file in files for item in _items(file)], None, tuple(files))


def prompt(item: Item) -> Prompt:
    """Instruction, question, options."""
    options = "\n".join(f"{letter}) {text}" for letter, text in zip(LETTERS, item.options, strict=False))
    return Prompt(f"{INSTRUCTION}\n\n{item.question}\n\n{options}", None, instruction="")


def average(judged: Sequence[Judged]) -> Average:
    """Micro over the questions; beside it the macro average over subjects and the accuracy of each group of subjects."""
    groups = {group_figure(str(name)): percent(accuracy(rights).mean) for name, rights in by_group(judged, _category).items()}
    figures = {
        "macro_subjects": percent(macro(judged, lambda item: item.group).mean),
        "subjects": len(by_group(judged, lambda item: item.group)),
        **groups,
        "read_by_fallback": fallback_share(judged),
    }
    return Average(micro(judged).score, figures)


def stated(text: str) -> str | None:
    """simple-evals' rule: the letter after the first "Answer:", as it is written there."""
    for mark in _MARKS:
        text = text.replace(mark, "")
    found = _STATED.search(text)
    return found.group(1) if found else None


score = score_letters(
    {"Answer: X": stated, "the first line": whole_line},
    {"the start": leading, "answer is X": said, "the last box": boxed, "an announced letter": announced},
)


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return next((sorted(path.glob(name)) for name in FILES if any(path.glob(name))), [])


def _items(file: Path) -> list[Item]:
    subject = file.stem.removesuffix("_test") if file.suffix == ".csv" else None
    of_folder = file.stem.removesuffix("_test") if file.stem.endswith("_test") else file.parent.name
    counts: dict[str, int] = {}

    def item(row: Mapping[str, Any]) -> Item:
        name = subject or str(row.get("subject") or of_folder)
        number = counts[name] = counts.get(name, -1) + 1
        options = tuple(map(str, row["choices"])) if "choices" in row else tuple(str(row[letter]) for letter in "ABCD")
        gold = LETTERS[row["answer"]] if isinstance(row["answer"], int) else str(row["answer"]).strip()
        if len(options) != 4 or gold not in tuple("ABCD"):
            raise ValueError(f"the answer {gold!r} is none of the {len(options)} options A to D")
        return Item(f"{name}/{number}", str(row["question"]), None, gold, name, options)

    return items_of(file, rows_of(file, _HEADER), item)


def _category(item: Item) -> str:
    return MMLU.get(item.group, "Other")
