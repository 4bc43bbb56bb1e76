r"""MATH-500 and AIME 2024 (§3.1): free answers in the last \boxed{}, judged as mathematical answers or as integers."""

import re
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

from stages.benchmarks.competition_math_rules import Pairs, judge_answers, judge_boxes
from stages.benchmarks.items import Item, Loaded, first_file, items_of
from stages.benchmarks.tables import rows_of
from stages.rollout.engine import Prompt
from stages.verifiers.boxes import last_box, untagged
from stages.verifiers.normal_forms import integer_form
from stages.verifiers.verdict import Verdict

INSTRUCTION = "Please reason step by step, and put your final answer within \\boxed{}."
PROMPT_SOURCE = "the boxed instruction of Qwen2.5-Math and QwQ (github.com/QwenLM/QwQ); the report gives no prompt"
MATH500_FILES = ("test.jsonl", "data/test-*.parquet", "test-*.parquet", "test.parquet")
AIME_FILES = ("test.jsonl", "aime24_qwen25math.jsonl", "data/*-*.parquet", "*-*.parquet", "*.parquet")
_AIME_RANGE = re.compile(r"0|[1-9][0-9]{0,2}")
_IDS = ("unique_id", "id", "idx")
_QUESTIONS = ("problem", "question", "prompt")
_ANSWERS = ("answer", "expected_answer", "gt", "gold", "ground_truth")


def load_math500(folder: Path) -> Loaded:
    """MATH-500 as published, or any file of that kind, JSONL or Parquet: the problem in `problem`, `question` or `prompt`; the
    answer in one of _ANSWERS or boxed in `solution`; the id in one of _IDS, else the row number from 0; subject and level where
    they are. An item without a usable answer is kept, each response to it is an error, and `part` names it."""
    file = first_file(folder, MATH500_FILES)
    numbers = count()
    items = items_of(file, rows_of(file), lambda row: _math500_item(row, next(numbers)), gold_needed=False)
    empty = [item.id for item in items if not item.gold]
    part = f"{len(empty)} items have no answer that can be read: {', '.join(empty[:20])}" if empty else None
    return Loaded(items, part, (file,))


def load_aime2024(folder: Path) -> Loaded:
    r"""The published files, the hub's and those of QwQ's prompts: fields as `load_math500` (their case means nothing); the answer,
    an integer from 0 to 999, in one of _ANSWERS or boxed at the end of `solution`."""
    file = first_file(folder, AIME_FILES)
    numbers = count()
    return Loaded(items_of(file, rows_of(file), lambda row: _aime_item(row, next(numbers))), None, (file,))


def boxed_prompt(item: Item) -> Prompt:
    """The problem, a line break, the instruction."""
    return Prompt(f"{item.question}\n{INSTRUCTION}", None, instruction="")


def score_math500(pairs: Pairs, workers: int, seconds: float) -> list[Verdict]:
    """EM on the last box of a whole response, thinking part as `judge_boxes` reads it."""
    return judge_boxes("math", pairs, workers, seconds)


def score_aime2024(pairs: Pairs, workers: int, seconds: float) -> list[Verdict]:
    """Equality of integers, leading zeros mean nothing; thinking part as `judge_boxes` reads it."""
    return judge_boxes("integer", pairs, workers, seconds)


def score_math500_part(pairs: Pairs, workers: int, seconds: float) -> list[Verdict]:
    """EM on the last box of the text after the thinking part."""
    return judge_answers("math", pairs, workers, seconds)


def score_aime2024_part(pairs: Pairs, workers: int, seconds: float) -> list[Verdict]:
    """Equality of integers on the last box of the text after the thinking part."""
    return judge_answers("integer", pairs, workers, seconds)


def score_aime2024_whole(pairs: Pairs, workers: int, seconds: float) -> list[Verdict]:
    """As `score_aime2024`, with the thinking part read as if it were answer."""
    return judge_answers("integer", [(item, untagged(response)) for item, response in pairs], workers, seconds)


def _math500_item(row: Mapping[str, Any], number: int) -> Item:
    level = str(row.get("level") or "").removeprefix("Level ")
    subject = str(row.get("subject") or row.get("type") or "MATH")
    group = f"{subject}, level {level}" if level else subject
    return Item(id=_id(row, number), question=_question(row), image=None, gold=_answer(row), group=group)


def _aime_item(published: Mapping[str, Any], number: int) -> Item:
    row = {name.lower(): value for name, value in published.items()}
    answer = _answer(row)
    gold = integer_form(answer)
    if gold is None or not _AIME_RANGE.fullmatch(gold):
        raise ValueError(f"the answer {answer!r} is not an integer from 0 to 999")
    return Item(id=_id(row, number), question=_question(row), image=None, gold=gold, group="AIME 2024")


def _id(row: Mapping[str, Any], number: int) -> str:
    return str(next((row[name] for name in _IDS if row.get(name) is not None), number))


def _question(row: Mapping[str, Any]) -> str:
    """The problem, without the instruction that a published prompt ends with."""
    name = next((name for name in _QUESTIONS if name in row), _QUESTIONS[0])
    return str(row[name]).removesuffix(INSTRUCTION).rstrip("\n")


def _answer(row: Mapping[str, Any]) -> str:
    """The gold answer, "" where the row has its field but nothing in it. KeyError without any such field."""
    for name in _ANSWERS:
        if isinstance(row.get(name), str | int | float) and str(row[name]).strip():
            return str(row[name])
    if isinstance(row.get("solution"), str):
        return last_box(row["solution"]) or ""
    if not any(name in row for name in (*_ANSWERS, "solution")):
        raise KeyError(_ANSWERS[0])
    return ""
