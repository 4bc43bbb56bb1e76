"""Where a model's size and shape are read: its folder, its .gguf file, the config of its hub id, the table of known models."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from flows.architecture import Model, of_config, of_scratch
from stages.data.files import DataError
from stages.models.registry_package import cached_file, is_package
from stages.models.size import count_parameters
from stages.run.params import Model as ModelParams
from stages.run.params import Params

CONFIGS = Path(__file__).parent / "model_configs"
"""Config files of the models that presets name, each with its source; {model, source, weights, config}."""


def model_of(params: Params, root: Path = Path()) -> Model:
    """The model that `base` will make or copy: by formula, by its files, or by its config."""
    source, made = params.model.source, root / "artifacts/models/base"
    if source == "scratch":
        return of_scratch(params.base)
    if _is_of(made, params.model, root):
        found = of_folder(made, f"the files in {made.relative_to(root)}")
        if found.weights:
            return found
    return named(source, params.model.revision)


def named(source: str, revision: str | None = None) -> Model:
    """The model of a folder, a .gguf file, a package or a hub id."""
    if Path(source).is_dir():
        return of_folder(Path(source), f"the files in {source}")
    if source.endswith(".gguf") and Path(source).is_file():
        return _of_gguf(Path(source))
    if is_package(source) and (file := cached_file(source, str(revision))):
        return _of_gguf(file)
    if (known := known_config(source)) is not None:
        model = of_config(known["config"], f"its config, {_where(source)}")
        return replace(model, weights=int(known["weights"]))
    config = hub_config(source, revision)
    if config is None:
        return Model(None, "unknown: its config is neither here nor could it be downloaded")
    return counted(config, "counted from its config")


def known_config(source: str) -> dict[str, Any] | None:
    """The entry of CONFIGS for a hub id, or for a `package:NAME==VERSION` that carries the model."""
    for path in sorted(CONFIGS.glob("*.json")):
        entry: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        package = re.fullmatch(r"package:([\w.-]+)(==.*)?", source)
        if source == entry["model"] or (package and package[1] in entry.get("packages", ())):
            return entry
    return None


def _where(source: str) -> str:
    return "flows/model_configs" if source.startswith("package:") else f"flows/model_configs of {source}"


@cache
def hub_config(source: str, revision: str | None) -> Mapping[str, Any] | None:
    """The config.json of a hub id, out of the cache or downloaded; None where neither is possible."""
    from huggingface_hub import hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        path = try_to_load_from_cache(source, "config.json", revision=revision)
        if not isinstance(path, str):
            if offline():
                return None
            path = hf_hub_download(source, "config.json", revision=revision, etag_timeout=5)
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, HfHubHTTPError, HFValidationError):  # no such id, no network
        return None
    return found if isinstance(found, dict) else None


def offline() -> bool:
    """Whether the user forbids downloads from the hub."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "TRUE", "YES", "ON")


def counted(config: Mapping[str, Any], source: str) -> Model:
    """Shape by the config's fields, weights counted on the meta device. Raises DataError where it cannot be built."""
    from stages.models.counting import configured, count_weights

    return replace(of_config(config, source), weights=count_weights(configured(config)))


def of_folder(folder: Path, source: str) -> Model:
    """A checkpoint folder: weights by the headers of its safetensors files, without them counted from its config."""
    try:
        config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if not any(folder.glob("*.safetensors")):
            return counted(config, f"counted from {folder}/config.json")
        return replace(of_config(config, source), weights=count_parameters(folder))
    except (DataError, OSError, ValueError):  # what is wrong with the folder is for the checks to say
        return Model(None, f"unknown: {folder} cannot be read")


def _of_gguf(path: Path) -> Model:
    """A .gguf file, by its header (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md)."""
    from gguf import GGUFReader

    reader = GGUFReader(path)
    named_kind = reader.get_field("general.architecture")
    if named_kind is None:
        return Model(None, f"unknown: {path} names no architecture")
    kind = str(named_kind.contents())

    def value(name: str) -> int:
        field = reader.get_field(f"{kind}.{name}")
        return int(field.contents()) if field is not None else 0

    shapes = {tensor.name: [int(size) for size in tensor.shape] for tensor in reader.tensors}
    heads, hidden = value("attention.head_count"), value("embedding_length")
    head = value("attention.key_length") or hidden // max(1, heads)
    return Model(
        sum(int(tensor.n_elements) for tensor in reader.tensors),
        f"the header of {path}",
        hidden=hidden,
        layers=value("block_count"),
        queries=heads * head,
        keys=(value("attention.head_count_kv") or heads) * head,
        intermediate=value("feed_forward_length"),
        vocabulary=shapes.get("token_embd.weight", [0, 0])[1],
        normed=any("attn_q_norm" in name for name in shapes),
        longest=value("context_length") or None,
    )


def _is_of(made: Path, model: ModelParams, root: Path) -> bool:
    """Whether the checkpoint that `base` left was copied from this model, as DVC noted it; it may be of an earlier run."""
    if not (made / "config.json").is_file() or not (root / "dvc.lock").is_file():
        return False
    text = (root / "dvc.lock").read_text(encoding="utf-8")
    try:
        noted = yaml.load(text, yaml.CSafeLoader)["stages"]["base"]["params"]["params.yaml"]["model"]
        return (noted["source"], noted["revision"]) == (model.source, model.revision)
    except (yaml.YAMLError, KeyError, TypeError):  # what is wrong with the file is for DVC to say
        return False
