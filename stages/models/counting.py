"""The number of weights that a configuration describes, counted on the meta device: nothing is loaded or allocated."""

from collections.abc import Mapping
from typing import Any

from stages.data.files import DataError


def configured(config: Mapping[str, Any]) -> Any:
    """The configuration object of the fields of a config.json, with the defaults of its class.

    Raises DataError when transformers does not know the `model_type`."""
    from transformers import AutoConfig

    fields = {name: value for name, value in config.items() if name != "model_type"}
    try:
        return AutoConfig.for_model(str(config.get("model_type")), **fields)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(
            f"config.json with model_type {config.get('model_type')!r} is none that transformers reads"
            f" ({_short(error)}); use a model of a known architecture"
        ) from error


def weight_names(config: Any) -> dict[str, int]:
    """Number of weights of each parameter of the model that `config` describes; tied ones once.

    Raises DataError when no causal or image-text class belongs to the configuration."""
    import torch
    from transformers import AutoModelForCausalLM, AutoModelForImageTextToText

    pictures = type(config) in AutoModelForImageTextToText._model_mapping
    family = AutoModelForImageTextToText if pictures else AutoModelForCausalLM
    try:
        with torch.device("meta"):
            model = family.from_config(config)
    except (ValueError, TypeError, KeyError, AttributeError, ImportError) as error:
        raise DataError(
            f"no model can be built from this config.json ({_short(error)}); use a chat model, with or without pictures"
        ) from error
    return {name: weight.numel() for name, weight in model.named_parameters()}


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
