"""MMMU (§3.1): college-level questions on pictures in 30 subjects, 900 validation items, most with options.

Scored by the authors' rules without their random choice (stages/benchmarks/mmmu_rules.py)."""

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from stages.benchmarks.averages import Average, Judged, by_group, macro, micro, percent
from stages.benchmarks.items import Item, Loaded, folder_of, items_of, read_items
from stages.benchmarks.mmmu_rules import open_right, open_values, parsed_option, plain_option, stated_option
from stages.benchmarks.multiple_choice import LETTERS, letter_verdict, score_extracted
from stages.benchmarks.statistics import accuracy
from stages.benchmarks.tables import picture_path, read_object, rows_of
from stages.data.files import DataError
from stages.data.images import inside
from stages.rollout.engine import Prompt
from stages.verifiers.verdict import Verdict

ANSWERS, TEXTS, WITH_PICTURES = "answer_dict_val.json", "val_questions_577_from_mmmu_pro.jsonl", "val_questions_with_images.jsonl"
FILES = (ANSWERS, "*/validation-*.parquet", "validation-*.parquet", WITH_PICTURES)
PROMPT_SOURCE = (
    "the authors' prompt (github.com/MMMU-Benchmark/MMMU, configs/llava1.5.yaml), each picture in the place of its mark, as "
    "VLMEvalKit interleaves them"
)
EXTRACTION = (
    "a letter after the last 'Answer:' or in the last \\boxed{}, else the authors' rule: the option marked last "
    "as '(X)', else as ' X ', else whose text stands last; short answers: tails of lines after 'is', 'answer' ... and their numbers"
)
RULE = (
    "the letter equals the gold letter; a short answer contains a gold text or equals a gold number to two decimals (the authors' "
    "rules; where they choose an option at random: a letter in front, the text of just one option, an announced letter, else "
    "wrong); mean over the 900 validation items"
)
WITHOUT_TEXTS = LETTERS[:8]
"""Options of an item whose texts are not there; a ninth would be the pronoun I."""
_SUBJECT = re.compile(r"validation_(\w+)_\d+")


def load(path: Path) -> Loaded:
    """The hub's Parquet files, or the published questions whose pictures are there, as a declared part."""
    parquet = _parquet_files(path)
    if parquet:
        return Loaded([item for file in parquet for item in items_of(file, rows_of(file), _hub_item)], None, tuple(parquet))
    loaded = _questions(path)
    absent = [image for item in loaded.items for image in item.data["images"] if not Path(image).is_file()]
    if absent:
        where = f"for example {absent[0]}; put the published pictures there"
        raise DataError(f"{loaded.files[0]}: {len(absent)} pictures are absent, {where}")
    return loaded


def load_answers(path: Path) -> Loaded:
    """All 900 answers, with the options where their texts are there."""
    if _parquet_files(path):
        return load(path)
    folder = folder_of(path)
    answers = path if path.is_file() else folder / ANSWERS
    if answers.suffix == ".jsonl" or not answers.exists():
        return _questions(path)
    texts_file = folder / TEXTS
    files = (answers, texts_file) if texts_file.exists() else (answers,)
    texts = {row["id"]: row for row in rows_of(texts_file)} if texts_file in files else {}
    items = []
    for name, entry in read_object(answers).items():
        if not isinstance(entry, dict) or not {"ground_truth", "question_type"} <= set(entry):
            raise DataError(f"{answers}: {name[:80]!r} has no ground_truth and question_type; give {ANSWERS} or its folder")
        text = texts.get(name, {})
        golds = _list(entry["ground_truth"])
        corrected = text.get("answer") not in golds  # MMMU-Pro changed the options of two items with their answer
        options = () if corrected else tuple(map(str, text["options"]))
        items.append(_item(name, str(text.get("question", "")), entry["question_type"], golds, options, []))
    return Loaded(items, None, files)


def with_options_of(item: Item, row: Mapping[str, Any]) -> Item:
    """`item` with the texts of the options that a row of responses brings in `index2ans`: those that the model was shown."""
    given = row.get("index2ans")
    if (
        not item.data["choice"]
        or not isinstance(given, dict)
        or list(given) != list(LETTERS[: len(given)])
        or item.gold not in given
    ):
        return item
    return replace(item, options=tuple(map(str, given.values())))


def prompt(item: Item) -> Prompt:
    """Question, options, instruction; a picture in the place of each mark `<image n>`."""
    images = tuple(item.data["images"])
    if not item.data["choice"]:
        return Prompt(f"{item.question}\n\nAnswer the question using a single word or phrase.", images, instruction="")
    options = "\n".join(f"({letter}) {text}" for letter, text in zip(LETTERS, item.options, strict=False))
    asked = f"{item.question}\n\n{options}\n\nAnswer with the option's letter from the given choices directly."
    return Prompt(asked, images, instruction="")


