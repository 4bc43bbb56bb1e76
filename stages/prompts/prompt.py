"""What a model is asked."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Prompt:
    """One user turn: a question (without the answer-format instruction) and, or not, one picture."""

    question: str
    image: str | None
    """Path of the picture relative to the project's root."""
    instruction: str | None = None
    """None: the engine appends model.instruction of params.yaml; a string: exactly this instead ("" for none)."""
