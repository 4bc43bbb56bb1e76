"""What can go wrong with a checkpoint is told before anything is loaded."""

from pathlib import Path

import pytest
import torch
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
    import shutil

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
