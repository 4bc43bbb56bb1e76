"""What a model is asked."""

import re
from dataclasses import dataclass

from stages.data.records import Demonstration, Problem

BOXED = frozenset({"integer", "math", "text", "choice"})
"""Verifiers that read a boxed answer: their questions end in model.instruction of params.yaml. Programs, texts that must follow
instructions, and free-form answers are asked for by the question alone."""
_MARK = re.compile(r"<image (\d{1,2})>")


@dataclass(frozen=True)
class Picture:
    """A picture's place in a turn."""

    path: str


@dataclass(frozen=True)
class Prompt:
    """One user turn: a question (without the answer-format instruction) and, or not, pictures."""

    question: str
    image: str | tuple[str, ...] | None
    """Path of the picture relative to the project's root: it comes first. Several: the n-th stands at each mark `<image n>` of
    the question, and first if it has none."""
    instruction: str | None = None
    """None: the engine appends model.instruction of params.yaml; a string: exactly this instead ("" for none)."""
    begun: str = ""
    """How the response begins: the model goes on from there, and its completion is what follows. A checkpoint's engine only."""

    @property
    def images(self) -> tuple[str, ...]:
        """Paths of all pictures, in the order in which the benchmark numbers them."""
        if self.image is None:
            return ()
        return (self.image,) if isinstance(self.image, str) else self.image

    def turn(self, instruction: str) -> list[str | Picture]:
        """Texts and pictures as the model sees them, `instruction` on a line of its own at the end unless the prompt has one."""
        last = instruction if self.instruction is None else self.instruction
        text = f"{self.question}\n{last}" if last else self.question
        marks = [mark for mark in _MARK.finditer(self.question) if isinstance(self.image, tuple) and self._has(mark)]
        marked = {int(mark[1]) for mark in marks}
        turn: list[str | Picture] = [Picture(path) for number, path in enumerate(self.images, 1) if number not in marked]
        start = 0
        for mark in marks:
            turn += [text[start : mark.start()], Picture(self.images[int(mark[1]) - 1])]
            start = mark.end()
        return [part for part in [*turn, text[start:]] if part]

    @classmethod
    def of(cls, asked: Problem | Demonstration) -> "Prompt":
        """A problem as it is asked in every stage, its instruction by its verifier."""
        return cls(asked.question, asked.image, None if asked.verifier in BOXED else "")

    def _has(self, mark: re.Match[str]) -> bool:
        return 1 <= int(mark[1]) <= len(self.images)