def score(pairs: Sequence[tuple[Item, str]], _workers: int, _seconds: float) -> list[Verdict]:
    """Right by the authors' rules; an item whose options are unknown can only be judged by letters."""
    return [_judge_choice(item, text) if item.data["choice"] else _judge_open(item, text) for item, text in pairs]


def score_extraction(pairs: Sequence[tuple[Item, str]], workers: int, seconds: float) -> list[Verdict]:
    """Judges the letter, or the short answer, that was extracted already."""
    verdicts = []
    for item, text in pairs:
        if not item.data["choice"]:
            verdicts.append(_judge_open(item, text))
        else:
            verdicts += score_extracted([(item, text)], workers, seconds)
    return verdicts


def average(judged: Sequence[Judged]) -> Average:
    """Micro over the items; beside it each kind of question and the mean over subjects."""
    kinds = by_group(judged, lambda item: "multiple_choice" if item.data["choice"] else "open")
    figures = {f"accuracy_{kind}": percent(accuracy(rights).mean) for kind, rights in kinds.items()}
    unread = sum(v.extracted is None for one in judged for v in one.verdicts if one.item.data["choice"])
    macro_score = percent(macro(judged, lambda item: item.group).mean)
    return Average(micro(judged).score, {**figures, "macro_subjects": macro_score, "no_option_found": unread})


def _judge_choice(item: Item, text: str) -> Verdict:
    letters = LETTERS[: len(item.options)] or WITHOUT_TEXTS
    options = dict(zip(letters, item.options or [""] * len(letters), strict=True))
    letter = stated_option(text, letters)
    how = "stated after 'Answer:' or boxed"
    if letter is None:
        letter, how = parsed_option(text, options), "by the authors' rule"
    details = {}
    if letter is None:
        letter, how = plain_option(text, options), "by our rule in place of the authors' random choice"
        details = {"fallback": "in place of a random option"}
    if letter is not None:
        return letter_verdict(item, letter, how, details)
    if not item.options and text.strip():
        return Verdict("error", None, "no letter, and the texts of the options are not in the data; put the questions there")
    return Verdict("wrong", None, "no option was found (the authors would choose one at random)")


def _judge_open(item: Item, text: str) -> Verdict:
    values = open_values(text)
    shown = " | ".join(map(str, values))[:200] if text.strip() else None
    golds: Sequence[str] = item.data["golds"]
    if text.strip() and open_right(golds, values):
        return Verdict("right", shown, "a gold answer is among the parts that may be an answer")
    return Verdict("wrong", shown, f"expected {' or '.join(golds)!r}" if text.strip() else "the response is empty")


def _questions(path: Path) -> Loaded:
    """The published questions of a file, or those with pictures of a folder, whether the pictures are there or not."""
    file = path if path.is_file() else path / WITH_PICTURES
    if not file.exists():
        raise DataError(f"{path}: no question with its pictures; put {WITH_PICTURES} and images there, or the hub's Parquet files")
    items = read_items(file, lambda row: _jsonl_item(file.parent, row))
    what = "text and pictures are" if file.name == WITH_PICTURES else "text is"
    return Loaded(items, f"the {len(items)} of 900 questions whose {what} in {file.name}", (file,))


def _parquet_files(path: Path) -> list[Path]:
    if path.is_file():
        return [path] if path.suffix == ".parquet" else []
    return next((sorted(path.glob(name)) for name in FILES[1:3] if any(path.glob(name))), [])


def _hub_item(row: Mapping[str, Any]) -> Item:
    pictures = [picture_path(row.get(f"image_{number}")) for number in range(1, 8)]
    golds, options = _list(row["answer"]), tuple(_list(row["options"]))
    images = [picture for picture in pictures if picture is not None]
    return _item(row["id"], row["question"], row["question_type"], golds, options, images)


def _jsonl_item(folder: Path, row: Mapping[str, Any]) -> Item:
    images = [str(inside(folder, name)) for name in row["images"]]
    options = tuple(map(str, row["options"]))
    return _item(row["id"], row["question"], row["question_type"], _list(row["answer"]), options, images)


def _item(name: str, question: str, kind: str, golds: list[str], options: tuple[str, ...], images: list[str]) -> Item:
    choice = kind == "multiple-choice"
    if choice and (golds[0] not in tuple(LETTERS) or (options and LETTERS.index(golds[0]) >= len(options))):
        raise DataError(f"{name}: the answer {golds[0]!r} is none of its {len(options)} options; fetch the file again")
    found = _SUBJECT.fullmatch(name)
    data = {"images": images, "choice": choice, "golds": golds}
    first = images[0] if images else None
    return Item(name, question, first, golds[0], found.group(1) if found else "MMMU", options if choice else (), data)


def _list(value: Any) -> list[str]:
    """The hub writes lists as text ("['A', 'B']"); a plain answer is a list of one."""
    if isinstance(value, str) and value.startswith("[") and len(value) < 20_000:
        try:
            value = ast.literal_eval(value)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            return [str(value)]
    return [str(part) for part in value] if isinstance(value, list) else [str(value)]
