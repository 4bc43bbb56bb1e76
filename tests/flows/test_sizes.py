"""The arithmetic of `k15 plan`, on numbers worked by hand and on the model that is really built."""

import json
from pathlib import Path

import pytest
from toy_repository import PROJECT

from flows import overrides, sizes
from flows.plan import changed
from stages.run.params import Params, load, parsed


@pytest.fixture(scope="module")
def params() -> Params:
    return load(PROJECT / "params.yaml")


def test_the_formula_counts_the_weights_that_scratch_builds(params: Params) -> None:
    """The committed run's tokenizer has 493 tokens of the 512 that it may have: each is a row of 96 weights."""
    measured = json.loads((PROJECT / "results/evaluations/base.json").read_text())["parameters"]
    assert sizes.scratch_weights(params.base) - measured == (512 - 493) * 96


def test_the_default_run_in_numbers(params: Params, tmp_path: Path) -> None:
    """Six families of 200, 32 and 96 problems; 24 iterations of 32 x 8 responses of at most 80 tokens, twice in batches of 64."""
    lines = sizes.by_stage(params, tmp_path)
    assert lines["collect"] == "1,200 problems for training, 192 validation, 576 held out"
    assert lines["base"] == "24,000 documents, batches of 32: 750 steps"
    assert lines["curate"] == "14,400 responses at most"  # 1200 x (10 + 0.25 x 8)
    assert "32 prompts x 8 = 256 responses, at most 20,480 new tokens; 8 optimizer steps each, 192 in all" in lines["rl@long"]
    assert lines["sft@long"].endswith("steps: known when demonstrations.jsonl is made")


def test_steps_are_counted_where_the_demonstrations_are_there(params: Params, tmp_path: Path) -> None:
    path = tmp_path / sizes.SETS["short"]
    path.parent.mkdir(parents=True)
    path.write_text("{}\n" * 65)
    assert sizes.by_stage(params, tmp_path)["sft@short"] == "65 demonstrations, batches of 64: 6 steps"  # 3 epochs of 2


@pytest.mark.parametrize(
    "zero, gpu, ranks, expected",
    [
        (0, False, 1, 16),  # float32: 4 + 4 + 8 bytes a weight
        (0, True, 8, 16),  # bf16: 2 + 2 + 12
        (1, True, 4, 2 + 2 + 3),
        (2, True, 4, 2 + 0.5 + 3),
        (3, True, 4, 0.5 + 0.5 + 3),
    ],
)
def test_zero_spreads_moments_then_gradients_then_weights(
    params: Params, zero: int, gpu: bool, ranks: int, expected: float
) -> None:
    hardware = params.hardware.model_copy(update={"zero_stage": zero, "processes": ranks})
    need = sizes.memory_of(sizes.Model(1_000_000, "test"), hardware, 256, gpu)
    assert need.states == expected * 1_000_000
    assert need.copies == (2_000_000 if zero == 3 else 0)
    assert need.activations == need.cache == 0


def test_activations_and_cache_by_hand(params: Params) -> None:
    """A micro-batch of 4,096 tokens, 4 layers of 96, float32: 17 x 4 bytes a number; 512 responses of 256 tokens, keys and values."""
    model = sizes.model_of(params)
    hardware = params.hardware.model_copy(update={"micro_batch_tokens": 4096})
    need = sizes.memory_of(model, hardware, 256, gpu=False)
    assert need.activations == 4096 * 68 * 96 * 4
    assert need.cache == 512 * 256 * 2 * 4 * 96 * 4
    assert need.total == need.states + need.cache
    saving = hardware.model_copy(update={"gradient_checkpointing": True})
    assert sizes.memory_of(model, saving, 256, gpu=False).activations == 4096 * 96 * (4 * 4 + 68)


@pytest.mark.parametrize(
    "source, weights", [("Qwen/Qwen2.5-VL-3B-Instruct", 3e9), ("x/y-0.5b", 5e8), ("x/y", None), ("a/v2.5B1", None)]
)
def test_a_hub_model_tells_its_size_by_its_name(params: Params, tmp_path: Path, source: str, weights: float | None) -> None:
    model = params.model.model_copy(update={"source": source, "revision": "c"})
    assert sizes.model_of(params.model_copy(update={"model": model}), tmp_path).weights == weights


def test_disk_of_checkpoints_and_state() -> None:
    """Float32: 4 bytes a weight and checkpoint, and twice weights and moments, 12 bytes."""
    assert sizes.disk_of(sizes.Model(10, "test"), 3, gpu=False) == 10 * (4 * 3 + 24)


@pytest.mark.parametrize("name", overrides.presets())
def test_each_preset_gives_whole_sizes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)
    params = parsed(changed(PROJECT, overrides.preset(name)))
    lines = sizes.by_stage(params)
    assert {"collect", "curate", "rl@long", "rl@short", "sample", "evaluate"} <= set(lines)
    assert sizes.model_of(params).weights


def test_a_checkpoint_of_an_earlier_run_says_nothing_of_another_model(params: Params, tmp_path: Path) -> None:
    """`base` copied a model of 12 weights; that is the size of this model, not of the one that is planned next."""
    made = tmp_path / "artifacts/models/base"
    made.mkdir(parents=True)
    (made / "config.json").write_text(json.dumps({"hidden_size": 4, "num_hidden_layers": 1, "num_attention_heads": 1}))
    header = json.dumps({"w": {"dtype": "F32", "shape": [3, 4], "data_offsets": [0, 48]}}).encode()
    (made / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(48))
    lock = {"stages": {"base": {"params": {"params.yaml": {"model": {"source": "some/tiny", "revision": "abc"}}}}}}
    (tmp_path / "dvc.lock").write_text(json.dumps(lock))
    for source, revision, weights in (("some/tiny", "abc", 12), ("some/tiny", "def", None), ("other/model-3B", "abc", 3 * 10**9)):
        model = params.model.model_copy(update={"source": source, "revision": revision})
        assert sizes.model_of(params.model_copy(update={"model": model}), tmp_path).weights == weights
