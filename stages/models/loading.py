"""Models and processors by transformers' Auto classes: a local folder, a .gguf file, a package with one, or a hub id with a
pinned revision."""

from stages.models import broken_torchvision  # noqa: F401

# isort: split
import os
import struct
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoTokenizer, GenerationConfig, GgufConfig
from transformers.utils import logging as transformers_logging

from stages.data.files import DataError
from stages.models.families import auto_class, reads_pictures
from stages.models.finite import not_finite
from stages.models.gguf import checked_gguf, gguf_ends, is_gguf
from stages.models.pictures_only import load_any_processor
from stages.models.registry_package import is_package, package_file
from stages.models.text_only import TextOnlyProcessor
from stages.run.params import Hardware

ERRORS = (
    OSError, ValueError, LookupError, TypeError, RuntimeError, ImportError, SafetensorError, struct.error,
)  # fmt: skip
"""What transformers raises for a checkpoint that it cannot read."""


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


def located(source: Path | str, revision: str | None) -> tuple[Path | str, str | None]:
    """A package as its .gguf file, downloaded where the cache lacks it; every other source as it is."""
    return (package_file(str(source), revision), None) if is_package(source) else (source, revision)


def load_config(source: Path | str, revision: str | None = None) -> Any:
    """The checkpoint's config. DataError where there is none, or where its model would be code of
    the checkpoint's own, which is never run."""
    source, revision = located(source, revision)
    place = _place(source, revision)
    try:
        return AutoConfig.from_pretrained(**place)
    except ERRORS as error:
        raise DataError(_broken(source, error)) from error


def load_model(source: Path | str, device: torch.device, revision: str | None = None, dtype: torch.dtype | None = None) -> Any:
    """The model, by the Auto class of its config, in `dtype` (None: bf16 on a GPU, float32 on the
    CPU). Weights are read as safetensors or GGUF only. DataError for weights that are not there."""
    transformers_logging.disable_progress_bar()
    source, revision = located(source, revision)
    config = load_config(source, revision)
    door = auto_class(config)
    _check_plain(source, config)
    wanted = dtype or best_dtype(device)
    options: dict[str, Any] = {"dtype": wanted, "use_safetensors": True, "output_loading_info": True}
    if is_gguf(source):
        options["quantization_config"] = GgufConfig(dequantize=True)
    try:
        model, info = door.from_pretrained(**_place(source, revision), **options)
    except ERRORS as error:
        raise DataError(_broken(source, error)) from error
    _check_complete(source, sorted(info["missing_keys"]))
    if wrong := not_finite(model.named_parameters()):
        raise DataError(
            f"{source}: {len(wrong)} tensors have NaN or infinite weights, the first {wrong[0]}; "
            "the training that made this checkpoint failed: run its stage again"
        )
    if is_gguf(source):
        model.generation_config.eos_token_id = gguf_ends(Path(source))
    return model.to(device)


def described(folder: Path) -> Any:
    """What a checkpoint says of itself, without its weights: `config` and `generation_config`, like a loaded model's."""
    config, place = load_config(folder), _place(folder, None)
    try:
        ends = GenerationConfig.from_pretrained(place["pretrained_model_name_or_path"], trust_remote_code=False)
        return SimpleNamespace(config=config, generation_config=ends)
    except ERRORS as error:
        raise DataError(_broken(folder, error)) from error


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of a folder that need be no whole checkpoint. DataError where it cannot be read."""
    try:
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except ERRORS as error:
        raise DataError(_broken(folder, error)) from error


def load_processor(source: Path | str, revision: str | None = None) -> Any:
    """Tokenizer, chat template and picture processor of a checkpoint; for a text-only model a
    `TextOnlyProcessor`."""
    transformers_logging.set_verbosity_error()
    source, revision = located(source, revision)
    config = load_config(source, revision)
    place = _place(source, revision)
    try:
        if reads_pictures(config):
            return load_any_processor(place, config)
        return TextOnlyProcessor(AutoTokenizer.from_pretrained(**place))
    except DataError:
        raise
    except ERRORS as error:
        raise DataError(_broken(source, error)) from error


def context_of(model: Any) -> int:
    """Tokens of prompt and response together that the checkpoint was made for. DataError when it does not say."""
    context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if not isinstance(context, int):
        raise DataError("the checkpoint's config names no max_position_embeddings; say how many tokens its context has")
    return context


def end_ids(model: Any, turn_end: int) -> tuple[int, ...]:
    """The token ids that end a response: `turn_end`, with which the chat template ends an answer and
    which training writes, and all that the checkpoint's generation_config names."""
    named = model.generation_config.eos_token_id
    ends = [] if named is None else named if isinstance(named, list) else [named]
    return tuple(dict.fromkeys([turn_end, *map(int, ends)]))


def _check_plain(source: Path | str, config: Any) -> None:
    if found := getattr(config, "quantization_config", None):
        method = found.get("quant_method") if isinstance(found, dict) else found.quant_method
        raise DataError(
            f"{source}: weights quantised by {method!r} cannot be trained; choose the checkpoint of the "
            "same model in bfloat16 or float32"
        )


def _check_complete(source: Path | str, missing: list[str]) -> None:
    if missing:
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        raise DataError(
            f"{source}: lacks {len(missing)} tensors of its model: {', '.join(missing[:5])}{more}; they "
            "would begin as random numbers. Complete the checkpoint, or correct its config.json"
        )


def _broken(source: Path | str, error: Exception) -> str:
    reason = " ".join(str(error).split())
    if "trust_remote_code" in reason or "custom code" in reason:
        return (
            f"{source}: its model is code of its own (auto_map in its config), which is never run here; "
            "choose the checkpoint in transformers' own form (its name often ends in -hf)"
        )
    remedy = "run the stage that makes it again, or correct model.source and model.revision"
    return f"{source}: cannot be loaded ({reason[:300]}); {remedy}"


def _place(source: Path | str, revision: str | None) -> dict[str, Any]:
    """Where transformers finds `source`: a folder with a checkpoint, a .gguf file, or a hub id with a
    revision. Code of a checkpoint is never run, and nobody is asked on stdin whether it may be."""
    place = {"revision": revision, "trust_remote_code": False}
    if is_gguf(source):
        file = checked_gguf(Path(source))
        return {**place, "pretrained_model_name_or_path": str(file.parent), "gguf_file": file.name}
    return {**place, "pretrained_model_name_or_path": _checked(source, revision)}


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
