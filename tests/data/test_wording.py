"""Normal form, words and boxes."""

import pytest

from stages.data.wording import ends_boxed, normalised, words


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("What is  2+2?", "what is 2+2", True),
        ("Find $\\left(x\\right)$.", "Find (x)", True),
        ("What is 2+2?", "What is 2-2?", False),
        ("Which number?\n<image1>", "Which number?", True),
        ("Caf\u00e9 prices?", "Cafe\u0301 prices?", True),
    ],
)
def test_normal_form(one, other, same):
    assert (normalised(one) == normalised(other)) is same


def test_words():
    assert words("It's 3.5 km, isn't it?") == ["it", "s", "3", "5", "km", "isn", "t", "it"]
    assert words("税法 tax") == ["税", "法", "tax"]
    assert words("a [asy] draw(x); [/asy] b") == ["a", "b"]


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("so \\boxed{5}", True),
        ("so $\\boxed{\\frac{1}{2}}$.", True),
        ("so \\[\\boxed{5}\\]\n", True),
        ("so \\boxed{\\{1, 2\\}}", True),
        ("so \\boxed{[0, \\} 1]}", True),
        ("\\boxed{5} apples", False),
        ("\\boxed{5", False),
        ("five", False),
        ("\\boxed{4} then \\boxed{5}", True),
    ],
)
def test_ends_boxed(response, expected):
    assert ends_boxed(response) is expected
