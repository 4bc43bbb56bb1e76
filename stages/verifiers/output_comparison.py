"""Whether what a program printed or returned is what was expected: exactly as LiveCodeBench's harness compares, or with a
tolerance.

Judges of contests allow a difference of 1e-6, absolute or relative, where an answer is a number with a point (for example
codeforces.com/blog/entry/18431, testlib's doubleCompare); whole numbers and words must be the same."""

import json
import math
from decimal import Decimal, InvalidOperation
from typing import Any

TOLERANCE = 1e-6
MAX_NUMBER = 50_000
"""Characters of a token that may be a number."""


def same_output(printed: str, expected: str) -> bool:
    """Whether LiveCodeBench's comparison accepts `printed`."""
    return _alike(printed, expected, None)


def close_output(printed: str, expected: str, tolerance: float) -> bool:
    """The same, where a number with a point may differ by `tolerance`."""
    return _alike(printed, expected, tolerance)


def same_result(printed: str, expected: str) -> bool:
    """Whether what a harness told of a result is equal to the JSON value `expected`."""
    return close_result(printed, expected, 0.0)


def close_result(printed: str, expected: str, tolerance: float) -> bool:
    """The same, where floats may differ by `tolerance`."""
    try:
        return _close(json.loads(printed), _told(json.loads(expected)), tolerance)
    except (ValueError, RecursionError):
        return False


def _alike(printed: str, expected: str, tolerance: float | None) -> bool:
    mine, theirs = ([line.strip() for line in text.strip().split("\n")] for text in (printed, expected))
    if len(mine) != len(theirs):
        return False
    return all(a == b or _same_numbers(a, b, tolerance) for a, b in zip(mine, theirs, strict=True))


def _same_numbers(first: str, second: str, tolerance: float | None) -> bool:
    """Whether two lines hold the same numbers, token by token; with a tolerance also the same words between them."""
    one, other = first.split(), second.split()
    if len(one) != len(other) or any(len(token) > MAX_NUMBER for token in (*one, *other)):
        return False
    if tolerance is not None:
        return all(a == b or _near(a, b, tolerance) for a, b in zip(one, other, strict=True))
    try:
        return [Decimal(token) for token in one] == [Decimal(token) for token in other]
    except InvalidOperation:
        return False


def _near(given: str, expected: str, tolerance: float) -> bool:
    """Whether a token is the expected number; within the tolerance where that has a point or an exponent."""
    try:
        a, b = Decimal(given), Decimal(expected)
    except InvalidOperation:
        return False
    if a == b:
        return True
    whole = expected.lstrip("+-").isdigit()
    return not whole and math.isclose(float(a), float(b), rel_tol=tolerance, abs_tol=tolerance)


def _told(value: Any) -> Any:
    """A JSON value as sandboxed_tests.py tells it."""
    if isinstance(value, list):
        return {"list": [_told(one) for one in value]}
    if isinstance(value, dict):
        return {"pairs": [[name, _told(one)] for name, one in value.items()]}
    return value


def _close(one: Any, other: Any, tolerance: float) -> bool:
    if isinstance(one, float) and isinstance(other, float) and tolerance > 0:
        return math.isclose(one, other, rel_tol=tolerance, abs_tol=tolerance)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_close(a, b, tolerance) for a, b in zip(one, other, strict=True))
    if isinstance(one, dict) and isinstance(other, dict) and tolerance > 0:
        return one.keys() == other.keys() and all(_close(one[name], other[name], tolerance) for name in one)
    return bool(one == other)
