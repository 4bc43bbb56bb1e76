"""Which engine samples from the policy, and what is said where it cannot."""

import sys

import pytest
from tiny import Tiny, hardware

from stages.data.files import DataError
from stages.rollout.colocated import open_rollout_engine
from stages.rollout.transformers_engine import TransformersEngine


def test_the_embedded_engine_shares_the_model(tiny: Tiny) -> None:
    net = tiny.model()
    engine = open_rollout_engine(tiny.folder, net, tiny.renderer(), hardware(generation_batch=7), None)
    assert isinstance(engine, TransformersEngine)
    assert engine.model is net
    assert engine.batch == 7


def test_vllm_that_is_not_installed_is_named(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(DataError, match=r"hardware.engine is vllm, which cannot be imported here"):
        open_rollout_engine(tiny.folder, tiny.model(), tiny.renderer(), hardware(engine="vllm"), None)


def test_tensor_parallelism_divides_the_processes(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "4")
    chosen = hardware(engine="vllm", vllm={"tensor_parallel": 3, "memory_share": 0.4})
    with pytest.raises(DataError, match="tensor_parallel = 3 does not divide the 4 processes"):
        open_rollout_engine(tiny.folder, tiny.model(), tiny.renderer(), chosen, None)
