"""What can go wrong with a checkpoint is told before anything is loaded."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import architectures
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import CPU, Tiny, hardware

from stages.data.files import DataError
from stages.models.loading import device_of, end_ids, load_model, load_processor


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none: no such checkpoint folder; run the stage that makes it"):
        load_model(tmp_path / "none", CPU)
    for source in ("./models/none", "/models/none", "artifacts/models/none"):
        with pytest.raises(DataError, match=f"{source}: no such checkpoint folder"):
            load_processor(source)


def test_a_folder_that_is_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no config.json, so no transformers checkpoint"):
        load_model(tmp_path, CPU)


def test_a_hub_id_without_a_revision() -> None:
    with pytest.raises(DataError, match=r"hub id 'Qwen/Qwen2.5-VL-3B-Instruct' without model.revision; pin the commit"):
        load_model("Qwen/Qwen2.5-VL-3B-Instruct", CPU)
    with pytest.raises(DataError, match="pin the commit"):
        load_processor("Qwen/Qwen2.5-VL-3B-Instruct")


def test_broken_or_missing_weights(tiny: Tiny, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny.folder, folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(DataError, match=r"model: cannot be loaded .*; run the stage that makes it again"):
        load_model(folder, CPU)
    weights.unlink()
    with pytest.raises(DataError, match="model: cannot be loaded"):
        load_model(folder, CPU)
    (folder / "config.json").write_text("{")
    with pytest.raises(DataError, match="model: cannot be loaded"):
        load_model(folder, CPU)
    (folder / "tokenizer.json").write_text("{")
    with pytest.raises(DataError, match="model: cannot be loaded"):
        load_processor(folder)


def test_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_of(hardware(device="auto")) == device_of(hardware(device="cpu")) == CPU
    with pytest.raises(DataError, match=r"hardware.device is cuda but torch sees no CUDA device; .* or set hardware.device=cpu"):
        device_of(hardware(device="cuda"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert device_of(hardware(device="auto")) == torch.device("cuda", 1)
    assert device_of(hardware(device="cpu")) == CPU


def test_weights_are_float32_on_the_cpu(tiny: Tiny) -> None:
    model = load_model(str(tiny.folder), CPU)
    assert {value.dtype for value in model.parameters()} == {torch.float32}
    assert end_ids(model, tiny.renderer().turn_end) == (tiny.renderer().processor.tokenizer.eos_token_id,)


@pytest.fixture(scope="module")
def llama(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("llama")
    architectures.save("llama", [problem.question for problem in tiny.problems], folder)
    return folder


def changed(source: Path, folder: Path, **config: Any) -> Path:
    """A copy with some values of config.json changed."""
    shutil.copytree(source, folder)
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **config}))
    return folder


def refused(folder: Path, match: str) -> None:
    """By the model's loader and by the processor's."""
    for load in (lambda: load_model(folder, CPU), lambda: load_processor(folder)):
        with pytest.raises(DataError, match=match):
            load()


def test_an_unknown_model_type(llama: Path, tmp_path: Path) -> None:
    folder = changed(llama, tmp_path / "model", model_type="no_such_model")
    refused(folder, r"model: cannot be loaded \(.*`?no_such_model`?.*correct model.source")


def test_code_of_a_checkpoint_is_never_run_and_nobody_is_asked(llama: Path, tmp_path: Path, monkeypatch: Any) -> None:
    """stdin is not read: a job in the background would wait for ever."""
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("asked on stdin"))
    names = {"AutoConfig": "code.Config", "AutoModelForCausalLM": "code.Model"}
    folder = changed(llama, tmp_path / "model", model_type="own_code", auto_map=names)
    (folder / "code.py").write_text("raise SystemExit('this was run')")
    refused(folder, r"its model is code of its own \(auto_map in its config\), which is never run here; choose the checkpoint")


def test_code_beside_a_known_model_type_is_passed_over(llama: Path, tmp_path: Path) -> None:
    folder = changed(llama, tmp_path / "model", auto_map={"AutoModelForCausalLM": "code.Model"})
    (folder / "code.py").write_text("raise SystemExit('this was run')")
    assert type(load_model(folder, CPU)).__module__.startswith("transformers.models.llama")
    assert load_processor(folder).tokenizer("7")["input_ids"]


def test_a_model_that_writes_no_text(llama: Path, tmp_path: Path) -> None:
    folder = changed(llama, tmp_path / "model", model_type="vit")
    refused(folder, "model type 'vit' is neither a causal language model nor an image-text model")


def test_quantised_weights(llama: Path, tmp_path: Path) -> None:
    folder = changed(llama, tmp_path / "model", quantization_config={"quant_method": "awq", "bits": 4})
    with pytest.raises(DataError, match=r"weights quantised by 'awq' cannot be trained; choose the checkpoint of the same model"):
        load_model(folder, CPU)


@pytest.mark.parametrize("count", [1, 9])
def test_missing_tensors_are_named_and_not_drawn(count: int, llama: Path, tmp_path: Path) -> None:
    folder = changed(llama, tmp_path / "model")
    tensors = load_file(folder / "model.safetensors")
    gone = sorted(name for name in tensors if "layers.1" in name)[:count]
    save_file({name: value for name, value in tensors.items() if name not in gone}, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(DataError, match=rf"lacks {count} tensors of its model: {gone[0]}.*would begin as random numbers") as told:
        load_model(folder, CPU)
    assert ("and 4 more" in str(told.value)) == (count == 9)


PARTS = ("lm_head", "embed_tokens", "layers.1.mlp", "vision|visual", "connector|multi_modal_projector|merger", "norm.weight$")
"""Of a model: head, embedding, a layer, what sees, what joins it to the text, a norm."""


@pytest.mark.parametrize(
    ("family", "there"),
    [("qwen2", 3), ("llama", 4), ("qwen2_vl", 6), ("gemma3", 5), ("llava_next", 6), ("idefics3", 6)],
)
def test_any_missing_part_of_any_family_is_refused(family: str, there: int, tiny: Tiny, tmp_path: Path) -> None:
    """Text and image-text models, heads that are tied to the embedding (and stand in no file) or not."""
    architectures.save(family, [problem.question for problem in tiny.problems], tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    load_model(tmp_path, CPU)
    gone = [next((name for name in sorted(tensors) if re.search(part, name)), None) for part in PARTS]
    assert sum(name is not None for name in gone) == there
    for name in filter(None, gone):
        kept = {other: value for other, value in tensors.items() if other != name}
        save_file(kept, tmp_path / "model.safetensors", {"format": "pt"})
        with pytest.raises(DataError, match=r"lacks [12] tensors of its model: .*would begin as random numbers"):
            load_model(tmp_path, CPU)


def test_a_tied_head_is_not_missing(tiny: Tiny, tmp_path: Path) -> None:
    """It stands in no file, and is there all the same."""
    architectures.save("qwen2", [problem.question for problem in tiny.problems], tmp_path)
    assert "lm_head.weight" not in load_file(tmp_path / "model.safetensors")
    model = load_model(tmp_path, CPU)
    assert model.lm_head.weight.data_ptr() == model.model.embed_tokens.weight.data_ptr()


def test_a_type_can_be_asked_for(llama: Path) -> None:
    assert load_model(llama, CPU, dtype=torch.bfloat16).dtype == torch.bfloat16
