"""MathVista (§3.1): mathematical reasoning in visual contexts, the 1,000 items of testmini (the test answers are not public).

Scored by the authors' rules (stages/benchmarks/math_vista_rules.py). For scoring only: its authors prohibit training on it."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from stages.benchmarks.averages import Average, Judged, by_group, group_figure, micro, percent
from stages.benchmarks.items import Item, Loaded, folder_of, items_of
from stages.benchmarks.math_vista_extraction import extracted_by
from stages.benchmarks.math_vista_rules import (
    MAX_EXTRACTION,
    IntegerRule,
    found_extraction,
    last_line,
    prediction,
    quick_extraction,
)
from stages.benchmarks.statistics import accuracy
from stages.benchmarks.tables import picture_path, read_object, rows_of
from stages.data.files import DataError
from stages.data.images import inside
from stages.rollout.engine import Prompt
from stages.verifiers.verdict import Answer, Verdict

FILES = ("testmini.json", "data/testmini-*.parquet", "testmini-*.parquet")
ANNOTATIONS = "annot_testmini.json"
RULES: dict[str, IntegerRule] = {"default": "current", "published": "published"}
"""Rules for integers by the name that --rule has for them."""
PROMPT_SOURCE = "the authors' query of each item (github.com/lupantech/MathVista, data/query.json)"
EXTRACTION = (
    "`extraction` of the row; else the authors' quick rules; else, in place of their GPT-4: the last box, 'answer is', "
    "option mark, option text, number or list (ours); where no option is found the one that is closest to the last line, as the "
    "authors take the closest to any extraction, even an empty one (counted as fallback)"
)
BY_MODEL = "the authors' quick rules; else a model takes the answer out of the response, as their GPT-4 did, by a prompt of ours"
MODEL = "model"
"""What a verdict says of an answer that a model took out."""
CLOSEST = "the closest option"
"""What a verdict says of an option that was taken for its edit distance to the end of the response."""
_SAME = "equality of normalised texts, options by letter or smallest edit distance, floats rounded; mean over the 1,000 items; "
RULE = _SAME + "integers as the authors' repository reads them now: '2.0' is 2"
PUBLISHED_RULE = _SAME + "integers as the published scores read them: '2.0' is no integer (commit 53d52587)"

DIFFERS = (
    "ours reads 2.0 as the integer 2, which turns 37 verdicts of the 17 published runs; from raw responses, without the authors' "
    "extraction by GPT-4, ours was 0.8 points below their published scores in the mean"
)


def load(path: Path) -> Loaded:
    """testmini with its pictures. DataError names the first absent picture."""
    loaded = load_answers(path)
    absent = [item.image or item.id for item in loaded.items if item.image is None or not Path(item.image).is_file()]
    if absent:
        where = "put the pictures of the hub's images.zip there, or use its Parquet files"
        raise DataError(f"{path}: {len(absent)} of {len(loaded.items)} pictures are absent, for example {absent[0]}; {where}")
    return loaded


def load_answers(path: Path) -> Loaded:
    """testmini.json with query.json beside it, or the hub's Parquet file."""
    folder = folder_of(path)
    file = _file(path)
    if file.suffix == ".parquet":
        items = items_of(file, rows_of(file), lambda row: _item(row, picture_path(row.get("decoded_image"))))
        return Loaded(items, None, (file,))
    beside = [folder / "query.json"] if (folder / "query.json").exists() else []
    queries = read_object(beside[0]) if beside else {}
    entries = read_object(file)
    if not all(isinstance(row, dict) and "answer" in row and "question" in row for row in entries.values()):
        raise DataError(f"{file}: expected questions and answers by pid; give {FILES[0]}, its folder, or the hub's Parquet file")
    rows = [{"query": queries.get(pid), "pid": pid, **row} for pid, row in entries.items()]
    return Loaded(items_of(file, rows, lambda row: _item(row, str(inside(folder, row["image"])))), None, (file, *beside))


def prompt(item: Item) -> Prompt:
    """The authors' query. DataError where it is not in the data."""
    if not item.data["query"]:
        raise DataError(f"MathVista: item {item.id} has no query; put the authors' query.json beside testmini.json")
    return Prompt(item.data["query"], item.image, instruction="")


def score(rule: IntegerRule, pairs: Sequence[tuple[Item, str]], _workers: int, _seconds: float) -> list[Verdict]:
    """Verdicts of responses, by the authors' quick extraction or ours."""
    return [_judge_response(rule, item, text) for item, text in pairs]


