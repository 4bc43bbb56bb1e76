"""Which engine generates, and what is said where it cannot."""

import sys

import pytest
from tiny import CPU, Tiny, hardware

from stages.data.files import DataError
from stages.prompts.prompt import Prompt
from stages.rollout.engine import Sampling
from stages.rollout.opening import load_engine, open_rollout_engine
from stages.rollout.transformers_engine import TransformersEngine
from stages.run.params import Model

MODEL = Model(source="scratch", revision=None, context=320, instruction="Answer.", system=None, thinking=None, chat_template=None)


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


def test_an_engine_from_a_folder(tiny: Tiny) -> None:
    found = load_engine(tiny.folder, MODEL, hardware(generation_batch=3))
    (group,) = found.generate([Prompt("What?", None)], Sampling(0.0, 1.0, 3, 0), samples=2)
    assert len(group) == 2
    assert isinstance(found, TransformersEngine)
    assert found.batch == 3
    assert found.model.device == CPU


def test_a_checkpoint_that_is_asked_is_vllms_too(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(DataError, match=r"hardware.engine is vllm, which cannot be imported here"):
        load_engine(tiny.folder, MODEL, hardware(engine="vllm"))


def test_a_model_over_several_processes_is_asked_by_the_embedded_engine(tiny: Tiny, capsys: pytest.CaptureFixture[str]) -> None:
    spread = hardware(engine="vllm", processes=2, vllm={"tensor_parallel": 2, "memory_share": 0.4})
    assert isinstance(load_engine(tiny.folder, MODEL, spread), TransformersEngine)
    assert "vLLM generates in RL only" in capsys.readouterr().out
