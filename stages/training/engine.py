"""The one door to DeepSpeed: start it, take optimizer steps over packed micro-batches, reset the optimizer."""

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist

from stages.models.attention import use_packed_attention
from stages.models.finite import REMEDY, BadSteps, NotFiniteError, listed, not_finite
from stages.models.loading import dtype_of
from stages.run.params import Hardware
from stages.run.ranks import collective_time_out, during, rank, world_size
from stages.training import library
from stages.training.batches import PackedBatch
from stages.training.log_probs import TokenLogProbs, sum_by_sample
from stages.training.optimizers import adamw, muon
from stages.training.output_layer import head_of
from stages.training.values import TokenValues

LossOf = Callable[[PackedBatch, torch.Tensor, torch.Tensor], torch.Tensor]
"""(batch, log-probs (T,), entropies (T,) or (0,)) -> this micro-batch's part of the loss, summed over micro-batches and ranks."""

BUCKET = 500_000_000
"""Most weights whose gradients are reduced together (DeepSpeed's default reduce_bucket_size)."""


@dataclass
class Engine:
    """A DeepSpeed engine around TokenLogProbs, and the device of this rank."""

    deepspeed: Any
    device: torch.device
    zero_stage: int
    bad_steps: BadSteps

    @property
    def model(self) -> Any:
        """The transformers model inside (its weights are whole below ZeRO-3)."""
        return self.deepspeed.module.model


@dataclass(frozen=True)
class StepResult:
    """What one optimizer step saw, over all ranks."""

    loss: float
    grad_norm: float
    tokens: int
    entropy: float
    """Mean over the tokens that carry loss, in nats; not a number where it was not asked for."""
    bad: str = ""
    """What is not finite in the step, which was then left out; "" for a step that was taken."""


def start(
    model: Any,
    hardware: Hardware,
    device: torch.device,
    grad_clip: float,
    temperature: float = 1.0,
    head: Any = None,
    muon_ratio: float | None = None,
    bad_steps: int = 0,
) -> Engine:
    """Wrap `model` by DeepSpeed with AdamW (weight decay 0), or with Muon at `muon_ratio` times its learning rate, which is set by
    each step. Muon wants whole float32 matrices: ZeRO and bf16 are off then. With bf16 DeepSpeed keeps float32 master weights.
    With a value `head` each target gets its value instead of its log-probability. `bad_steps`
    (health.bad_steps) steps in a row may be left out because loss or gradient is not finite."""
    os.environ.setdefault("DS_ACCELERATOR", "cuda" if device.type == "cuda" else "cpu")
    os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
    os.environ.setdefault("MASTER_PORT", "0")  # alone: any free port, so that several stages run side by side
    for name, value in (("RANK", "0"), ("WORLD_SIZE", "1"), ("LOCAL_RANK", "0")):
        os.environ.setdefault(name, value)
    deepspeed = library.deepspeed()
    deepspeed.utils.logger.setLevel("ERROR")
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False  # for inference only, and would be compiled for a minute
    backend = "nccl" if device.type == "cuda" else "gloo"
    if device.type == "cuda":
        torch.cuda.set_device(device)  # NCCL's collectives use the current one
    with during("meeting the other ranks"):
        deepspeed.init_distributed(dist_backend=backend, timeout=collective_time_out(), verbose=False)
    if hardware.gradient_checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    use_packed_attention(model)
    model.train()
    module = TokenLogProbs(model, temperature) if head is None else TokenValues(model, head)
    optimizer = adamw(module) if muon_ratio is None else muon(module, muon_ratio)
    zero_stage = hardware.zero_stage if muon_ratio is None else 0
    bf16 = muon_ratio is None and dtype_of(hardware, device) is torch.bfloat16
    weights = sum(parameter.numel() for parameter in module.parameters())
    config = _config(zero_stage, bf16, grad_clip, weights)
    with during("sharing the first weights"):
        engine, *_ = deepspeed.initialize(model=module, optimizer=optimizer, config=config)
    if zero_stage == 3 and head is None:  # the output layer's weights are read outside it
        for parameter in head_of(model).parameters():
            deepspeed.zero.register_external_parameter(module, parameter)
    return Engine(engine, device, zero_stage, BadSteps(bad_steps))


def _config(zero_stage: int, bf16: bool, clip: float, weights: int) -> dict[str, Any]:
    """The settings of DeepSpeed; `optimizer_step` accumulates over micro-batches itself. ZeRO-3
    reserves the reduce bucket at its full size, so it is no larger than all `weights` together."""
    return {
        "train_micro_batch_size_per_gpu": 1,
        "gradient_accumulation_steps": 1,
        "gradient_clipping": clip,
        "zero_optimization": {"stage": zero_stage, "reduce_bucket_size": min(weights, BUCKET)},
        "zero_allow_untested_optimizer": True,
        "bf16": {"enabled": bf16},
        "steps_per_print": 2**31,
    }


