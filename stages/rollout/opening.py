"""Which engine generates: embedded, or vLLM (hardware.engine). Both live in the processes of the stage that asks them."""

from pathlib import Path
from typing import Any

from stages.models.loading import described, device_of, dtype_of, load_model, load_processor
from stages.prompts.render import Renderer
from stages.rollout.engine import Engine
from stages.rollout.golden import Golden
from stages.rollout.transformers_engine import TransformersEngine
from stages.rollout.vllm_engine import VLLMEngine
from stages.rollout.vllm_start import start_vllm
from stages.run.params import Hardware, Model
from stages.run.ranks import rank


def open_rollout_engine(
    folder: Path, net: Any, renderer: Renderer, hardware: Hardware, golden: Golden | None, cache_bytes: int | None = None
) -> TransformersEngine | VLLMEngine:
    """The engine that samples from the policy while it is trained. The embedded one generates with `net`, a whole model that it may
    share with the trainer. vLLM loads the checkpoint in `folder` (`net` may be in pieces then), takes the trainer's weights at each
    push and has its answers to `golden` judged; all processes must open it; `cache_bytes` as in `start_vllm`. DataError where the
    engine is missing or cannot run the model."""
    if hardware.engine == "transformers":
        return TransformersEngine(net, renderer, hardware.generation_batch)
    started = start_vllm(folder, net, renderer, hardware, cache_bytes)
    return VLLMEngine(started, renderer, golden)


def load_engine(folder: Path, model: Model, hardware: Hardware, cache_bytes: int | None = None) -> Engine:
    """The engine for a checkpoint folder that is asked, not trained: each rank has one of its own, and they need not ask alike.
    Where a model is spread over several processes (vllm.tensor_parallel) these would have to, so that the embedded one is used,
    and says so."""
    renderer = Renderer.of(load_processor(folder), model)
    if hardware.engine == "vllm" and hardware.vllm.tensor_parallel == 1:
        net = described(folder)
        started = start_vllm(folder, net, renderer, hardware, cache_bytes, apart=True)
        return VLLMEngine(started, renderer, None)
    if hardware.engine == "vllm" and rank() == 0:
        print("hardware.vllm.tensor_parallel is above 1: vLLM generates in RL only, the embedded engine here", flush=True)
    device = device_of(hardware)
    return TransformersEngine(load_model(folder, device, dtype=dtype_of(hardware, device)), renderer, hardware.generation_batch)
