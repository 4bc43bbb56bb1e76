"""Weight averaging by hand, over shards, and what does not fit."""

import json
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import CPU, Tiny, weights

from stages.data.files import DataError
from stages.long2short import merging
from stages.long2short.merging import merge_folders
from stages.models.loading import load_model


def checkpoint(folder: Path, tensors: dict[str, torch.Tensor], shards: int = 1) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text('{"text_config": {"rope_theta": 10000.0}, "_name_or_path": "%s"}' % folder.name)  # noqa: UP031
    (folder / "README.md").write_text(f"of {folder.name}")
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
    assert (tmp_path / "out/README.md").read_text() == "of long", "everything but the weights is the long model's"


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


@pytest.mark.parametrize("of", ["long", "short"])
def test_a_model_that_is_not_finite_is_not_merged(tmp_path: Path, of: str) -> None:
    """Infinities of opposite sign would average to NaN; the message has the tensors and both models."""
    bad = {**LONG, "b": torch.tensor([[float("inf")]])}
    long = checkpoint(tmp_path / "long", bad if of == "long" else LONG)
    short = checkpoint(tmp_path / "short", bad if of == "short" else SHORT)
    with pytest.raises(DataError, match=r"long/model.safetensors and .*short: the average of 1 tensors has NaN .*\(b\)"):
        merge_folders(long, short, tmp_path / "out", 0.5)
    assert not (tmp_path / "out/model.safetensors").exists()


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


def with_tokens(folder: Path, **ids: int) -> Path:
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": ids}, "added_tokens": [{"content": "<end>", "id": 9}]}))
    return folder


def test_another_vocabulary_of_the_same_size_does_not_fit(tmp_path: Path) -> None:
    """The shapes agree, and the average of the embeddings would mix the rows of different tokens."""
    long = with_tokens(checkpoint(tmp_path / "long", LONG), a=0, b=1)
    short = with_tokens(checkpoint(tmp_path / "short", SHORT), a=1, b=0)
    with pytest.raises(DataError, match=r"2 tokens have another id, first 'a' \(0 against 1\)"):
        merge_folders(long, short, tmp_path / "out", 0.5)
    bare = checkpoint(tmp_path / "bare", SHORT)
    with pytest.raises(DataError, match=r"3 tokens have another id, first '<end>' \(9 against None\)"):
        merge_folders(long, bare, tmp_path / "out", 0.5)
    assert not (tmp_path / "out").exists()
    merge_folders(long, with_tokens(bare, a=0, b=1), tmp_path / "out", 0.5)


def test_another_architecture_of_the_same_shapes_does_not_fit(tmp_path: Path) -> None:
    long, short = checkpoint(tmp_path / "long", LONG), checkpoint(tmp_path / "short", SHORT)
    (short / "config.json").write_text('{"text_config": {"rope_theta": 1000000.0}}')
    with pytest.raises(DataError, match=r"config.json differs in 'text_config.rope_theta' \(10000.0 against 1000000.0\)"):
        merge_folders(long, short, tmp_path / "out", 0.5)
    (short / "config.json").write_text("{")
    with pytest.raises(DataError, match=r"short/config.json: not JSON"):
        merge_folders(long, short, tmp_path / "out", 0.5)


def test_memory_holds_two_shards_whatever_the_model_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve shards of four tensors: every tensor read or averaged is counted for as long as it lives."""
    tensors = {f"t{place:02d}": torch.full((1000,), float(place)) for place in range(48)}
    long, short = checkpoint(tmp_path / "long", tensors, 12), checkpoint(tmp_path / "short", tensors, 7)
    held, most = [0], [0]

    def counted(tensor: torch.Tensor) -> torch.Tensor:
        held[0] += tensor.nbytes
        most[0] = max(most[0], held[0])
        weakref.finalize(tensor, lambda bytes_=tensor.nbytes: held.__setitem__(0, held[0] - bytes_))
        return tensor

    class Counting:
        def __init__(self, *words: Any, **options: Any) -> None:
            self.opened = real_open(*words, **options)

        def __enter__(self) -> "Counting":
            self.opened.__enter__()
            return self

        def __exit__(self, *reason: object) -> None:
            self.opened.__exit__(*reason)

        def keys(self) -> list[str]:
            return list(self.opened.keys())

        def get_tensor(self, name: str) -> torch.Tensor:
            return counted(self.opened.get_tensor(name))

    real_open, real_average = merging.safe_open, merging._average
    monkeypatch.setattr(merging, "safe_open", Counting)
    monkeypatch.setattr(merging, "_average", lambda *words: counted(real_average(*words)))
    assert merge_folders(long, short, tmp_path / "out", 0.5) == 48
    shard = 4 * 4000
    assert shard < most[0] <= 2 * shard, "the merged shard and one tensor of each model; the whole model would be 12 shards"
    assert held[0] == 0


def test_candidates_of_rl_are_not_copied(tmp_path: Path) -> None:
    long, short = checkpoint(tmp_path / "long", LONG), checkpoint(tmp_path / "short", SHORT)
    checkpoint(long / "candidates", LONG)
    merge_folders(long, short, tmp_path / "out", 0.5)
    assert not (tmp_path / "out/candidates").exists()
