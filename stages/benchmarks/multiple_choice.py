"""Letters of options in responses: ways to find one, tried in a stated order, and the verdicts of what was found."""

import re
import string
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from stages.benchmarks.averages import Judged
from stages.benchmarks.benchmark import Item, Score
from stages.verifiers.boxes import last_box
from stages.verifiers.dressing import plain
from stages.verifiers.normal_forms import CHOICES, choice_form
from stages.verifiers.verdict import Verdict

Finder = Callable[[str], str | None]
LETTERS = string.ascii_uppercase
"""Names of options in their order."""
MAX_SEARCHED = 1 << 16
"""Characters of a response, counted from its end, in which an announced letter is sought."""
_PUNCTUATION = " \t\r.,:;!?()[]{}<>\"'`*_#-。，：；！？（）【】“”‘’"
_LEADING = re.compile(r"\(?([A-J])(?:\)|[.:、．：])(?=\s|$)")
_SAID = re.compile(r"(?i:answer is)[ \t:]{0,9}\(?([A-J])(?![A-Za-z0-9])")
_TAG = re.compile(r"<(/?)(\w{1,20})>")
_OPEN = r"[\s:;=\"'“”‘’(\[「【]{0,9}"
_ALONE = r"(?![A-Za-z0-9'’])(?!\s{0,3}(?:[、,/&和或与]|or\b|and\b)\s{0,3}\(?[A-Z](?![A-Za-z]))"
_NAMED = r"(?i:answer|option|choice|选项|答案)"
_UNFIT = r"(?!\)?\s{0,3}(?:选?项)?(?:是|为)?(?:错|不|有误|排除))"
_ANNOUNCED = (
    re.compile(rf"{_NAMED}\s{{0,3}}(?:(?i:is|are|would be|should be|must be|will be)\b|[:=\n】\]])\s{{0,9}}"
               rf"(?i:(?:also |clearly |therefore |thus |most likely )?(?:option|choice|letter)\b)?{_OPEN}([A-Z]){_ALONE}"),
    re.compile(rf"(?i:\b(?:choose|select|pick|chose|selected|go with)\b)(?i: the)?(?i: option| answer| choice| letter)?{_OPEN}"
               rf"([A-Z]){_ALONE}"),
    re.compile(r"(?<![A-Za-z0-9])\(?([A-Z])\)?[.:]?\s{1,3}(?i:is|would be)\s(?i:the\s)?"
               r"(?i:(?:most )?(?:correct|right|best|appropriate))(?![A-Za-z])"),
    re.compile(rf"(?:答案|答)[应该当】\]」]{{0,3}}[是为选择项]{{0,3}}{_OPEN}([A-Z]){_ALONE}{_UNFIT}"),
    re.compile(rf"(?<![不误错])(?<!不能)(?<!不应)(?<!不该)(?<!不可)选(?:择|项(?=[是为:应]))?[应该是为]{{0,3}}{_OPEN}([A-Z]){_ALONE}{_UNFIT}"),
    re.compile(r"(?<![A-Za-z0-9、和与或])([A-Z])(?:选?项)?(?:是|为)?(?:最)?(?:正确|对的|符合题意)"),
)  # fmt: skip
"""Sentences that name the option that is chosen, by their last letter; not those that rule one out, or name two."""
_SUBJECT_ID = re.compile(r"(?:(?:val|test|dev)[/_:.-])?(\w+?)(?:[/_:.-](?:val|test|dev)(?:\.csv)?)?[/_:.#-](\d{1,6})")


def bare_text(text: str) -> str:
    """The end of a response without Markdown, LaTeX faces, delimiters and tags, in the plain forms of letters and brackets."""
    text = _TAG.sub(lambda tag: " " if tag[1] else f" {tag[2]}: ", text[-MAX_SEARCHED:])
    return unicodedata.normalize("NFKC", plain(re.sub(r"[*`#]+|__", "", text))).strip()


