"""The reader of answers: golden cases of every kind, and the borders between what is read to its end and what is refused."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.verifiers.answer_reader import readings
from stages.verifiers.answer_rules import verifier_for
from stages.verifiers.answer_tokens import UnreadableError
from stages.verifiers.math_answer import equal
from stages.verifiers.verdict import answerable_all, verify_all

CASES = [json.loads(line) for line in Path("tests/cases/answers.jsonl").read_text(encoding="utf-8").splitlines()]
DRESSES = st.sampled_from(
    [
        *(
            "%s",
            "{%s}",
            "\\boldsymbol{%s}",
            "\\mathbf{\\text{%s}}",
            "\\color{red}{%s}",
            "$%s$",
            "\\[%s\\]",
            "**%s**",
            "%s.",
            "x = %s",
        ),
        *(
            "\\text{Answer: }%s",
            "%s \\text{ apples}",
            "\\left(%s\\right)",
            "\\displaystyle %s",
            "%s^\\circ",
            "{\\large %s}",
            "%s = %s",
        ),
    ]
)
JUNK = st.sampled_from(
    [
        *("\\foo", "\\star", "^", "_", "\\times", "\\neq", "\\sqrt", "\\frac", "{", "}", "\\cdot", "\\pm\\pm", "?!", "@", "\\bmod"),
        *(" or 1", ", 1", " 1", "\\ldots", "=1=2", " and more", "\\not", "<", "!=", "\\{", "\\begin{x}", "|", "ab\\"),
    ]
)


def test_golden_cases_of_every_kind() -> None:
    """All in one call, so that the worker processes start once."""
    verdicts = verify_all([(case["verifier"], case["gold"], f"\\boxed{{{case['answer']}}}") for case in CASES])
    wrong = [
        (case["gold"], case["answer"], case["why"], verdict)
        for case, verdict in zip(CASES, verdicts, strict=True)
        if verdict.outcome != case["outcome"]
    ]
    assert wrong == []


def test_each_gold_answer_of_the_cases_is_right_or_excluded() -> None:
    pairs = sorted({(case["verifier"], case["gold"]) for case in CASES})
    reasons = answerable_all(pairs)
    excluded = [pair for pair, reason in zip(pairs, reasons, strict=True) if reason is not None]
    assert excluded == [("integer", "3x-y+13=0"), ("math", "10^{10^{10}}"), ("math", "\\foo{5}")]
    verdicts = verify_all([(verifier, gold, f"\\boxed{{{gold}}}") for verifier, gold in pairs])
    assert all(verdict.outcome == "right" for verdict in verdicts)


@settings(deadline=None, max_examples=150)
@given(st.integers(-(10**12), 10**12), DRESSES)
def test_a_number_in_any_dress_is_that_number_and_no_other(number: int, dress: str) -> None:
    written = dress.replace("%s", str(number))
    assert equal(str(number), written)[0] == "right"
    assert equal(str(number + 1), written)[0] == "wrong"
    assert equal(str(-number or 1), written)[0] == "wrong"


@settings(deadline=None, max_examples=150)
@given(st.integers(2, 10**6), JUNK, st.booleans())
def test_what_is_not_read_is_never_dropped(number: int, junk: str, before: bool) -> None:
    """Junk at either end of the right number: never right."""
    assert equal(str(number), f"{junk} {number}" if before else f"{number} {junk}")[0] == "wrong"


@settings(deadline=None, max_examples=100)
@given(
    st.integers(1, 999),
    st.lists(st.integers(0, 999), min_size=1, max_size=3),
    st.sampled_from([",", "{,}", ",\\!", "\\,", ",\\! "]),
)
def test_thousands_are_separated_in_five_ways(first: int, groups: list[int], mark: str) -> None:
    digits = "".join(f"{group:03d}" for group in groups)
    written = mark.join([str(first), *(f"{group:03d}" for group in groups)])
    assert equal(f"{first}{digits}", written)[0] == "right"
    assert equal(f"{first}{digits}1", written)[0] == "wrong"


@settings(deadline=None, max_examples=100)
@given(st.fractions(max_denominator=999), st.fractions(max_denominator=999))
def test_fractions_are_equal_as_numbers_are(one: object, other: object) -> None:
    def latex(value: object) -> str:
        top, _, bottom = str(value).partition("/")
        sign, top = ("-", top[1:]) if top.startswith("-") else ("", top)
        return f"{sign}\\frac{{{top}}}{{{bottom or 1}}}"

    assert (equal(latex(one), str(other))[0] == "right") == (one == other)


@settings(deadline=None)
@given(st.text(alphabet="0123456789+-*/^_{}()[]\\,.;:=<>|!%$ xyeifdnabcosqrt", max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(UnreadableError):
        assert readings(text)


@pytest.mark.parametrize(
    "text", ["(" * 900, "{" * 900 + "1" + "}" * 900, "\\sqrt" * 300, "\\frac" * 300, "-" * 1900, "1" * 1900, "|" * 900]
)
def test_deep_nesting_is_refused_and_length_is_no_depth(text: str) -> None:
    with suppress(UnreadableError):
        assert readings(text)


@pytest.mark.parametrize(
    ("answer", "verifier"),
    [
        *(
            ("7", "integer"),
            ("-7", "integer"),
            ("1,000", "integer"),
            ("\\textbf{7}", "integer"),
            ("7.5", "math"),
            ("1e-05", "math"),
        ),
        *(("3x-y+13=0", "math"), ("x=5", "math"), ("x+y", "math"), ("\\frac{1}{2}", "math"), ("7 cm", "math"), ("(2, 3)", "math")),
        *(
            ("New York", "text"),
            ("New\\ York", "text"),
            ("Evelyn", "text"),
            ("B", "text"),
            ("rock & roll", "text"),
            ("yes", "text"),
        ),
        *(("\\text{Evelyn}", "text"), ("\\pi", "math"), ("\\foo{5}", "math"), ("true", "text")),
    ],
)
def test_the_rule_of_a_row_follows_what_its_answer_reads_as(answer: str, verifier: str) -> None:
    assert verifier_for(answer) == verifier
