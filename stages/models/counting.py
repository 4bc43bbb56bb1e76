"""The number of weights that a configuration describes, counted on the meta device: nothing is loaded or allocated."""

from collections.abc import Mapping
from typing import Any

from stages.data.files import DataError
from stages.models.families import auto_class

ERRORS = (ValueError, TypeError, KeyError, AttributeError, ImportError)
"""What transformers raises for fields that it cannot use."""


def configured(config: Mapping[str, Any]) -> Any:
    """The configuration object of the fields of a config.json, with the defaults of its class.

    Raises DataError when transformers does not know the `model_type`."""
    from transformers import AutoConfig

    fields = {name: value for name, value in config.items() if name != "model_type"}
    try:
        return AutoConfig.for_model(str(config.get("model_type")), **fields)
    except ERRORS as error:
        raise DataError(
            f"config.json with model_type {config.get('model_type')!r} is none that transformers reads"
            f" ({_short(error)}); use a model of a known architecture"
        ) from error


def count_weights(config: Any) -> int:
    """Weights of the model that `config` describes; tied ones once. Raises DataError when none can be built from it."""
    import torch

    try:
        with torch.device("meta"):
            model = auto_class(config).from_config(config)
    except ERRORS as error:
        raise DataError(f"no model can be built from this config.json ({_short(error)})") from error
    return sum(weight.numel() for weight in model.parameters())


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
