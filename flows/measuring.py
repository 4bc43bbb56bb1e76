"""Measures how fast this machine computes with a model: matrix product, training, generation, disk. `k15 doctor --measure` calls it
and stores what it gives for `k15 plan`."""

import os
import tempfile
import time
from pathlib import Path
from typing import Any

from flows.measured_rates import Measured
from stages.run.params import Params

SECONDS = 4.0
"""Each of the four is repeated until this has passed, after once unmeasured."""
SIDE = {"cpu": 2048, "cuda": 8192}
"""Of the matrices."""
RESPONSE = 64
"""New tokens of each response."""
WRITTEN = 256 * 2**20
"""Bytes written to the disk."""


def measure(params: Params, folder: Path, name: str, scratch: Path) -> Measured:
    """The rates of one process with the checkpoint in `folder`, by hardware of `params`. `scratch` is a folder on the disk to
    measure. The engine is the embedded one. Raises DataError as loading and generating do."""
    from stages.models.loading import device_of, dtype_of, load_model, load_processor
    from stages.prompts.render import Renderer

    device = device_of(params.hardware)
    dtype = dtype_of(params.hardware, device)
    model, processor = load_model(folder, device, dtype=dtype), load_processor(folder)
    weights = sum(weight.numel() for weight in model.parameters())
    renderer = Renderer.of(processor, params.model)
    rows = min(params.hardware.generation_batch, 64)
    generated = _generation(model, renderer, rows, min(RESPONSE, params.model.context // 2))
    return Measured(
        model=name,
        weights=weights,
        device=device.type,
        dtype=str(dtype).removeprefix("torch."),
        engine="transformers",
        matmul=_product(device, dtype),
        trained=_training(model, params, device),
        generated=generated,
        rows=rows,
        disk=_disk(scratch),
    )


def _rate(amount: float, call: Any) -> float:
    """`amount` a call over its seconds, of calls for SECONDS, one unmeasured first."""
    call()
    count, start = 0, time.monotonic()
    while not count or time.monotonic() - start < SECONDS:
        call()
        count += 1
    return amount * count / (time.monotonic() - start)


def _product(device: Any, dtype: Any) -> float:
    import torch

    side = SIDE[device.type]
    one, other = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))

    def call() -> None:
        (one @ other).sum().item()  # waits for a GPU

    return _rate(2.0 * side**3, call)


def _generation(model: Any, renderer: Any, rows: int, new: int) -> float:
    """Tokens a second of `rows` responses side by side, none of which ends early."""
    from stages.prompts.prompt import Prompt
    from stages.rollout.engine import Sampling
    from stages.rollout.transformers_engine import TransformersEngine

    engine = TransformersEngine(model.eval(), renderer, rows)
    counted = [0.0, 0.0]

    def call() -> None:
        start = time.monotonic()
        drawn = engine.generate([Prompt("What is 17 + 25?", None)], Sampling(1.0, 1.0, new, 0), rows)
        counted[0] += sum(len(one.token_ids) for one in drawn[0])
        counted[1] += time.monotonic() - start

    call()
    counted[:] = [0.0, 0.0]
    while counted[1] < SECONDS:
        call()
    return counted[0] / counted[1]


def _training(model: Any, params: Params, device: Any) -> float:
    """Tokens a second of optimizer steps over one full micro-batch."""
    from stages.models.positions import position_ids
    from stages.prompts.render import Rendered
    from stages.training.batches import TrainingSample, pack
    from stages.training.engine import optimizer_step, start

    length = min(params.model.context, params.hardware.micro_batch_tokens)
    count = max(1, params.hardware.micro_batch_tokens // length)
    prompt = Rendered(tuple(range(8)), {}, {})
    sample = TrainingSample(prompt, tuple([9] * (length - 8)), position_ids(model, prompt, length - 8))
    batches = pack([sample] * count, params.hardware.micro_batch_tokens, 0)
    one_rank = params.hardware.model_copy(update={"processes": 1, "zero_stage": 0})
    engine = start(model, one_rank, device, grad_clip=1.0)

    def call() -> None:
        optimizer_step(engine, batches, lambda _, logp, __: -logp.mean() / len(batches), 0.0)

    return _rate(float(count * length), call)


def _disk(folder: Path) -> float:
    block = os.urandom(2**20)

    def call() -> None:
        with tempfile.TemporaryFile(dir=folder) as file:
            for _ in range(WRITTEN // len(block)):
                file.write(block)
            file.flush()
            os.fsync(file.fileno())

    return _rate(float(WRITTEN), call)
