"""What a machine has, from a pretended nvidia-smi and from the command line."""

from pathlib import Path

import pytest

from flows import machine
from stages.data.files import DataError


def pretend(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    tool = folder / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_gpus_are_those_that_nvidia_smi_lists_and_cuda_may_see(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(tmp_path, monkeypatch, "printf '0, NVIDIA X, 81559\\n1, NVIDIA X, 81559\\n'")
    assert machine.gpus() == (machine.Gpu("NVIDIA X", 81559 * 2**20),) * 2
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert len(machine.gpus()) == 1
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert machine.gpus() == ()


def test_a_driver_that_does_not_answer_is_no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(tmp_path, monkeypatch, "echo 'NVIDIA-SMI has failed'; exit 9")
    assert machine.gpus() == ()


def test_assumed_gpus() -> None:
    assert [one.memory for one in machine.parsed("2x80")] == [80 * 2**30] * 2
    assert machine.parsed("0") == ()
    with pytest.raises(DataError, match="--gpus 8: expected COUNTxGIB, for example 8x80"):
        machine.parsed("8")


@pytest.mark.parametrize("count, text", [(900, "1 KiB"), (1536 * 2**20, "1.5 GiB"), (2**40, "1.0 TiB"), (5 * 2**20, "5.0 MiB")])
def test_sizes_in_words(count: int, text: str) -> None:
    assert machine.size(count) == text
