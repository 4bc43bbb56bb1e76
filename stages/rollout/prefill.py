"""Prefixes that the model has read, many side by side: a prompt, its pictures, the tokens of its response that exist already."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers.cache_utils import DynamicCache

from stages.models.positions import multimodal_positions, position_ids
from stages.prompts.render import Rendered, join_pixels

PREFILL_TOKENS = 16384
"""Tokens, padding included, that the model reads at once."""
PADDING = 512
"""Tokens of padding that cost no more than another pass of the model."""


@dataclass(frozen=True)
class Prefix:
    """What comes before the next token of a response."""

    prompt: Rendered
    start: tuple[int, ...]
    """Tokens of the response so far."""

    @property
    def length(self) -> int:
        return len(self.prompt.token_ids) + len(self.start)


@dataclass(frozen=True)
class Prefilled:
    """Prefixes as the model has read them, B lines padded on the left."""

    cache: DynamicCache
    logits: torch.Tensor
    """Of the next token, (B, V)."""
    positions: torch.Tensor
    """Of the next token, (P, B); P as in `position_ids`."""
    lengths: tuple[int, ...]


def parts_of(lengths: Sequence[int]) -> list[range]:
    """Prefixes of these lengths, in order, cut so that no part but one of a single prefix is more than PREFILL_TOKENS with its
    padding, and so that padding is at most half of the real tokens and PADDING more: responses that are continued differ much."""
    parts: list[range] = []
    longest = real = 0
    for place, length in enumerate(lengths):
        longest, real = max(longest, length), real + length
        padded = (len(parts[-1]) + 1) * longest if parts else 0
        if parts and padded <= min(PREFILL_TOKENS, 1.5 * real + PADDING):
            parts[-1] = range(parts[-1].start, place + 1)
        else:
            parts.append(range(place, place + 1))
            longest = real = length
    return parts


def prefill(model: Any, prefixes: Sequence[Prefix], pad_id: int) -> Prefilled:
    """Run the model over `prefixes`, each once."""
    count, width = len(prefixes), max(prefix.length for prefix in prefixes)
    ids = torch.full((count, width), pad_id)
    mask = torch.zeros((count, width), dtype=torch.long)
    kinds = 4 if multimodal_positions(model) else 1
    positions = torch.zeros((kinds, count, width), dtype=torch.long)
    following = torch.zeros((kinds, count), dtype=torch.long)
    per_token: dict[str, torch.Tensor] = {}
    for row, prefix in enumerate(prefixes):
        start, end = width - prefix.length, width - len(prefix.start)
        ids[row, start:] = torch.tensor((*prefix.prompt.token_ids, *prefix.start))
        mask[row, start:] = 1
        places = position_ids(model, prefix.prompt, len(prefix.start) + 1)
        positions[:, row, start:], following[:, row] = places[:, :-1], places[:, -1]
        for name, value in prefix.prompt.per_token.items():
            per_token.setdefault(name, torch.zeros_like(ids))[row, start:end] = value
    inputs = {"input_ids": ids, "attention_mask": mask, **per_token, **join_pixels([[prefix.prompt] for prefix in prefixes])}
    cache = DynamicCache(config=model.config.get_text_config())
    out = model(
        **{name: value.to(model.device) for name, value in inputs.items()},
        position_ids=(positions if kinds > 1 else positions[0]).to(model.device),
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    )
    return Prefilled(cache, out.logits[:, -1], following.to(model.device), tuple(prefix.length for prefix in prefixes))
