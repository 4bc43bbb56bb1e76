"""Prompts that do not fit: a question with its picture may take at most half of the model's context."""

from collections.abc import Callable, Sequence

from stages.data.records import Problem

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