def announced(text: str, letters: Sequence[str] = CHOICES) -> str | None:
    """The letter of the last sentence that names the chosen option: "the correct option is **C**", "Answer:\\n(C)", "故选C。",
    "【答案】C"; else the letter that the last line consists of, or stands in front of in it: "C) five". None for none."""
    bare = bare_text(text)
    found = [match for pattern in _ANNOUNCED for match in pattern.finditer(bare) if match[1] in letters]
    if found:
        return str(max(found, key=lambda match: match.end(1))[1])
    closing = bare.rpartition("\n")[2]
    letter = choice_form(closing, letters) if len(closing) <= 200 else None
    return letter if letter is not None and letter in closing else None


def whole_line(text: str) -> str | None:
    """The letter that the first line with text consists of, punctuation aside: "B", "(b)", "**B.**"."""
    line = next((line for line in text.splitlines() if line.strip()), "")
    bare = line.strip(_PUNCTUATION) if len(line) <= 80 else ""
    return bare.upper() if len(bare) == 1 and bare.upper() in CHOICES else None


def leading(text: str) -> str | None:
    """The letter in front of the option's text at the start: "B. seven", "(B) seven"."""
    found = _LEADING.match(text.lstrip(" \t\r\n*"))
    return found.group(1) if found else None


def said(text: str) -> str | None:
    """The letter after the last "answer is"."""
    return last(_SAID, text)


def boxed(text: str) -> str | None:
    r"""The letter in the last \boxed{}."""
    box = last_box(text)
    return choice_form(box) if box is not None and len(box) <= 200 else None


def last(pattern: re.Pattern[str], text: str) -> str | None:
    """The last match of `pattern`, its first group."""
    hits = pattern.findall(text)
    return str(hits[-1]) if hits else None


def score_letters(official: Mapping[str, Finder], fallback: Mapping[str, Finder]) -> Score:
    """Judges by the first of the named finders that finds a letter: those of the official scorer, then the fallback.

    A letter that only the fallback found has details {"fallback": its name}."""

    def score(pairs: Sequence[tuple[Item, str]], _workers: int, _seconds: float) -> list[Verdict]:
        return [_judge(item, text) for item, text in pairs]

    def _judge(item: Item, text: str) -> Verdict:
        for name, find in (*official.items(), *fallback.items()):
            letter = find(text)
            if letter is not None:
                return letter_verdict(item, letter, f"found by: {name}", {} if name in official else {"fallback": name})
        return Verdict("wrong", None, "no letter of an option was found" if text.strip() else "the response is empty")

    return score


def letter_verdict(item: Item, letter: str, how: str, details: Mapping[str, Any]) -> Verdict:
    """Right when `letter` is the gold letter as written."""
    right = letter == item.gold
    return Verdict("right" if right else "wrong", letter, how if right else f"{how}; expected {item.gold}", details)


def score_extracted(pairs: Sequence[tuple[Item, str]], _workers: int, _seconds: float) -> list[Verdict]:
    """Judges letters that were extracted already: "B", "(B)", "B."; anything else is wrong."""
    verdicts = []
    for item, text in pairs:
        letter = choice_form(text) if len(text) <= 200 else None
        given = text[:200] or None
        verdicts.append(
            Verdict("wrong", given, "the extraction is no letter of an option")
            if letter is None
            else letter_verdict(item, letter, "as extracted", {})
        )
    return verdicts


def fallback_share(judged: Sequence[Judged]) -> float:
    """Percentage of the letters found that only the fallback found."""
    read = [verdict for one in judged for verdict in one.verdicts if verdict.extracted is not None]
    return round(100 * sum("fallback" in verdict.details for verdict in read) / max(1, len(read)), 2)


def subject_id(row: Mapping[str, Any]) -> str | None:
    """The id "subject/number" of a row of responses: written so in `id` ("-", "_" or ":" will do, and the name of the split
    may stand in it), or the fields `subject` and one of `i`, `index`, `idx`, `id` (numbers count from 0)."""
    number = next((row[name] for name in ("i", "index", "idx", "id") if row.get(name) is not None), None)
    if number is None:
        return None
    found = _SUBJECT_ID.fullmatch(str(number)[:200])
    if found:
        return f"{found.group(1)}/{int(found.group(2))}"
    if row.get("subject") is not None and re.fullmatch(r"\d{1,6}", str(number)):
        return f"{str(row['subject']).replace(' ', '_')}/{int(number)}"
    return str(number)
