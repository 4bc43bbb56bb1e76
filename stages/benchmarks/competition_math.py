r"""MATH-500 and AIME 2024 (§3.1): free answers in the last \boxed{}, judged by math-verify or as integers."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stages.benchmarks.items import Item, Loaded, first_file, items_of
from stages.benchmarks.tables import rows_of
from stages.data.records import VerifierName
from stages.rollout.engine import Prompt
from stages.verifiers.boxes import THINKING_ENDS, last_box
from stages.verifiers.normal_forms import integer_form
from stages.verifiers.verdict import Verdict, verify_all

INSTRUCTION = "Please reason step by step, and put your final answer within \\boxed{}."
PROMPT_SOURCE = "the boxed instruction of Qwen2.5-Math and QwQ (github.com/QwenLM/QwQ); the report gives no prompt"
MATH500_FILES = ("test.jsonl", "data/test-*.parquet")
AIME_FILES = ("test.jsonl", "aime24_qwen25math.jsonl", "data/*-*.parquet")
_AIME_RANGE = re.compile(r"0|[1-9][0-9]{0,2}")


def load_math500(folder: Path) -> Loaded:
    """The published file, JSONL or Parquet: problem, answer, subject, level, unique_id."""
    file = first_file(folder, MATH500_FILES)
    return Loaded(items_of(file, rows_of(file), _math500_item), None, (file,))


def load_aime2024(folder: Path) -> Loaded:
    r"""The published files: problem, and the answer in `answer` or boxed at the end of `solution`."""
    file = first_file(folder, AIME_FILES)
    return Loaded(items_of(file, rows_of(file), _aime_item), None, (file,))


def boxed_prompt(item: Item) -> Prompt:
    """The problem, a line break, the instruction."""
    return Prompt(f"{item.question}\n{INSTRUCTION}", None, instruction="")


def score_math500(pairs: Sequence[tuple[Item, str]], workers: int, seconds: float) -> list[Verdict]:
    """EM by math-verify on the last box."""
    return _score("math", pairs, workers, seconds)


def score_aime2024(pairs: Sequence[tuple[Item, str]], workers: int, seconds: float) -> list[Verdict]:
    """Equality of integers; leading zeros mean nothing."""
    return _score("integer", pairs, workers, seconds)


def score_aime2024_whole(pairs: Sequence[tuple[Item, str]], workers: int, seconds: float) -> list[Verdict]:
    """As `score_aime2024`, with the thinking part read as if it were answer."""
    return _score("integer", [(item, response.replace(THINKING_ENDS, "")) for item, response in pairs], workers, seconds)


def _score(verifier: VerifierName, pairs: Sequence[tuple[Item, str]], workers: int, seconds: float) -> list[Verdict]:
    return verify_all([(verifier, item.gold, response) for item, response in pairs], workers, seconds)


def _math500_item(row: Mapping[str, Any]) -> Item:
    group = f"{row['subject']}, level {row['level']}"
    return Item(id=str(row["unique_id"]), question=row["problem"], image=None, gold=str(row["answer"]), group=group)


def _aime_item(row: Mapping[str, Any]) -> Item:
    answer = str(row["answer"]) if "answer" in row else last_box(row["solution"]) or ""
    gold = integer_form(answer)
    if gold is None or not _AIME_RANGE.fullmatch(gold):
        raise ValueError(f"the answer {answer!r} is not an integer from 0 to 999")
    return Item(id=str(row["id"]), question=row["problem"], image=None, gold=gold, group="AIME 2024")
