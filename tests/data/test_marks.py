"""What a problem is made of: one writing of each sign, whatever its dressing."""

import pytest

from stages.data.marks import figures, is_sign, marks, substance

SAME = [
    ("Compute $\\sin 60^\\circ$.", "Compute \\[\\sin 60°.\\]", "degrees, display style, full stop"),
    ("x^2 − 5x = 0", "$x^{2}-5x=0$", "a minus of Unicode, braces around one sign"),
    ("$2 \\times 3$", "2 · 3", "signs of multiplication"),
    ("$\\dfrac{1}{2}$", "\\frac{1}{2}", "sizes of a fraction"),
    ("$a \\le b$", "a ≤ b", "relations"),
    ("a two-digit number", "a two digit number", "a hyphen between words"),
    ("$\\overline{AB}$ is 5", "AB is 5", "the line over a segment"),
    ("$5 \\text{ cm}$", "5 cm", "text in mathematics"),
    ("How many **pens**?", "how many pens", "Markdown, case, question mark"),
    ("pages 3–5", "pages 3-5", "a dash between numbers"),
]
OTHER = [
    ("cos 150", "cos(-150)", "a minus"),
    ("5", "5!", "a factorial"),
    ("0.\\overline{3}", "0.3", "a repeating decimal"),
    ("3.5", "3 5", "a decimal point"),
    ("a < b", "a > b", "a relation"),
    ("2 + 2", "2 * 2", "an operator"),
    ("x_1", "x 1", "an index"),
    ("12", "1 2", "digits"),
]


@pytest.mark.parametrize(("one", "other", "why"), SAME, ids=[why for *_, why in SAME])
def test_dressing_is_no_difference(one: str, other: str, why: str) -> None:
    assert marks(one) == marks(other), why


@pytest.mark.parametrize(("one", "other", "why"), OTHER, ids=[why for *_, why in OTHER])
def test_signs_are(one: str, other: str, why: str) -> None:
    assert marks(one) != marks(other), why


def test_figures_stand_apart_from_the_wording() -> None:
    text = "What is x? [asy]draw((0,0)--(1,1));[/asy]"
    assert marks(text) == ["what", "is", "x"]
    assert figures(text) == ["[asy]draw((0,0)--(1,1));[/asy]"]
    assert figures(text.replace("--", " -- ")) == figures(text), "white space draws nothing"
    assert substance(text) == (("x",), tuple(figures(text)))


def test_what_is_a_sign() -> None:
    assert [mark for mark in marks("ab = 3.5 \\frac{c}{2} + 年") if is_sign(mark)] == ["=", "3.5", "frac", "2", "+"]