def optimizer_step(
    engine: Engine, batches: Sequence[PackedBatch], loss_of: LossOf, learning_rate: float, entropies: bool = True
) -> StepResult:
    """Forward and backward over all micro-batches of this rank, then one step. Ranks with fewer micro-batches repeat one of
    theirs with weight zero, so that collectives meet. `loss_of` divides by the count over all ranks itself.
    A step whose loss or gradient is not finite on any rank is left out on all: weights and moments stay
    as they are. Raises NotFiniteError, on all ranks, for more of them in a row than the engine allows."""
    for group in engine.deepspeed.optimizer.param_groups:
        group["lr"] = learning_rate * group.get("rate", 1.0)
    passes = _most(len(batches))
    sums = torch.zeros(4, dtype=torch.float64)
    for place in range(passes):
        batch = batches[min(place, len(batches) - 1)].to(engine.device)
        with during("forward"):
            logp, entropy = engine.deepspeed(batch, entropies)
        loss = loss_of(batch, logp, entropy)
        if place >= len(batches):
            loss = loss * 0.0
        else:
            sums += torch.tensor([loss.item(), batch.tokens, entropy.sum().item(), len(entropy)], dtype=torch.float64)
        engine.deepspeed.set_gradient_accumulation_boundary(place == passes - 1)
        if place == passes - 1:
            with during("sums of the step"):
                total = _reduce(sums, dist.ReduceOp.SUM).tolist()
            if not math.isfinite(total[0]):
                loss = loss * math.nan  # so the gradient is not finite on any rank, and no step is taken
        with during("backward and gradient reduction"):
            engine.deepspeed.backward(loss * world_size())
    with during("optimizer step"):
        norm = _take_step(engine)
    bad = engine.bad_steps.check(total[0], norm)
    entropy_mean = total[2] / max(1.0, total[3]) if entropies else math.nan
    return StepResult(total[0], norm, int(total[1]), entropy_mean, bad)


def _take_step(engine: Engine) -> float:
    """Take the optimizer step where the norm of the gradient before clipping, which is returned, is finite.
    Under ZeRO and bfloat16 DeepSpeed alone knows the norm, and leaves a bad step out by itself."""
    norm = _plain_norm(engine)
    if norm is not None and not math.isfinite(norm):
        engine.deepspeed.zero_grad()
        return norm
    engine.deepspeed.step()
    return float(engine.deepspeed.get_global_grad_norm() or 0.0) if norm is None else norm


def forwards(engine: Engine, batches: Sequence[PackedBatch]) -> list[tuple[PackedBatch, torch.Tensor]]:
    """Log-probabilities (T,) of every micro-batch without gradient. As in `optimizer_step`, ranks with fewer micro-batches
    repeat one, so that collectives meet."""
    passes = _most(len(batches))
    found = []
    with torch.no_grad():
        for place in range(passes):
            batch = batches[min(place, len(batches) - 1)].to(engine.device)
            with during("forward"):
                logp, _ = engine.deepspeed(batch, entropies=False)
            found += [(batch, logp)] if place < len(batches) else []
    return found


def log_probs(engine: Engine, batches: Sequence[PackedBatch], samples: int) -> torch.Tensor:
    """(samples,) log-probability of each packed sample's loss tokens, summed, without gradient, on the CPU."""
    total = torch.zeros(samples)
    for batch, logp in forwards(engine, batches):
        total += sum_by_sample(logp, batch, samples).cpu()
    return total


def reset_optimizer(engine: Engine) -> None:
    """Forget all moments: each iteration of mirror descent is a new problem (§2.3.2)."""
    inner = getattr(engine.deepspeed.optimizer, "optimizer", engine.deepspeed.optimizer)
    for state in inner.state.values():
        for value in state.values():
            if isinstance(value, torch.Tensor):
                value.zero_()


def gather_objects(value: Any) -> list[Any]:
    """`value` of every rank, in rank order, on every rank."""
    if world_size() == 1:
        return [value]
    gathered: list[Any] = [None] * world_size()
    with during("gathering from all ranks"):
        dist.all_gather_object(gathered, value)
    return gathered


def agreed(value: bool) -> bool:
    """Rank 0's `value`, on every rank (all ranks must call)."""
    with during("agreeing with rank 0"):
        return bool(_reduce(torch.tensor(float(value and rank() == 0)), dist.ReduceOp.MAX).item())


def barrier() -> None:
    """Wait for all ranks."""
    if world_size() > 1:
        with during("waiting for all ranks"):
            dist.barrier()


def _plain_norm(engine: Engine) -> float | None:
    """The gradient norm before clipping where DeepSpeed keeps none (float32 below ZeRO-1); None elsewhere."""
    if engine.zero_stage > 0 or engine.deepspeed.bfloat16_enabled():
        return None
    gradients = [p.grad for p in engine.deepspeed.module.parameters() if p.grad is not None]
    return float(torch.nn.utils.get_total_norm(gradients))


def check_weights(engine: Engine, what: str) -> None:
    """Raise NotFiniteError on all ranks where a weight of any rank is NaN or infinite; under ZeRO-3
    each rank looks at its own part. `what` would be saved."""
    parts = engine.deepspeed.module.named_parameters()
    wrong = not_finite((name, getattr(value, "ds_tensor", value)) for name, value in parts)
    with during("looking for weights that are not finite"):
        count = int(_reduce(torch.tensor(float(len(wrong))), dist.ReduceOp.MAX).item())
    if count:
        names = listed(wrong) or "on another rank"
        raise NotFiniteError(f"{what} has weights that are not finite ({names}) and is not saved; {REMEDY}")


def _most(batches: int) -> int:
    """The largest number of micro-batches of any rank."""
    with during("counting micro-batches"):
        return int(_reduce(torch.tensor(float(batches)), dist.ReduceOp.MAX).item())


def _reduce(value: torch.Tensor, operation: Any) -> torch.Tensor:
    """`value` (on the CPU) over all ranks, on the CPU; NCCL reduces what is on GPUs only."""
    if world_size() == 1:
        return value
    held = value.cuda() if dist.get_backend() == "nccl" else value
    dist.all_reduce(held, op=operation)
    return held.cpu()
