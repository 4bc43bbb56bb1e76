"""C-Eval and CLUEWSC (§3.1): Chinese examinations with four options, and pronouns with two.

Sources: github.com/hkust-nlp/ceval, code/evaluator_series (prompt and patterns); github.com/open-compass/opencompass,
configs/datasets/FewCLUE_cluewsc (prompt)."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stages.benchmarks.averages import Average, Judged, by_group, group_figure, macro, micro, percent
from stages.benchmarks.items import Item, Loaded, first_file, items_of
from stages.benchmarks.multiple_choice import (
    LETTERS,
    announced,
    boxed,
    fallback_share,
    last,
    leading,
    said,
    score_letters,
    whole_line,
)  # fmt: skip
from stages.benchmarks.statistics import accuracy
from stages.benchmarks.subjects import CEVAL, CEVAL_HARD
from stages.benchmarks.tables import rows_of
from stages.data.files import DataError
from stages.rollout.engine import Prompt

CEVAL_FILES = ("val/*_val.csv", "*/val-*.parquet", "*_val.csv")
CEVAL_PROMPT_SOURCE = "zero-shot form of the authors (github.com/hkust-nlp/ceval, evaluators/chatgpt.py), without its system turn"
CEVAL_EXTRACTION = (
    "the authors' rules: a first character A to D, else the last hit of the first of their patterns "
    "('答案是X', '答案：X' ...), else their chain-of-thought patterns ('答案是X。', '选项X是正确的。'); where none hits: "
    "'answer is X', the last \\boxed{}, an announced letter ('故选X。', '【答案】X'), a first character (read_by_fallback)"
)
CEVAL_RULE = (
    "the letter equals the gold letter; mean over the 52 subjects of each subject's accuracy (macro), on the labelled val split"
)
CLUEWSC_FILES = ("test_public.json", "cluewsc2020/validation-*.parquet", "dev.json")
CLUEWSC_PROMPT_SOURCE = "zero-shot form of OpenCompass (FewCLUE_cluewsc); the report gives no prompt"
CLUEWSC_EXTRACTION = (
    "a first line that is a letter, else the last '答案是X' or '选X', 'answer is X', the last \\boxed{}, a bare 是 or 否, else "
    "OpenCompass's first capital letter"
)
CLUEWSC_RULE = "A for true, B for false; mean over the 976 items of FewCLUE's test_public split"
_PATTERNS = tuple(
    re.compile(form)
    for form in (
        *(r"^选([A-D])", r"^选项([A-D])", r"答案是\s?选?项?\s?([A-D])", r"答案为\s?选?项?\s?([A-D])"),
        *(r"答案应为\s?选?项?\s?([A-D])", r"答案选\s?选?项?\s?([A-D])", r"答案是:\s?选?项?\s?([A-D])"),
        *(r"答案应该是:\s?选?项?\s?([A-D])", r"正确的一项是\s?([A-D])", r"答案为:\s?选?项?\s?([A-D])"),
        *(r"答案应为:\s?选?项?\s?([A-D])", r"答案:\s?选?项?\s?([A-D])", r"答案是：\s?选?项?\s?([A-D])"),
        *(r"答案应该是：\s?选?项?\s?([A-D])", r"答案为：\s?选?项?\s?([A-D])", r"答案应为：\s?选?项?\s?([A-D])"),
        r"答案：\s?选?项?\s?([A-D])",
    )
)
_REASONED = tuple(re.compile(form) for form in (r"答案[是为][^。\nA-D]{0,9}([A-D])[^。\n]{0,3}。", r"选项([A-D])是正确的。"))
_CHOSEN = re.compile(r"(?:答案?[是为：: ]{0,9}|选择?[项：: ]{0,9})[“\"(（*]{0,4}([AB])(?![A-Za-z])")
_CAPITAL = re.compile(r"[A-Z]")
_CLAUSE = re.compile(r"[。，,.;；!！\n]")
_QUOTES = ' \t\r\n。.“”"*'
_YES = frozenset(["是", "是的", "对", "对的", "正确", "yes", "true"])
_NO = frozenset(["否", "不", "不是", "不是的", "不对", "错", "错误", "no", "false"])


def load_ceval(path: Path) -> Loaded:
    """The labelled val split: the authors' CSV files, or the hub's Parquet files, one a subject."""
    files = [path] if path.is_file() else next((sorted(path.glob(name)) for name in CEVAL_FILES if any(path.glob(name))), [])
    return Loaded([item for file in files for item in _ceval_items(file)], None, tuple(files))


def ceval_prompt(item: Item) -> Prompt:
    """The authors' line about the subject, question, options, "答案："."""
    subject = CEVAL[item.group][0]
    options = "".join(f"\n{letter}. {text}" for letter, text in zip(LETTERS, item.options, strict=False))
    return Prompt(
        f"以下是中国关于{subject}考试的单项选择题，请选出其中的正确答案。\n\n{item.question}{options}\n答案：", None, instruction=""
    )


