"""Whether two checkpoints can be averaged (§2.4): the same tensors, the same tokens at the same ids, the same architecture."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from stages.data.files import DataError

HARMLESS = {"_name_or_path", "transformers_version", "torch_dtype", "dtype", "use_cache"}
"""Keys of config.json that may differ: where a model came from, what it is stored in."""
REMEDY = "merge models of one architecture and tokenizer, best two checkpoints of one run"


def require_fit(long: Path, short: Path) -> None:
    """Raise DataError that names the first difference of tensors, vocabulary or config between the two."""
    tensors = _difference(shapes(long), shapes(short))
    if tensors:
        raise DataError(f"{long} and {short} do not fit: {len(tensors)} tensors differ, first {tensors[0]}; {REMEDY}")
    tokens = _difference(vocabulary(long), vocabulary(short))
    if tokens:
        raise DataError(
            f"{long} and {short} do not fit: {len(tokens)} tokens have another id, first {tokens[0]}: equal rows of the "
            f"embeddings would be averaged across different tokens; {REMEDY}"
        )
    settings = _difference(_config(long), _config(short))
    if settings:
        raise DataError(f"{long} and {short} do not fit: config.json differs in {', '.join(settings[:3])}; {REMEDY}")


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
    """Name and shape of every tensor of a checkpoint; only the headers of its files are read."""
    found = {}
    for file in weight_files(folder):
        try:
            with safe_open(file, framework="pt") as tensors:
                for name in tensors.keys():  # noqa: SIM118
                    found[name] = tuple(tensors.get_slice(name).get_shape())
        except (OSError, SafetensorError) as error:
            raise DataError(f"{file}: not a safetensors file ({error}); run the stage that makes it again") from error
    return found


def vocabulary(folder: Path) -> dict[str, int]:
    """Id of every token by tokenizer.json, those added to the model's own included; {} for a folder without one."""
    tree = _read(folder / "tokenizer.json")
    known = tree.get("model", {}).get("vocab", {})
    pairs = (
        known.items() if isinstance(known, dict) else ((piece[0], place) for place, piece in enumerate(known))
    )  # Unigram: a list
    return dict(pairs) | {token["content"]: token["id"] for token in tree.get("added_tokens", [])}


def _config(folder: Path) -> dict[str, Any]:
    return dict(_leaves(_read(folder / "config.json")))


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in tree.items():
        if name not in HARMLESS:
            found += _leaves(value, f"{prefix}{name}.") if isinstance(value, dict) else [(prefix + name, value)]
    return found


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path}: not JSON ({error}); run the stage that makes this checkpoint again") from error
    if not isinstance(tree, dict):
        raise DataError(f"{path}: expected a JSON object, found {type(tree).__name__}; run the stage that makes it again")
    return tree


def _difference(long: Mapping[str, Any], short: Mapping[str, Any]) -> list[str]:
    """One text for every name whose value differs, in order of names."""
    names = sorted(name for name in {*long, *short} if long.get(name) != short.get(name))
    return [f"{name!r} ({long.get(name)} against {short.get(name)})" for name in names]
