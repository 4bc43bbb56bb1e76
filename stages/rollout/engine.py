"""What a generation engine is. Stages see only this Protocol; tests use `scripted`, laptops `transformers_engine`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from stages.prompts.prompt import Prompt

__all__ = ["Completion", "Engine", "Prompt", "Sampling"]


@dataclass(frozen=True)
class Sampling:
    """How to draw responses."""

    temperature: float
    """0 means greedy."""
    top_p: float
    max_tokens: int
    """Response tokens at most; a response cut there has finish "length"."""
    seed: int


@dataclass(frozen=True)
class Completion:
    """One response, token ids kept as sampled (they are never decoded and tokenised again)."""

    text: str
    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    """Natural log-probability of each token under the distribution it was drawn from before top-p (temperature applied)."""
    finish: Literal["stop", "length"]
    prompt_tokens: int | None = None
    """Tokens of the prompt, pictures included; None where the engine does not count them."""


class Engine(Protocol):
    """A model that answers prompts."""

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling, samples: int = 1) -> list[list[Completion]]:
        """`samples` completions for each prompt, in the order of `prompts`. Raises DataError for a prompt over the context."""
        ...
