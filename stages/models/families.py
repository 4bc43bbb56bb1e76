"""Which of transformers' Auto classes a checkpoint belongs to, by transformers' own tables, and whether it takes pictures."""

from stages.models import broken_torchvision  # noqa: F401

# isort: split
from typing import Any

from transformers import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
)

from stages.data.files import DataError

DOORS = (
    (MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING, AutoModelForImageTextToText),
    (MODEL_FOR_CAUSAL_LM_MAPPING, AutoModelForCausalLM),
)
"""Tried in this order: some vision-language models (Gemma 3) stand in both tables."""


def auto_class(config: Any) -> Any:
    """The Auto class that makes a model of `config`: for image-text models, or for causal language
    models. DataError for the config of something else."""
    for table, door in DOORS:
        if type(config) in table:
            return door
    raise DataError(
        f"model type {config.model_type!r} is neither a causal language model nor an image-text "
        "model to transformers; choose a checkpoint that generates text (AutoModelForCausalLM or "
        "AutoModelForImageTextToText)"
    )


def reads_pictures(what: Any) -> bool:
    """Whether a model, its config or its processor takes pictures. Both tables have models that do not
    say so (Mistral 4 is an image-text model, Gemma 3's language model takes images). DataError as in
    `auto_class`."""
    if hasattr(what, "apply_chat_template"):
        return getattr(what, "image_processor", None) is not None
    config = getattr(what, "config", what)
    if auto_class(config) is not AutoModelForImageTextToText:
        return False
    modalities = MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING[type(config)].input_modalities
    return "image" in modalities
