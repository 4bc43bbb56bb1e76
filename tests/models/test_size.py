"""Counting weights from file headers."""

import json
import struct
from pathlib import Path

import pytest

from stages.data.files import DataError
from stages.models.size import count_parameters


def _save(path: Path, **shapes: list[int]) -> None:
    entries = {name: {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]} for name, shape in shapes.items()}
    header = json.dumps({"__metadata__": {"format": "pt"}, **entries}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)


def test_weights_of_all_files_are_added(tmp_path: Path) -> None:
    _save(tmp_path / "model-1.safetensors", weight=[3, 4], scale=[])
    _save(tmp_path / "model-2.safetensors", bias=[5])
    assert count_parameters(tmp_path) == 3 * 4 + 1 + 5


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere: no \*\.safetensors there; run the stage that makes this checkpoint"):
        count_parameters(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "content", [b"", b"short", b"\xff" * 20, struct.pack("<Q", 4) + b"junk", struct.pack("<Q", 9) + b'{"a": {}}']
)
def test_a_broken_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(DataError, match=r"model\.safetensors: not a safetensors file"):
        count_parameters(tmp_path)
