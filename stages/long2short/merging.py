"""Model merging (§2.4): the weighted average of a long-CoT and a short-CoT model, without any training."""

import json
import shutil
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from stages.data.files import DataError


def merge_folders(long: Path, short: Path, out: Path, weight: float) -> int:
    """Write `weight` * long + (1 - weight) * short as a transformers folder; returns the number of tensors.

    Shard by shard: memory holds one shard of each model. Averages are taken in float32 and stored in the long model's dtype.
    Raises DataError when the two models do not have the same tensors."""
    long_shapes, short_shapes = shapes(long), shapes(short)
    if long_shapes != short_shapes:
        different = sorted(name for name in {*long_shapes, *short_shapes} if long_shapes.get(name) != short_shapes.get(name))
        name = different[0]
        raise DataError(
            f"{long} and {short} do not fit: {len(different)} tensors differ, first {name!r} "
            f"({long_shapes.get(name)} against {short_shapes.get(name)}); merge models of one architecture and tokenizer"
        )
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(long, out, ignore=shutil.ignore_patterns("*.safetensors"))
    where = {name: file for file in weight_files(short) for name in _names(file)}
    count = 0
    for shard in weight_files(long):
        merged: dict[str, torch.Tensor] = {}
        with safe_open(shard, framework="pt") as tensors:
            for name in tensors.keys():  # noqa: SIM118  (safe_open is no mapping)
                mine = tensors.get_tensor(name)
                with safe_open(where[name], framework="pt") as others:
                    other = others.get_tensor(name)
                merged[name] = (weight * mine.float() + (1 - weight) * other.float()).to(mine.dtype).contiguous()
        try:
            save_file(merged, out / shard.name, metadata={"format": "pt"})
        except (OSError, SafetensorError) as error:
            raise DataError(f"{out / shard.name}: cannot be written ({error}); free disk space and run the stage again") from error
        count += len(merged)
    return count


def weight_files(folder: Path) -> list[Path]:
    """The safetensors shards of a checkpoint, in order."""
    index = folder / "model.safetensors.index.json"
    if index.exists():
        return [folder / name for name in sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))]
    single = folder / "model.safetensors"
    if not single.exists():
        raise DataError(f"{folder}: no model.safetensors; run the stage that makes this checkpoint (dvc repro)")
    return [single]


def shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor of a checkpoint."""
    found = {}
    for file in weight_files(folder):
        try:
            with safe_open(file, framework="pt") as tensors:
                for name in tensors.keys():  # noqa: SIM118
                    found[name] = tuple(tensors.get_slice(name).get_shape())
        except (OSError, SafetensorError) as error:
            raise DataError(f"{file}: not a safetensors file ({error}); run the stage that makes it again") from error
    return found


def _names(file: Path) -> list[str]:
    with safe_open(file, framework="pt") as tensors:
        return list(tensors.keys())
