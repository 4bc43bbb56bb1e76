"""The training loop of all stages that go through a fixed set of samples: pretraining, SFT, DPO."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from stages.models.finite import left_out, naming
from stages.run.params import Hardware
from stages.run.ranks import during, rank, share
from stages.run.seeds import stream_seed
from stages.run.spool import Spool
from stages.training.ahead import Lazily, one_ahead
from stages.training.batches import PackedBatch, TrainingSample, pack
from stages.training.checkpoints import SaveClock, load_state, save_state
from stages.training.engine import Engine, LossOf, StepResult, optimizer_step


@dataclass(frozen=True)
class Plan:
    """How a set is gone through."""

    epochs: int
    batch: int
    """Units per optimizer step, over all ranks."""
    seed: int
    rate: Callable[[int, int], float]
    """(step, total steps) -> learning rate."""
    unit: int = 1
    """Consecutive samples that belong together: 1, or 2 for preference pairs."""
    shuffled: bool = True
    """False: in the order given, for sets that have one (the phases of pretraining)."""


def order_of(epoch: int, count: int, seed: int) -> list[int]:
    """The shuffled order of an epoch; the same for every rank."""
    generator = torch.Generator().manual_seed(stream_seed(seed, "order", epoch))
    return torch.randperm(count, generator=generator).tolist()


def steps_of(count: int, plan: Plan) -> list[list[int]]:
    """The units of every optimizer step of the whole run, short last batches included."""
    steps = []
    for epoch in range(plan.epochs):
        order = order_of(epoch, count, plan.seed) if plan.shuffled else list(range(count))
        steps += [order[start : start + plan.batch] for start in range(0, count, plan.batch)]
    return steps


def train(
    engine: Engine,
    samples: Sequence[TrainingSample],
    loss_for: Callable[[Sequence[int], Sequence[int], Sequence[PackedBatch]], LossOf],
    plan: Plan,
    hardware: Hardware,
    spool: Spool,
    state: Path,
    filler: TrainingSample | None,
) -> None:
    """Go through `samples` by `plan`. `loss_for(units of all ranks, this rank's units, its batches)` gives the step's loss.
    A killed run continues from `state` and ends with the same weights, bit for bit."""
    steps = steps_of(len(samples) // plan.unit, plan)
    first, extra = load_state(engine, state) or (0, {"rows": []})
    if rank() == 0:
        spool.restore(extra["rows"])
    pad_id = engine.model.config.get_text_config().pad_token_id or 0
    clock = SaveClock(hardware.save_seconds)

    def packed(step: int) -> Lazily[PackedBatch]:
        mine = share(steps[step]) or steps[step][:1]
        members = [samples[plan.unit * unit + place] for unit in mine for place in range(plan.unit)]
        return pack(members, hardware.micro_batch_tokens, pad_id, filler)

    for step, batches in one_ahead((step, packed(step)) for step in range(first, len(steps))):
        began = time.monotonic()
        mine = share(steps[step])
        loss_of = loss_for(steps[step], mine, batches) if mine else _nothing
        rate = plan.rate(step, len(steps))
        named = [samples[plan.unit * unit].name or str(unit) for unit in steps[step]]
        with during(f"step {step}"), naming(named):
            result = optimizer_step(engine, batches, loss_of, rate)
        if result.bad and rank() == 0:
            print(left_out(f"step {step}", result.bad, named), flush=True)
        if rank() == 0:
            spool.log(step, _figures(result, rate))
            spool.progress(step + 1, len(steps), "steps")
            spool.log_speed(step, {"tokens_per_second": result.tokens / (time.monotonic() - began)})
        with during(f"saving after step {step}"):
            if step + 1 < len(steps) and clock.due():
                clock.save(partial(save_state, engine, state, step + 1, {"rows": spool.rows()}))


def mean_token_loss(indices: Sequence[int], samples: Sequence[TrainingSample]) -> LossOf:
    """Negative log-likelihood summed over the loss tokens, divided by their number over all ranks (SFT, pretraining)."""
    tokens = sum(loss_tokens(samples[index]) for index in indices)

    def loss_of(_: PackedBatch, logp: torch.Tensor, __: torch.Tensor) -> torch.Tensor:
        return -logp.sum() / max(1, tokens)

    return loss_of


def loss_tokens(sample: TrainingSample) -> int:
    """How many tokens of a sample carry loss."""
    return len(sample.response_ids) if sample.loss_mask is None else sum(sample.loss_mask)


def _figures(result: StepResult, rate: float) -> dict[str, float]:
    """The row of a step in the curves; of one that was left out, that it was."""
    if result.bad:
        return {"learning_rate": rate, "steps_left_out": 1.0}
    return {"loss": result.loss, "grad_norm": result.grad_norm, "learning_rate": rate, "entropy": result.entropy}


def _nothing(_: PackedBatch, logp: torch.Tensor, __: torch.Tensor) -> torch.Tensor:
    return logp.sum() * 0.0
