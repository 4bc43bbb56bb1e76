r"""Multiple choice as a question with a free answer (§2.1 excludes multiple choice), where the question makes sense without its
options and one number or formula answers it: "What is 3 + 4? (A) 6 (B) 7" becomes "What is 3 + 4?" with the answer 7."""

import re
from dataclasses import replace

from stages.problems.drafts import Draft, boxed, closing_with_box, number_verifier
from stages.verifiers.boxes import last_box
from stages.verifiers.normal_forms import choice_form, integer_form, text_form

LETTERS = "ABCDEFGHIJ"
_LISTED = re.compile(r"\n\s*(?:choices|options|answer choices)\s*:\s*(.+)\Z", re.IGNORECASE | re.DOTALL)
_LABELS = (re.compile(r"(?:(?<=\s)|^)\(([A-J])\)\s*"), re.compile(r"^\s*([A-J])[.:)]\s+", re.MULTILINE))
"""(A) anywhere; A. at the beginning of a line."""
_LEANS_ON_OPTIONS = re.compile(
    r"\b(?:which|of the following|these|those|choose|select|options?|choices?|statements?|closest|nearest|best|"
    r"(?:most|least) likely|could|might|may be|possible|possibly|approximate(?:ly)?|about how|estimate|except|not|one of|"
    r"respectively|(?:find|determine|calculate|what are)\b[^.?]*\band)\b",
    re.IGNORECASE,
)
"""Words of questions that only their options answer, that several answers would fit, or that ask for several things."""
_CATCH_ALL = re.compile(r"\b(?:none|all|both|neither|not enough|cannot|can't|impossible)\b", re.IGNORECASE)
_COMMAND = r"\\(?:[dt]?frac|sqrt|pi|cdot|times)(?![a-zA-Z])"
_FORMULA = re.compile(rf"\$?[-+]?(?:\d|\.\d|{_COMMAND})(?:[\d\s.,+*/^(){{}}-]|{_COMMAND})*\$?")


def freed(draft: Draft) -> tuple[Draft, str] | None:
    """The draft with a free answer and what was done, or None where it is no multiple choice or the change is not sound."""
    found = options_of(draft.question)
    if found is None:
        return None
    stem, options = found
    gold = _gold(draft.answer, options)
    if gold is None or _LEANS_ON_OPTIONS.search(stem) or any(_CATCH_ALL.search(option) for option in options):
        return None
    if integer_form(gold) is None and not _FORMULA.fullmatch(gold):
        return None
    if len({text_form(option) for option in options}) < len(options):
        return None
    answer = integer_form(gold) or gold.strip("$")
    solution = draft.solution_long
    if solution is not None:
        box = last_box(solution)
        solution = closing_with_box(solution, answer) if box is None or text_form(box) == text_form(answer) else None
    change = f"{len(options)} options taken away; the answer {draft.answer!r} is now {answer!r}"
    free = replace(draft, question=stem, answer=answer, verifier=number_verifier(answer), solution_short=boxed(answer))
    return replace(free, solution_long=solution), change


def options_of(question: str) -> tuple[str, list[str]] | None:
    """The question without its options, and these: a last line "Choices: 6; 7", or labels (A), (B) ... from A on, up to the end;
    None where there are no two of them."""
    if listed := _LISTED.search(question):
        stem, options = question[: listed.start()].rstrip(), [option.strip() for option in listed[1].split(";")]
        return (stem, options) if stem and len(options) > 1 and all(options) else None
    return next((found for label in _LABELS if (found := _labelled(question, label))), None)


def _labelled(question: str, label: re.Pattern[str]) -> tuple[str, list[str]] | None:
    labels = list(label.finditer(question))
    letters = "".join(label[1] for label in labels)
    start = letters.rfind("A")
    if start < 0 or len(labels) - start < 2 or not LETTERS.startswith(letters[start:]):
        return None
    labels = labels[start:]
    ends = [*(label.start() for label in labels[1:]), len(question)]
    options = [question[label.end() : end].strip().rstrip(",;").strip() for label, end in zip(labels, ends, strict=True)]
    stem = question[: labels[0].start()].rstrip()
    return (stem, options) if stem and all(options) else None


def _gold(answer: str, options: list[str]) -> str | None:
    """The option that is the answer: the one of its letter, or the one of the same text."""
    same = [option for option in options if text_form(option) == text_form(answer)]
    if same:
        return same[0]
    letter = choice_form(answer)
    place = LETTERS.index(letter) if letter else len(options)
    return options[place] if place < len(options) else None
