"""The values of `hardware` with which a model fits: what `k15 plan` proposes where it does not, and what `k15 init` writes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flows import estimate
from flows.architecture import Model
from flows.estimate import Memory
from flows.machine import Machine
from flows.workload import longest_row
from stages.run.params import Hardware, Params

SHARE = {False: 0.8, True: 0.92}
"""Of the main memory, and of a GPU's, that a run may take: the estimate knows no fragments and no other program."""
LEAST_TOKENS = 512
"""A micro-batch is not made smaller than this."""
ROOM = 8
"""Responses of the whole context that vLLM's cache must hold at least."""


@dataclass(frozen=True)
class Place:
    """Where a rank runs."""

    gpu: bool
    there: int
    """Bytes of its memory."""
    context: int
    columns: int
    """Tokens of the longest prompt with its response."""

    @property
    def most(self) -> int:
        """Bytes that a run may take."""
        return int(SHARE[self.gpu] * self.there)

    @property
    def name(self) -> str:
        """For messages."""
        return "a GPU's" if self.gpu else "a rank's share of the main"


def on_gpu(hardware: Hardware, machine: Machine) -> bool:
    """Whether the training stages will run on a GPU."""
    return hardware.device == "cuda" or (hardware.device == "auto" and bool(machine.gpus))


def place_of(params: Params, machine: Machine) -> Place:
    """The place of each rank of a run on `machine`; 0 bytes where a GPU is asked for and none is here."""
    gpu = on_gpu(params.hardware, machine)
    smallest = min((one.memory for one in machine.gpus), default=0)
    there = smallest if gpu else machine.memory // params.hardware.processes
    return Place(gpu, there, params.model.context, longest_row(params))


def needed(model: Model, hardware: Hardware, place: Place) -> Memory:
    """The memory of a rank there."""
    return estimate.memory_of(model, hardware, place.context, place.gpu, place.there, place.columns)


def fits(model: Model, hardware: Hardware, place: Place) -> bool:
    """Whether training and generating fit, vLLM with its weights and a cache that is worth it."""
    need = needed(model, hardware, place)
    if need.total > place.most:
        return False
    return hardware.engine == "transformers" or need.engine >= least_engine(model, hardware, place.context)


def least_engine(model: Model, hardware: Hardware, context: int) -> int:
    """Bytes that vLLM needs on a rank: its part of the weights in bf16, ROOM responses, a tenth for itself."""
    assert model.weights is not None
    whole = 2 * model.weights + ROOM * context * model.cached * 2
    return int(1.1 * whole / hardware.vllm.tensor_parallel)


def fitted(model: Model, hardware: Hardware, place: Place) -> Hardware | None:
    """`hardware` with the least changes that make it fit: first the micro-batch and what is generated side by side become
    smaller, then gradient checkpointing, then a higher ZeRO stage. None where nothing helps."""
    return next((one for one in _variants(hardware, place) if fits(model, one, place)), None)


def _variants(hardware: Hardware, place: Place) -> Iterator[Hardware]:
    stages = [hardware.zero_stage, *(stage for stage in (2, 3) if hardware.processes > 1 and stage > hardware.zero_stage)]
    for stage in stages:
        for saving in sorted({hardware.gradient_checkpointing, True}):
            for tokens in _halved(hardware.micro_batch_tokens, max(LEAST_TOKENS, place.context)):
                for generating in _generating(hardware):
                    values = {"zero_stage": stage, "gradient_checkpointing": saving, "micro_batch_tokens": tokens}
                    yield hardware.model_copy(update=values | generating)


def _generating(hardware: Hardware) -> Iterator[dict[str, Any]]:
    if hardware.engine == "transformers":
        yield from ({"generation_batch": rows} for rows in _halved(hardware.generation_batch, 1))
        return
    share = hardware.vllm.memory_share
    while share > 0.1:
        yield {"vllm": hardware.vllm.model_copy(update={"memory_share": round(share, 2)})}
        share -= 0.05


def _halved(count: int, least: int) -> Iterator[int]:
    yield count
    while count // 2 >= least:
        count //= 2
        yield count


def differences(before: Hardware, after: Hardware) -> Mapping[str, Any]:
    """Dotted names of the values that differ, with the new ones."""
    found: dict[str, Any] = {}
    for name in type(before).model_fields:
        old, new = getattr(before, name), getattr(after, name)
        if old != new and name == "vllm":
            found["hardware.vllm.memory_share"] = new.memory_share
        elif old != new:
            found[f"hardware.{name}"] = new
    return found
