r"""MATH-Vision (§3.1): mathematics on pictures; 3,040 test items ("full"), of which testmini is 304.

Scored by the authors' rules, re-implemented (stages/benchmarks/math_vision_rules.py)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stages.benchmarks.items import Item, Loaded, first_file, folder_of, items_of, read_items
from stages.benchmarks.math_vision_rules import Match, answer_of, matches
from stages.benchmarks.tables import picture_path, rows_of
from stages.data.files import DataError
from stages.data.images import inside
from stages.rollout.engine import Prompt
from stages.verifiers.answer_rules import MAX_ANSWER
from stages.verifiers.verdict import Outcome, Verdict

INSTRUCTION = (
    'Please solve the problem step by step and put your answer in one "\\boxed{}". '
    'If it is a multiple choice question, only one letter is allowed in the "\\boxed{}".'
)
PROMPT_SOURCE = "the chain-of-thought prompt of the authors (github.com/mathllm/MATH-V, models/)"
FILES = ("test.jsonl", "data/test-*.parquet", "testmini.jsonl", "data/testmini-*.parquet")
LETTERS = "ABCDE"
_OUTCOMES: dict[Match, Outcome] = {"equal": "right", "different": "wrong", "unknown": "error"}


def load(folder: Path) -> Loaded:
    """test.jsonl when all its pictures are there, or the hub's Parquet file of it; else testmini as a declared part.

    DataError names the first absent picture when neither is complete."""
    folder = folder_of(folder)
    parquet = next(iter(sorted(folder.glob("data/test-*.parquet"))), None)
    if parquet is not None and not (folder / "test.jsonl").exists():
        return Loaded(_hub_items(parquet), None, (parquet,))
    full = _read(folder, "test.jsonl")
    if full is not None and full[1] is None:
        return Loaded(full[0], None, (folder / "test.jsonl",))
    why = f"{folder / 'test.jsonl'} is absent" if full is None else str(full[1])
    small = _read(folder, "testmini.jsonl")
    if small is not None and small[1] is None:
        return Loaded(small[0], f"testmini, {len(small[0])} items, because {why}", (folder / "testmini.jsonl",))
    raise DataError(f"{folder}: {why}{'' if small is None else f'; {small[1]}'}; put the published pictures there")


def load_answers(path: Path) -> Loaded:
    """The items of test.jsonl, or of testmini.jsonl where that is all there is, whether or not their pictures are there."""
    folder, file = folder_of(path), first_file(path, FILES)
    items = (
        _hub_items(file) if file.suffix == ".parquet" else read_items(file, lambda row: _item(row, inside(folder, row["image"])))
    )
    return Loaded(items, None, (file,))


def prompt(item: Item) -> Prompt:
    """Instruction, question, options (left out where they are just the letters in the picture)."""
    shown = "" if "".join(item.options) == LETTERS else _option_lines(item.options)
    return Prompt(f"{INSTRUCTION}\n{item.question}\n{shown}", item.image, instruction="")


def score(pairs: Sequence[tuple[Item, str]], workers: int, seconds: float) -> list[Verdict]:
    """Right when the answer equals the gold letter or value, or the text of the gold option, by the authors' rules."""
    answers = [answer_of(response) for _, response in pairs]
    golds = [_golds(item) for item, _ in pairs]
    found = matches([(answer, gold) for answer, gold in zip(answers, golds, strict=True)], workers, seconds)
    return [
        Verdict(_OUTCOMES[match], answer[:MAX_ANSWER], reason)
        if answer
        else Verdict("wrong", None, "nothing is left of the response after the authors' extraction")
        for answer, (match, reason) in zip(answers, found, strict=True)
    ]


def _read(folder: Path, name: str) -> tuple[list[Item], str | None] | None:
    """(items, what is missing of their pictures), or None without the file."""
    if not (folder / name).exists():
        return None
    items = read_items(first_file(folder, [name]), lambda row: _item(row, inside(folder, row["image"])))
    absent = [item.image for item in items if item.image is None or not Path(item.image).is_file()]
    return items, f"{len(absent)} pictures of {name} are absent, for example {absent[0]}" if absent else None


def _hub_items(file: Path) -> list[Item]:
    """The rows of a Parquet file of the hub, each with its picture in `decoded_image`."""

    def item(row: Mapping[str, Any]) -> Item:
        return _item(row, picture_path(row.get("decoded_image")) or inside(file.parent, row.get("image", "")))

    return items_of(file, rows_of(file), item)


def _item(row: Mapping[str, Any], image: Path | str) -> Item:
    options = tuple(map(str, row["options"]))
    gold = str(row["answer"])
    if options and (gold not in LETTERS or len(options) <= LETTERS.index(gold)):
        raise ValueError(f"the answer {gold!r} is none of the {len(options)} options")
    group = f"{row['subject']}, level {row['level']}"
    return Item(str(row["id"]), row["question"], str(image), gold, group, options)


def _golds(item: Item) -> tuple[str, ...]:
    return (item.gold, item.options[LETTERS.index(item.gold)]) if item.options else (item.gold,)


def _option_lines(options: Sequence[str]) -> str:
    return "".join(f"({letter}) {option}\n" for letter, option in zip(LETTERS, options, strict=False))