def score_by_model(
    rule: IntegerRule, ask: Answer, pairs: Sequence[tuple[Item, str]], _workers: int, _seconds: float
) -> list[Verdict]:
    """Verdicts of responses whose answers a model takes out where the authors' quick rules do not; one that it did not answer for
    is an error."""
    quick = [quick_extraction(text, item.options, item.data["answer_type"]) for item, text in pairs]
    places = [place for place, found in enumerate(quick) if found is None]
    replies = dict(zip(places, extracted_by(ask, [pairs[place] for place in places]), strict=True))
    return [
        _judge_reply(rule, item, replies[place])
        if place in replies
        else _judge(rule, item, quick[place] or "", {"extraction": "quick"})
        for place, (item, _) in enumerate(pairs)
    ]


def _judge_reply(rule: IntegerRule, item: Item, reply: str | DataError) -> Verdict:
    if isinstance(reply, DataError):
        return Verdict("error", None, f"the extracting model did not answer: {reply}", {"extraction": MODEL})
    return _judge(rule, item, reply, {"extraction": MODEL})


def score_extraction(rule: IntegerRule, pairs: Sequence[tuple[Item, str]], _workers: int, _seconds: float) -> list[Verdict]:
    """Verdicts of extractions."""
    return [_judge(rule, item, text, {}) for item, text in pairs]


score_current, score_published = partial(score, "current"), partial(score, "published")
extraction_current, extraction_published = partial(score_extraction, "current"), partial(score_extraction, "published")


def average(rule: IntegerRule, judged: Sequence[Judged]) -> Average:
    """Micro over the items; beside it the score by either rule, each task and kind of answer."""
    figures: dict[str, Any] = {}
    for key in ("question_type", "answer_type", "task"):
        for name, rights in by_group(judged, lambda item, key=key: item.data[key]).items():  # type: ignore[misc]
            figures[group_figure(str(name))] = percent(accuracy(rights).mean)
    by_rule = {name: percent(accuracy([_rights(one, of) for one in judged]).mean) for name, of in RULES.items()}
    named = next(name for name, of in RULES.items() if of == rule)
    asked = sum(verdict.details.get("extraction") == MODEL for one in judged for verdict in one.verdicts)
    figures |= {"extracted_by_model": asked} if asked else {}
    return Average(micro(judged).score, {"rule_name": named, "scores_by_rule": by_rule, **dict(sorted(figures.items()))})


average_current, average_published = partial(average, "current"), partial(average, "published")


def _rights(one: Judged, rule: IntegerRule) -> list[bool]:
    """Which responses are right by `rule`; nothing is where nothing was found to compare."""
    return [bool(verdict.details.get("right_by", {}).get(rule, False)) for verdict in one.verdicts]


def _file(path: Path) -> Path:
    """The data file: testmini.json also where the authors' annot_testmini.json beside it, which has no answers, is named."""
    if path.is_file():
        beside = path.with_name(FILES[0])
        return beside if path.name == ANNOTATIONS and beside.exists() else path
    return next(found for name in FILES for found in sorted(path.glob(name)))


def _judge_response(rule: IntegerRule, item: Item, text: str) -> Verdict:
    kind = item.data["answer_type"]
    quick = quick_extraction(text, item.options, kind)
    if quick is not None:
        return _judge(rule, item, quick, {"extraction": "quick"})
    found = found_extraction(text, item.options, kind)
    if found is not None:
        return _judge(rule, item, found, {"extraction": "ours"})
    if item.options:
        return _judge(rule, item, last_line(text), {"extraction": "none", "fallback": CLOSEST})
    return Verdict("wrong", None, f"no {kind} answer was found in the response" if text.strip() else "the response is empty")


def _judge(rule: IntegerRule, item: Item, extraction: str, details: Mapping[str, Any]) -> Verdict:
    if len(extraction) > MAX_EXTRACTION:
        reason = f"an extraction of {len(extraction)} characters; at most {MAX_EXTRACTION} are compared"
        return Verdict("error", extraction[:MAX_EXTRACTION], reason, details)
    found = {
        of: prediction(extraction, item.options, item.data["answer_type"], item.data["precision"], of) for of in RULES.values()
    }
    predicted, details = found[rule], {**details, "right_by": {of: value == item.gold for of, value in found.items()}}
    shown = extraction if predicted is None else predicted
    if predicted == item.gold:
        return Verdict("right", shown, f"equal to the answer as {item.data['answer_type']}", details)
    why = f"is no {item.data['answer_type']}" if predicted is None else f"expected {item.gold!r}"
    return Verdict("wrong", shown, why, details)


def _item(row: Mapping[str, Any], image: str | None) -> Item:
    choices = tuple(map(str, row["choices"] or ()))
    gold, metadata = str(row["answer"]), row.get("metadata") or {}
    if choices and gold not in choices:
        raise ValueError(f"the answer {gold!r} is none of the {len(choices)} choices")
    data = {
        "answer_type": row["answer_type"],
        "question_type": row["question_type"],
        "precision": int(row["precision"]) if row["precision"] is not None else 0,
        "task": metadata.get("task", "task not given"),
        "query": row.get("query"),
    }
    return Item(str(row["pid"]), row["question"], image, gold, data["task"], choices, data)
