"""Position ids, computed by us in one place, so that packing and generation agree for every architecture."""

from typing import Any

import torch

from stages.prompts.render import Rendered


def position_ids(model: Any, sample: Rendered, response_tokens: int) -> torch.Tensor:
    """Positions (P, L) of a prompt followed by `response_tokens` text tokens: P = 1 for one-dimensional positions; P = 4 for
    Qwen's multimodal rotary embedding: the text position (by which transformers finds packed samples), then time, height, width."""
    length = len(sample.token_ids)
    text = torch.arange(length + response_tokens)[None]
    if not multimodal_positions(model):
        return text
    grid = sample.pixels.get("image_grid_thw")
    if grid is None:
        return text.expand(4, -1)
    ids = torch.tensor([sample.token_ids])
    kinds = sample.per_token["mm_token_type_ids"][None]
    spatial, _ = model.model.get_rope_index(ids, mm_token_type_ids=kinds, image_grid_thw=grid)
    spatial = spatial[:, 0, :]
    following = spatial.max() + 1 + torch.arange(response_tokens)
    spatial = torch.cat([spatial, following.expand(3, -1)], dim=1)
    return torch.cat([text, spatial])


def multimodal_positions(model: Any) -> bool:
    """Whether the architecture has positions of time, height and width."""
    return hasattr(getattr(model, "model", None), "get_rope_index")
