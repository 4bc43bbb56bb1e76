"""How IF-Eval compares a count with a number: "less than" or "at least", the only relations in it."""

from collections.abc import Iterable
from itertools import islice
from typing import Any

AT_LEAST, LESS_THAN = "at least", "less than"
RELATIONS = (LESS_THAN, AT_LEAST)


def holds(found: Iterable[Any], relation: str, number: int) -> bool:
    """Whether `found` has at least, or less than, `number` elements; no more of them are looked at than that takes."""
    reached = sum(1 for _ in islice(found, number)) >= number
    return reached is (relation == AT_LEAST)
