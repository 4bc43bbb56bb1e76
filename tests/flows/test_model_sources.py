"""The size of a model before it is there, against models that transformers really builds."""

import json
from pathlib import Path
from typing import Any

import pytest
from toy_repository import PROJECT

from flows import model_sources
from flows.architecture import Vision, of_config, scratch_weights
from flows.model_sources import CONFIGS, model_of, named
from stages.models.counting import configured, count_weights
from stages.run.params import Params, load

TINY = {
    "model_type": "llama",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 100,
    "tie_word_embeddings": True,
    "max_position_embeddings": 128,
}
TINY_WEIGHTS = 100 * 32 + 2 * (2 * 32 * 32 + 2 * 32 * 16 + 3 * 32 * 64 + 2 * 32) + 32
"""Embedding; two layers of queries and outputs, keys and values of half the width, three matrices of the MLP, two norms; a norm."""


@pytest.fixture(scope="module")
def params() -> Params:
    return load(PROJECT / "params.yaml")


def of(params: Params, source: str, revision: str | None = None) -> Params:
    model = params.model.model_copy(update={"source": source, "revision": revision})
    return params.model_copy(update={"model": model})


def test_the_formula_counts_the_weights_that_scratch_builds(params: Params) -> None:
    """The committed run's tokenizer has 493 tokens of the 512 that it may have: each is a row of 96 weights."""
    measured = json.loads((PROJECT / "results/evaluations/base.json").read_text())["parameters"]
    assert scratch_weights(params.base) - measured == (512 - 493) * 96


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.json")), ids=lambda path: path.stem)
def test_the_weights_in_the_table_are_those_of_its_configs(path: Path) -> None:
    """Counted on the meta device: 3,754,622,976 and 8,292,166,656, not the 3 and 7 billion of Qwen2.5-VL's names."""
    entry = json.loads(path.read_text())
    assert set(entry) >= {"model", "source", "weights", "config"}
    assert count_weights(configured(entry["config"])) == entry["weights"]
    assert named(entry["model"]).weights == entry["weights"]


def test_the_shape_of_a_known_model() -> None:
    model = named("Qwen/Qwen2.5-VL-3B-Instruct")
    assert (model.hidden, model.layers, model.queries, model.keys) == (2048, 36, 2048, 256)
    assert model.cached == 36 * 2 * 2 * 128 == 18_432  # numbers a token; in bf16 36,864 bytes
    assert model.vision == Vision(1280, 32, 3420, 14, 4)


def test_a_folder_without_weights_is_counted_and_with_weights_its_headers_are(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(TINY))
    assert named(str(tmp_path)).weights == TINY_WEIGHTS
    header = json.dumps({"w": {"dtype": "F32", "shape": [3, 4], "data_offsets": [0, 48]}}).encode()
    (tmp_path / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(48))
    model = named(str(tmp_path))
    assert (model.weights, model.hidden, model.keys, model.longest, model.vision) == (12, 32, 16, 128, None)


def test_fields_that_a_config_leaves_out_are_those_of_its_class() -> None:
    """Gemma 3's config.json on the hub names neither heads nor vocabulary."""
    config: dict[str, Any] = {
        "model_type": "gemma3",
        "text_config": {"model_type": "gemma3_text", "hidden_size": 64, "num_hidden_layers": 2, "intermediate_size": 128},
        "vision_config": {"model_type": "siglip_vision_model", "hidden_size": 32, "num_hidden_layers": 3, "patch_size": 14},
    }
    model = of_config(config, "test")
    assert (model.hidden, model.layers, model.queries, model.keys) == (64, 2, 8 * 256, 4 * 256)
    assert model.normed
    assert model.vocabulary == 262_208
    assert model.vision is not None
    assert (model.vision.hidden, model.vision.layers) == (32, 3)


def test_a_name_says_nothing(params: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    model_sources.hub_config.cache_clear()
    model = model_of(of(params, "x/y-0.5b", "c"), tmp_path)
    assert model.weights is None
    assert "unknown" in model.source


def test_a_config_in_the_hubs_cache_is_counted(params: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache as huggingface_hub lays it out."""
    import huggingface_hub.constants

    folder = tmp_path / "models--x--y/snapshots" / ("c" * 40)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(TINY))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.file_download.constants.HF_HUB_CACHE", str(tmp_path))
    model_sources.hub_config.cache_clear()
    assert model_of(of(params, "x/y", "c" * 40), tmp_path).weights == TINY_WEIGHTS


def test_a_gguf_file_tells_by_its_header(tmp_path: Path) -> None:
    import numpy as np
    from gguf import GGUFWriter

    path = tmp_path / "m.gguf"
    writer = GGUFWriter(path, "llama")
    for write, value in (
        (writer.add_embedding_length, 32),
        (writer.add_block_count, 2),
        (writer.add_head_count, 4),
        (writer.add_head_count_kv, 2),
        (writer.add_feed_forward_length, 64),
        (writer.add_context_length, 128),
    ):
        write(value)
    writer.add_tensor("token_embd.weight", np.zeros((100, 32), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    model = named(str(path))
    assert (model.weights, model.hidden, model.layers, model.queries, model.keys) == (3200, 32, 2, 32, 16)
    assert (model.intermediate, model.vocabulary, model.longest) == (64, 100, 128)


def test_a_checkpoint_of_an_earlier_run_says_nothing_of_another_model(
    params: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`base` copied a model of 12 weights; that is the size of this model, not of the one that is planned next."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    made = tmp_path / "artifacts/models/base"
    made.mkdir(parents=True)
    (made / "config.json").write_text(json.dumps(TINY))
    header = json.dumps({"w": {"dtype": "F32", "shape": [3, 4], "data_offsets": [0, 48]}}).encode()
    (made / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(48))
    lock = {"stages": {"base": {"params": {"params.yaml": {"model": {"source": "some/tiny", "revision": "abc"}}}}}}
    (tmp_path / "dvc.lock").write_text(json.dumps(lock))
    other = "HuggingFaceTB/SmolLM2-135M-Instruct"
    for source, revision, weights in (("some/tiny", "abc", 12), ("some/tiny", "def", None), (other, "abc", 134_515_008)):
        assert model_of(of(params, source, revision), tmp_path).weights == weights
