"""The four behaviours of a long chain of thought (§2.2), counted by the phrases that real solutions show them with.

The report names planning, evaluation, reflection and exploration but no way to count them; the phrases are ours."""

import re

PHRASES: dict[str, str] = {
    "planning": r"\b(?:first|to (?:find|determine|solve|see)|we (?:need|want) to|let us|let's|let \w|plan|step \d)\b",
    "evaluation": r"\b(?:check|verify|verif\w+|substitut\w+|make sure|confirm\w*)\b|=",
    "reflection": r"\b(?:wait|however|but|actually|mistake|instead|not (?:equal|possible|the same)|wrong|reconsider)\b",
    "exploration": r"\b(?:alternatively|another way|otherwise|try|suppose|case \d|or (?:we|else)|consider)\b",
}
_PATTERNS = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in PHRASES.items()}


def count_behaviours(text: str) -> dict[str, int]:
    """How often each behaviour's phrases occur in a worked solution."""
    return {name: len(pattern.findall(text)) for name, pattern in _PATTERNS.items()}
