"""Starting vLLM inside the trainer's process, and the few of its inner parts that the engine needs. vLLM is imported here and in
`vllm_draw` only, and only when it is asked for."""

import atexit
import os
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from stages.data.files import DataError
from stages.models.loading import device_of, end_ids
from stages.prompts.render import Renderer
from stages.rollout.sampling import never_drawn
from stages.rollout.weight_check import Share
from stages.run.params import Hardware
from stages.run.ranks import alone, world_size

SETTINGS = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # the model stays in this process, where its weights can be replaced
    "VLLM_USE_V2_MODEL_RUNNER": "0",  # the runner whose sampler `vllm_draw` takes the place of
    "VLLM_USE_FLASHINFER_SAMPLER": "0",  # that sampler is the one replaced, and FlashInfer need not be there
    "VLLM_NO_USAGE_STATS": "1",
}
TOKENS_AT_ONCE = 8192


class Started:
    """A running vLLM with the model of a checkpoint folder."""

    def __init__(self, llm: Any, batch: int, ends: Iterable[int], banned: Sequence[int], can_sleep: bool) -> None:
        from vllm.distributed.parallel_state import get_tp_group

        self.llm = llm
        self.batch = batch
        self.ends = frozenset(ends)
        self.banned = list(banned)
        self.can_sleep = can_sleep
        self.runner = llm.llm_engine.model_executor.driver_worker.worker.model_runner
        self.model = self.runner.get_model()
        self.group = get_tp_group()
        self.share = Share(self.group.rank_in_group, self.group.world_size)
        self.packed: dict[str, list[str]] = dict(getattr(self.model, "packed_modules_mapping", {}))

    def parameters(self) -> dict[str, torch.Tensor]:
        """What the model holds, tied tensors once."""
        return dict(self.model.named_parameters())

    def rename(self, name: str) -> str | None:
        """vLLM's name of a transformers name, fused tensors apart; None for what it leaves out."""
        mapper = getattr(self.model, "hf_to_vllm_mapper", None)
        if mapper is None:
            return name
        found: str | None = mapper.map_name(name)
        return found

    def load(self, weights: Iterable[tuple[str, torch.Tensor]]) -> None:
        """Copy transformers' weights into the model, in place."""
        from vllm.config import set_current_vllm_config

        with torch.no_grad(), set_current_vllm_config(self.llm.llm_engine.vllm_config):
            self.model.load_weights(weights)

    def forget(self) -> None:
        """Empty the caches of prefixes and of encoded pictures: the weights that filled them are gone."""
        if not self.llm.llm_engine.reset_prefix_cache():
            raise DataError("vLLM could not empty its prefix cache; requests of an earlier call are still running")
        self.llm.llm_engine.reset_encoder_cache()

    def parameters_of(self, most: int) -> Any:
        """What vLLM is told of a request: when to stop. How to draw is told to `vllm_draw`."""
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        return SamplingParams(
            temperature=0.0,
            max_tokens=most,
            stop_token_ids=sorted(self.ends),
            ignore_eos=True,
            logprobs=0,
            detokenize=False,
            output_kind=RequestOutputKind.DELTA,
        )

    def gather(self, value: Any) -> list[Any]:
        """`value` of every process of the tensor-parallel group."""
        found: list[Any] = [None] * self.share.size
        dist.all_gather_object(found, value, group=self.group.cpu_group)
        return found


def start_vllm(
    folder: Path, net: Any, renderer: Renderer, hardware: Hardware, cache_bytes: int | None = None, apart: bool = False
) -> Started:
    """vLLM with the checkpoint in `folder`, whose transformers model is `net` (or what `described` gives of it). `cache_bytes` is
    the size of the key-value cache; None: what hardware.vllm.memory_share of the device's memory leaves. Of several ranks all must
    call, unless each works for itself (`apart`). DataError when vLLM is missing, or cannot run it."""
    device, size, several = device_of(hardware), hardware.vllm.tensor_parallel, world_size() > 1
    if world_size() % size:
        raise DataError(f"hardware.vllm.tensor_parallel = {size} does not divide the {world_size()} processes; choose a divisor")
    vllm = _imported(on_cpu=device.type == "cpu")
    try:
        with torch.random.fork_rng(), alone() if apart and several else nullcontext():  # vLLM seeds the process
            llm = vllm.LLM(
                model=str(folder),
                dtype="bfloat16" if device.type == "cuda" else "float32",
                max_model_len=renderer.context,
                max_num_seqs=hardware.generation_batch,
                max_num_batched_tokens=max(renderer.context, TOKENS_AT_ONCE),
                tensor_parallel_size=size,
                distributed_executor_backend="external_launcher" if several else "uni",
                gpu_memory_utilization=hardware.vllm.memory_share,
                kv_cache_memory_bytes=cache_bytes,
                enable_prefix_caching=True,
                enable_sleep_mode=device.type == "cuda",
                enforce_eager=device.type == "cpu",
                async_scheduling=False,
                generation_config="vllm",
                seed=0,
            )
    except (ValueError, RuntimeError, ImportError, TypeError, AttributeError, KeyError) as error:
        reason = " ".join(str(error).split())[:300]
        raise DataError(
            f"{folder}: vLLM {vllm.__version__} cannot run it ({reason}); generate with hardware.engine=transformers, or correct "
            "hardware.vllm"
        ) from error
    atexit.register(llm.llm_engine.engine_core.shutdown)  # before the program leaves its process group, which this needs
    outputs = int(net.config.get_text_config().vocab_size)
    ends = end_ids(net, renderer.turn_end)
    banned = never_drawn(net.config, renderer.processor.tokenizer, ends, outputs)
    return Started(llm, hardware.generation_batch, ends, banned, device.type == "cuda")


def _imported(on_cpu: bool) -> Any:
    """The package, told to stay in this process."""
    os.environ.update(SETTINGS)
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
    try:
        import vllm
        from vllm import _custom_ops
    except ImportError as error:
        raise DataError(
            f"hardware.engine is vllm, which cannot be imported here ({error}); install vllm 0.32 beside a CUDA build of torch, or "
            "set hardware.engine=transformers"
        ) from error
    if on_cpu:  # packed weights of the CPU kernels are copies, which a push would not reach
        _custom_ops._supports_onednn = False
    return vllm
