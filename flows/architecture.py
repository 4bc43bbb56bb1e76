"""The size and shape of a model, as the fields of its config give them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stages.run.params import Base

PATCH, MERGED = 8, 16
"""Pixels of a patch of the scratch model's vision tower, and of a token's side (stages/models/scratch.py)."""
NORMED = ("qwen3", "qwen3_moe", "qwen3_vl", "gemma3", "gemma3_text", "olmo2")
"""Model types that normalise queries and keys."""


@dataclass(frozen=True)
class Vision:
    """The vision tower."""

    hidden: int
    layers: int
    intermediate: int
    patch: int
    """Side of a patch in pixels."""
    merged: int
    """Patches that make one token of the language model (1 where the config does not say)."""


@dataclass(frozen=True)
class Model:
    """Size and shape of the model, as far as they are known before it is there."""

    weights: int | None
    source: str
    """Where `weights` comes from, or what would tell."""
    hidden: int = 0
    layers: int = 0
    queries: int = 0
    """Heads times the size of a head."""
    keys: int = 0
    """Key-value heads times the size of a head."""
    intermediate: int = 0
    vocabulary: int = 0
    normed: bool = False
    """Whether queries and keys are normalised."""
    longest: int | None = None
    """Tokens that the positions reach."""
    vision: Vision | None = None

    @property
    def cached(self) -> int:
        """Numbers that the key-value cache holds for a token."""
        return 2 * self.layers * self.keys


def of_config(config: Mapping[str, Any], source: str) -> Model:
    """The shape that the fields of a config.json give; `weights` stays unknown. Where it leaves fields out, transformers fills
    them in."""
    text = config.get("text_config") or config
    needed = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size")
    if any(not isinstance(text.get(name), int) for name in needed):
        from stages.models.counting import configured

        whole = configured(config)
        text = whole.get_text_config().to_dict()
        config = whole.to_dict()
    heads, hidden = int(text["num_attention_heads"]), int(text["hidden_size"])
    head = int(text.get("head_dim") or hidden // heads)
    active = int(text.get("num_experts_per_tok") or 1)
    return Model(
        None,
        source,
        hidden=hidden,
        layers=int(text["num_hidden_layers"]),
        queries=heads * head,
        keys=int(text.get("num_key_value_heads") or heads) * head,
        intermediate=active * int(text.get("moe_intermediate_size") or text["intermediate_size"]),
        vocabulary=int(text["vocab_size"]),
        normed=str(text.get("model_type") or config.get("model_type")) in NORMED,
        longest=text.get("max_position_embeddings"),
        vision=_vision(config.get("vision_config")),
    )


QWEN_VISION = {"depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "patch_size": 14, "spatial_merge_size": 2}
"""What transformers' Qwen2_5_VLVisionConfig takes where a config.json leaves it out."""


def _vision(config: Mapping[str, Any] | None) -> Vision | None:
    if not config:
        return None
    given = {**QWEN_VISION, **config} if config.get("model_type") == "qwen2_5_vl" else config

    def first(*names: str) -> int:
        return next((int(given[name]) for name in names if isinstance(given.get(name), int)), 0)

    hidden = first("hidden_size", "embed_dim")
    return Vision(
        hidden,
        first("depth", "num_hidden_layers"),
        first("intermediate_size") or 4 * hidden,
        first("patch_size", "spatial_patch_size") or 14,
        max(1, first("spatial_merge_size")) ** 2,
    )


def of_scratch(base: Base) -> Model:
    """The tiny model that `base` makes from random numbers, by formula: torch is not imported."""
    h = base.hidden
    vision = Vision(h // 2, 2, h, PATCH, (MERGED // PATCH) ** 2)
    return Model(scratch_weights(base), "scratch", h, base.layers, h, h, 3 * h, base.vocabulary, vision=vision)


def scratch_weights(base: Base) -> int:
    """Weights of the tiny Qwen2.5-VL of stages/models/scratch.py; exact when the tokenizer fills its vocabulary."""
    h, v = base.hidden, base.hidden // 2
    layer = 4 * h * h + 3 * h + 9 * h * h + 2 * h
    block = 4 * v * v + 4 * v + 3 * v * h + 2 * h + v + 2 * v
    merger = v + (4 * v) * (4 * v) + 4 * v + 4 * v * h + h
    return base.vocabulary * h + base.layers * layer + h + 3 * PATCH * PATCH * v + 2 * block + merger
