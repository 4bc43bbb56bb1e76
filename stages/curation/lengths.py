"""Prompts that do not fit: a question with its picture may take at most half of the model's context."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from stages.data.records import Problem
from stages.prompts.prompt import Prompt
from stages.run.params import Model

PROMPT_SHARE = 0.5
"""Ours: the other half is left for the response, whatever limit rl and evaluate set later."""


def too_long(problems: Sequence[Problem], tokens_of: Callable[[Sequence[Problem]], list[int]], context: int) -> dict[str, str]:
    """id -> reason for every problem whose prompt takes more than PROMPT_SHARE of `context` tokens.

    `tokens_of` gives the prompts' lengths in tokens, pictures and chat template included."""
    limit = int(PROMPT_SHARE * context)
    lengths = tokens_of(problems)
    return {
        problem.id: f"a prompt of {length} tokens, over {limit} (half of model.context)"
        for problem, length in zip(problems, lengths, strict=True)
        if length > limit
    }


def prompt_tokens(checkpoint: Path, model: Model) -> Callable[[Sequence[Problem]], list[int]]:
    """Counts the tokens of problems' prompts as the model reads them, a few at a time (pictures take memory)."""
    from stages.models.loading import load_processor
    from stages.prompts.render import Renderer

    renderer = Renderer.of(load_processor(checkpoint), model, context=sys.maxsize)

    def tokens_of(problems: Sequence[Problem]) -> list[int]:
        prompts = [Prompt.of(problem) for problem in problems]
        groups = [prompts[start : start + 64] for start in range(0, len(prompts), 64)]
        return [len(rendered.token_ids) for group in groups for rendered in renderer.render(group)]

    return tokens_of
