"""Problems for tests."""

from typing import Any

from stages.data.records import Problem


def made(number: int, **changed: Any) -> Problem:
    """A sound text problem whose answer is `number` + 1."""
    fields: dict[str, Any] = {
        "id": f"p{number}",
        "source": "mine",
        "licence": "MIT",
        "family": "sums",
        "domain": "mathematics",
        "discipline": "algebra",
        "modality": "text",
        "question": f"What is {number} + 1?",
        "image": None,
        "answer": str(number + 1),
        "verifier": "integer",
        "grade": 1,
        "split": "train",
        "solution_short": f"\\boxed{{{number + 1}}}",
        "solution_long": None,
        "parameters": {},
    }
    return Problem(**{**fields, **changed})
