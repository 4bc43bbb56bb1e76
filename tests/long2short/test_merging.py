"""Weight averaging by hand, over shards, and what does not fit."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import CPU, Tiny, weights

from stages.data.files import DataError
from stages.long2short.merging import merge_folders
from stages.models.loading import load_model


def checkpoint(folder: Path, tensors: dict[str, torch.Tensor], shards: int = 1) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text('{"of": "%s"}' % folder.name)  # noqa: UP031
    if shards == 1:
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        return folder
    names = sorted(tensors)
    files = {name: f"model-{1 + place % shards:05d}-of-{shards:05d}.safetensors" for place, name in enumerate(names)}
    for file in set(files.values()):
        save_file({name: tensors[name] for name in names if files[name] == file}, folder / file, metadata={"format": "pt"})
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": files}))
    return folder


LONG = {"a": torch.tensor([1.0, 2.0, -4.0]), "b": torch.tensor([[10.0]]), "c": torch.tensor([0.5])}
SHORT = {"a": torch.tensor([3.0, 0.0, 4.0]), "b": torch.tensor([[-10.0]]), "c": torch.tensor([0.5])}


@pytest.mark.parametrize(
    "weight, merged",
    [
        (0.5, {"a": [2.0, 1.0, 0.0], "b": [[0.0]], "c": [0.5]}),
        # 0.3 of the long model: 0.3 * 1 + 0.7 * 3 = 2.4, 0.3 * 2 = 0.6, -1.2 + 2.8 = 1.6, 3 - 7 = -4
        (0.3, {"a": [2.4, 0.6, 1.6], "b": [[-4.0]], "c": [0.5]}),
        (1.0, {name: value.tolist() for name, value in LONG.items()}),
        (0.0, {name: value.tolist() for name, value in SHORT.items()}),
    ],
)
def test_averages_by_hand(tmp_path: Path, weight: float, merged: dict[str, list[float]]) -> None:
    long, short = checkpoint(tmp_path / "long", LONG), checkpoint(tmp_path / "short", SHORT)
    assert merge_folders(long, short, tmp_path / "out", weight) == 3
    found = load_file(tmp_path / "out/model.safetensors")
    assert found.keys() == merged.keys()
    for name, value in merged.items():
        torch.testing.assert_close(found[name], torch.tensor(value))
    assert (tmp_path / "out/config.json").read_text() == '{"of": "long"}', "everything but the weights is the long model's"


@pytest.mark.parametrize("shards", [(2, 1), (1, 3), (2, 3)])
def test_shards_need_not_be_cut_alike(tmp_path: Path, shards: tuple[int, int]) -> None:
    long, short = checkpoint(tmp_path / "long", LONG, shards[0]), checkpoint(tmp_path / "short", SHORT, shards[1])
    assert merge_folders(long, short, tmp_path / "out", 0.5) == 3
    found = {name: value for file in (tmp_path / "out").glob("*.safetensors") for name, value in load_file(file).items()}
    assert {name: value.tolist() for name, value in found.items()} == {"a": [2.0, 1.0, 0.0], "b": [[0.0]], "c": [0.5]}
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(path.name for path in long.iterdir())


def test_averages_are_taken_in_float32_and_stored_as_the_long_models(tmp_path: Path) -> None:
    """1 and 1 + 2^-7 in bfloat16: their mean 1 + 2^-8 lies between two such numbers and is rounded once, to the even one."""
    long = checkpoint(tmp_path / "long", {"a": torch.tensor([1.0, 3.0], dtype=torch.bfloat16)})
    short = checkpoint(tmp_path / "short", {"a": torch.tensor([1.0 + 2**-7, 5.0])})
    merge_folders(long, short, tmp_path / "out", 0.5)
    found = load_file(tmp_path / "out/model.safetensors")["a"]
    assert found.dtype == torch.bfloat16
    assert found.tolist() == [1.0, 4.0]


def test_models_that_do_not_fit_are_told_by_name(tmp_path: Path) -> None:
    long = checkpoint(tmp_path / "long", LONG)
    other = checkpoint(tmp_path / "other", {**SHORT, "a": torch.zeros(4)})
    with pytest.raises(DataError, match=r"1 tensors differ, first 'a' \(\(3,\) against \(4,\)\); merge models of one architecture"):
        merge_folders(long, other, tmp_path / "out", 0.5)
    less = checkpoint(tmp_path / "less", {"a": SHORT["a"]})
    with pytest.raises(DataError, match=r"2 tensors differ, first 'b' \(\(1, 1\) against None\)"):
        merge_folders(long, less, tmp_path / "out", 0.5)
    assert not (tmp_path / "out").exists()


def test_a_folder_without_or_with_broken_weights(tmp_path: Path) -> None:
    long = checkpoint(tmp_path / "long", LONG)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty: no model.safetensors"):
        merge_folders(long, tmp_path / "empty", tmp_path / "out", 0.5)
    (tmp_path / "empty/model.safetensors").write_bytes(b"half")
    with pytest.raises(DataError, match=r"empty/model.safetensors: not a safetensors file"):
        merge_folders(long, tmp_path / "empty", tmp_path / "out", 0.5)
    sharded = checkpoint(tmp_path / "sharded", SHORT, 2)
    (sharded / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(DataError, match=r"model-00002-of-00002.safetensors: not a safetensors file"):
        merge_folders(long, sharded, tmp_path / "out", 0.5)


def test_a_merged_model_is_loaded_like_any_other(tiny: Tiny, tmp_path: Path) -> None:
    before = weights(tiny.model())
    merge_folders(tiny.folder, tiny.folder, tmp_path / "out", 0.3)
    after = weights(load_model(tmp_path / "out", CPU))
    assert all(torch.allclose(before[name], after[name], rtol=1e-6) for name in before)
    assert Tiny(tmp_path / "out", []).renderer().processor.tokenizer.eos_token == "<|im_end|>"
