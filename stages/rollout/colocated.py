"""The engine that samples from the policy while it is trained, in the trainer's own processes: embedded, or vLLM."""

from pathlib import Path
from typing import Any

from stages.prompts.render import Renderer
from stages.rollout.golden import Golden
from stages.rollout.transformers_engine import TransformersEngine
from stages.rollout.vllm_engine import VLLMEngine
from stages.rollout.vllm_start import start_vllm
from stages.run.params import Hardware


def open_rollout_engine(
    folder: Path, net: Any, renderer: Renderer, hardware: Hardware, golden: Golden | None, cache_bytes: int | None = None
) -> TransformersEngine | VLLMEngine:
    """The engine that hardware.engine names. The embedded one generates with `net`, a whole model that it may share with the
    trainer. vLLM loads the checkpoint in `folder` (`net` may be in pieces then), takes the trainer's weights at each push and has
    its answers to `golden` judged; all processes must open it; `cache_bytes` as in `start_vllm`. DataError where the engine is
    missing or cannot run the model."""
    if hardware.engine == "transformers":
        return TransformersEngine(net, renderer, hardware.generation_batch)
    started = start_vllm(folder, net, renderer.processor.tokenizer, renderer.context, hardware, cache_bytes)
    return VLLMEngine(started, renderer, golden)
