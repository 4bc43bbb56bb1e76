"""Letters of options in responses: ways to find one, tried in a stated order, and the verdicts of what was found."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from stages.benchmarks.averages import Judged
from stages.benchmarks.benchmark import Item, Score
from stages.verifiers.boxes import last_box
from stages.verifiers.normal_forms import choice_form
from stages.verifiers.verdict import Verdict

Finder = Callable[[str], str | None]
LETTERS = "ABCDEFGHIJ"
_PUNCTUATION = " \t\r.,:;!?()[]{}<>\"'`*_#-。，：；！？（）【】“”‘’"
_LEADING = re.compile(r"\(?([A-J])(?:\)|[.:、．：])(?=\s|$)")
_SAID = re.compile(r"(?i:answer is)[ \t:]{0,9}\(?([A-J])(?![A-Za-z0-9])")
_SUBJECT_ID = re.compile(r"(?:(?:val|test|dev)[/_:.-])?(\w+?)(?:[/_:.-](?:val|test|dev)(?:\.csv)?)?[/_:.#-](\d{1,6})")


def whole_line(text: str) -> str | None:
    """The letter that the first line with text consists of, punctuation aside: "B", "(b)", "**B.**"."""
    line = next((line for line in text.splitlines() if line.strip()), "")
    bare = line.strip(_PUNCTUATION) if len(line) <= 80 else ""
    return bare.upper() if len(bare) == 1 and bare.upper() in LETTERS else None


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
