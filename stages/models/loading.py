"""Models and processors by transformers' Auto classes: a local folder, or a hub id with a pinned revision."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForImageTextToText, AutoProcessor, GenerationConfig
from transformers.utils import logging as transformers_logging

from stages.data.files import DataError
from stages.run.params import Hardware


def device_of(hardware: Hardware) -> torch.device:
    """The device of this rank. Raises DataError when cuda is asked for and there is none."""
    if hardware.device == "cuda" and not torch.cuda.is_available():
        raise DataError(
            "hardware.device is cuda but torch sees no CUDA device; install a CUDA build of torch or set hardware.device=cpu"
        )
    return torch.device("cpu") if hardware.device == "cpu" else best_device()


def best_device() -> torch.device:
    """This rank's GPU, or the CPU where there is none. cuDNN's attention is switched off: it plans anew for each length of keys,
    and in decoding and in packed rows nearly every call has another one (on an H200, 128 rows: 60 ms a step instead of 15)."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    torch.backends.cuda.enable_cudnn_sdp(False)
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


def dtype_of(hardware: Hardware, device: torch.device) -> torch.dtype:
    """What weights and activations are on `device`, by hardware.dtype."""
    if hardware.dtype == "auto":
        return best_dtype(device)
    return torch.bfloat16 if hardware.dtype == "bfloat16" else torch.float32


def best_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 on a GPU, float32 on the CPU."""
    return torch.bfloat16 if device.type == "cuda" else torch.float32


def load_model(source: Path | str, device: torch.device, revision: str | None = None, dtype: torch.dtype | None = None) -> Any:
    """The model in `dtype`, without one in bf16 on a GPU and in float32 on the CPU. Hub code is never run; weights are read as
    safetensors only."""
    transformers_logging.disable_progress_bar()
    dtype = dtype or best_dtype(device)
    where = _checked(source, revision)
    try:
        model = AutoModelForImageTextToText.from_pretrained(where, revision=revision, dtype=dtype, use_safetensors=True)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise DataError(_broken(where, error)) from error
    return model.to(device)


def described(folder: Path) -> Any:
    """What a checkpoint says of itself, without its weights: `config` and `generation_config`, like a loaded model's."""
    where = _checked(folder, None)
    try:
        return SimpleNamespace(config=AutoConfig.from_pretrained(where), generation_config=GenerationConfig.from_pretrained(where))
    except (OSError, ValueError) as error:
        raise DataError(_broken(where, error)) from error


def load_processor(source: Path | str, revision: str | None = None) -> Any:
    """Tokenizer, chat template and picture processor of a checkpoint."""
    transformers_logging.set_verbosity_error()
    where = _checked(source, revision)
    try:
        return AutoProcessor.from_pretrained(where, revision=revision)
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        raise DataError(_broken(where, error)) from error


def context_of(model: Any) -> int:
    """Tokens of prompt and response together that the checkpoint was made for. DataError when it does not say."""
    context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if not isinstance(context, int):
        raise DataError("the checkpoint's config names no max_position_embeddings; say how many tokens its context has")
    return context


def end_ids(model: Any) -> tuple[int, ...]:
    """The token ids that end a response, the first the one that training writes. DataError when the checkpoint names none."""
    ends = model.generation_config.eos_token_id
    if ends is None:
        raise DataError("the checkpoint's generation_config names no eos_token_id; add the id of the token that ends a turn")
    return tuple(ends) if isinstance(ends, list) else (int(ends),)


def _broken(where: str, error: Exception) -> str:
    reason = " ".join(str(error).split())[:300]
    return f"{where}: cannot be loaded ({reason}); run the stage that makes it again, or correct model.source and model.revision"


def _checked(source: Path | str, revision: str | None) -> str:
    """`source` as a string, if it is a folder with a checkpoint, or a hub id with a revision."""
    folder = Path(source)
    if folder.is_dir():
        if not (folder / "config.json").exists():
            raise DataError(f"{folder}: no config.json, so no transformers checkpoint; run the stage that makes it (dvc repro)")
        return str(folder)
    if isinstance(source, Path) or source.startswith((".", "/", "artifacts/")):
        raise DataError(f"{source}: no such checkpoint folder; run the stage that makes it (dvc repro) or correct model.source")
    if revision is None:
        raise DataError(
            f"model.source is the hub id {source!r} without model.revision; pin the commit, so that the run can be repeated"
        )
    return str(source)