def ceval_average(judged: Sequence[Judged]) -> Average:
    """Macro over subjects; beside it each group (macro over its subjects), C-Eval Hard and the micro average."""
    groups: dict[str, list[Judged]] = {}
    for one in judged:
        groups.setdefault(CEVAL[one.item.group][1], []).append(one)
    hard = [one for one in judged if one.item.group in CEVAL_HARD]
    figures = {group_figure(name): percent(macro(found, _subject).mean) for name, found in groups.items()}
    if hard:
        figures["accuracy_hard"] = percent(macro(hard, _subject).mean)
    figures["micro"] = percent(accuracy([one.rights for one in judged]).mean)
    figures["subjects"] = len(by_group(judged, _subject))
    return Average(macro(judged, _subject), {**figures, "read_by_fallback": fallback_share(judged)})


def ceval_letter(text: str) -> str | None:
    """The authors' zero-shot rule, then their chain-of-thought patterns. A first character that begins a word ("DNS...") is left
    to `first_letter`: their chain-of-thought rule does not look at it."""
    text = text.replace("**", "").strip()
    if text[:1] in tuple("ABCD") and not text[1:2].isalnum():
        return text[0]
    for pattern in (*_PATTERNS, *_REASONED):
        letter = last(pattern, text)
        if letter is not None:
            return letter
    return None


def first_letter(text: str) -> str | None:
    """The first character where it is A to D, whatever it begins."""
    first = text.replace("**", "").strip()[:1]
    return first if first in tuple("ABCD") else None


score_ceval = score_letters(
    {"the authors' patterns": ceval_letter},
    {
        "the first line": whole_line,
        "the start": leading,
        "answer is X": said,
        "the last box": boxed,
        "an announced letter": announced,
        "the first character": first_letter,
    },
)


def load_cluewsc(path: Path) -> Loaded:
    """FewCLUE's labelled test_public split; the hub's CLUEWSC2020 dev split is taken as the part that it is."""
    file = first_file(path, CLUEWSC_FILES)
    items = items_of(file, rows_of(file), _cluewsc_item)
    whole = file.name == "test_public.json"
    part = None if whole else f"{file.name}: {len(items)} items, not FewCLUE's test_public split of 976"
    return Loaded(items, part, (file,))


def cluewsc_prompt(item: Item) -> Prompt:
    """OpenCompass's question about the pronoun, with the options A (是) and B (否)."""
    return Prompt(f"{item.question}\nA. 是\nB. 否\n请从”A“，”B“中进行选择。\n答：", None, instruction="")


def cluewsc_average(judged: Sequence[Judged]) -> Average:
    """Micro over the items."""
    return Average(micro(judged).score, {"read_by_fallback": fallback_share(judged)})


def chosen(text: str) -> str | None:
    """The letter after the last "答案是", "答：" or "选"."""
    return last(_CHOSEN, text)


def yes_or_no(text: str) -> str | None:
    """A for a response whose first clause is just 是, 是的, 对 ..., B for 否, 不是 ..."""
    first = _CLAUSE.split(text.strip(_QUOTES), maxsplit=1)[0].strip(_QUOTES).lower()
    return "A" if first in _YES else "B" if first in _NO else None


def first_capital(text: str) -> str | None:
    """OpenCompass's first_capital_postprocess: the first capital letter, whatever it belongs to."""
    found = _CAPITAL.search(text)
    return found.group(0) if found else None


def announced_of_two(text: str) -> str | None:
    """A or B where a sentence names it as the chosen option."""
    return announced(text, ("A", "B"))


score_cluewsc = score_letters(
    {
        "the first line": whole_line, "答案是X": chosen, "answer is X": said, "the last box": boxed,
        "是 or 否": yes_or_no,
    },
    {"an announced letter": announced_of_two, "the first capital letter": first_capital},
)  # fmt: skip


def _ceval_items(file: Path) -> list[Item]:
    subject = file.stem.removesuffix("_val") if file.suffix == ".csv" else file.parent.name
    if subject not in CEVAL:
        raise DataError(f"{file}: {subject!r} is none of the 52 subjects of C-Eval; the file's name (or folder) must be one")

    def item(row: Mapping[str, Any]) -> Item:
        gold = str(row["answer"]).strip()
        if gold not in tuple("ABCD"):
            raise ValueError(f"the answer {gold!r} is none of A to D (the labels of the test split are withheld: use val)")
        options = tuple(str(row[letter]) for letter in "ABCD")
        return Item(f"{subject}/{int(row['id'])}", str(row["question"]), None, gold, subject, options)

    return items_of(file, rows_of(file), item)


def _cluewsc_item(row: Mapping[str, Any]) -> Item:
    label = {"true": "A", "false": "B", "0": "A", "1": "B"}.get(str(row["label"]).lower())
    if label is None:
        raise ValueError(f"the label {row['label']!r} is neither true nor false")
    target = row["target"]
    question = f"{row['text']}\n此处，“{target['span2_text']}”是否指代“{target['span1_text']}“？"
    return Item(str(row["idx"]), question, None, label, "CLUEWSC", ("是", "否"))


def _subject(item: Item) -> str:
    return item.group
