"""IF-Eval's instructions on keywords and letters.

Keywords are regular expressions of the benchmark's own data, not escaped, as in the official code."""

import re
from collections.abc import Sequence

from stages.verifiers.instruction_following_counts import AT_LEAST, holds


def existence(response: str, keywords: Sequence[str]) -> bool:
    """Every keyword occurs, also inside a word."""
    return all(re.search(keyword, response, re.IGNORECASE) for keyword in keywords)


def forbidden_words(response: str, forbidden_words: Sequence[str]) -> bool:
    """None of the words occurs as a word of its own."""
    return not any(re.search(rf"\b{word}\b", response, re.IGNORECASE) for word in forbidden_words)


def frequency(response: str, keyword: str, frequency: int, relation: str) -> bool:
    """The keyword occurs so often, also inside words."""
    return holds(re.finditer(keyword.strip(), response, re.IGNORECASE), relation, frequency)


def letter_frequency(response: str, letter: str, let_frequency: int, let_relation: str) -> bool:
    """The character occurs so often, capital or small.

    Counted as written also where it is no letter ("#", "!"): earlier official code put a random letter in its place."""
    return (response.lower().count(letter.strip().lower()) >= let_frequency) is (let_relation == AT_LEAST)
