"""Model merging (§2.4): the weighted average of a long-CoT and a short-CoT model, without any training."""

import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from stages.data.files import DataError
from stages.long2short.fit import require_fit, weight_files
from stages.models.finite import listed, not_finite


def merge_folders(long: Path, short: Path, out: Path, weight: float) -> int:
    """Write `weight` * long + (1 - weight) * short as a transformers folder; returns the number of tensors.

    Shard by shard of the long model: memory holds the merged shard, and one tensor of each model. Averages are taken in float32
    and stored in the long model's dtype. All but the weights is the long model's. Raises DataError when the two do not fit,
    or an average is not finite."""
    require_fit(long, short)
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(long, out, ignore=lambda folder, names: _left_out(Path(folder) == long, names))
    where = {name: file for file in weight_files(short) for name in _names(file)}
    return sum(_write(shard, where, weight, out / shard.name) for shard in weight_files(long))


def _write(shard: Path, where: dict[str, Path], weight: float, out: Path) -> int:
    merged = _merged(shard, where, weight)
    if wrong := not_finite(merged.items()):
        raise DataError(
            f"{shard} and {where[wrong[0]].parent}: the average of {len(wrong)} tensors has NaN or infinite weights "
            f"({listed(wrong)}); run the stage that made the checkpoint again"
        )
    try:
        save_file(merged, out, metadata={"format": "pt"})
    except (OSError, SafetensorError) as error:
        raise DataError(f"{out}: cannot be written ({error}); free disk space and run the stage again") from error
    return len(merged)


def _merged(shard: Path, where: dict[str, Path], weight: float) -> dict[str, torch.Tensor]:
    """The averages of all tensors of `shard`; the files of the other model are mapped, not read, and each is opened once."""
    merged: dict[str, torch.Tensor] = {}
    with ExitStack() as opened:
        mine = opened.enter_context(safe_open(shard, framework="pt"))
        others: dict[Path, Any] = {}
        for name in mine.keys():  # noqa: SIM118  (safe_open is no mapping)
            file = where[name]
            if file not in others:
                others[file] = opened.enter_context(safe_open(file, framework="pt"))
            merged[name] = _average(mine.get_tensor(name), others[file].get_tensor(name), weight)
    return merged


def _average(long: torch.Tensor, short: torch.Tensor, weight: float) -> torch.Tensor:
    return (weight * long.float() + (1 - weight) * short.float()).to(long.dtype).contiguous()


def _left_out(top: bool, names: list[str]) -> set[str]:
    """Of a folder's entries those that are not copied: weights, and at the top the candidates that RL left there."""
    return {name for name in names if name.endswith(".safetensors") or (top and name == "candidates")}


def _names(file: Path) -> list[str]:
    with safe_open(file, framework="pt") as tensors:
        return list(tensors.keys())
