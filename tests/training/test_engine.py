"""Optimizer steps through DeepSpeed against plain torch; the reset of the optimizer; saving."""

import functools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from tiny import CPU, Tiny, hardware, largest_gap, weights

from flows import estimate
from stages.data.files import DataError
from stages.models.loading import dtype_of, load_model
from stages.training.batches import TrainingSample, pack
from stages.training.engine import (
    BUCKET,
    Engine,
    StepResult,
    _config,
    forwards,
    log_probs,
    optimizer_step,
    reset_optimizer,
    start,
)
from stages.training.log_probs import TokenLogProbs
from stages.training.loop import mean_token_loss
from stages.training.samples import picture_filler
from stages.training.weights import save_model

ROUNDING = 2e-6  # float32 sums in another order, after a step of 1e-3 by a normalised gradient

Started = Callable[..., Engine]
Step = Callable[..., StepResult]


@pytest.fixture
def started(tiny: Tiny) -> Started:
    def make(grad_clip: float = 1e9, **changed: Any) -> Engine:
        return start(tiny.model(), hardware(**changed), CPU, grad_clip)

    return make


def chosen(tiny: Tiny) -> list[TrainingSample]:
    """Two texts and three pictures, short and long."""
    return tiny.samples(tiny.model())[1::8]


@pytest.fixture
def samples(tiny: Tiny) -> list[TrainingSample]:
    return chosen(tiny)


@pytest.fixture(scope="module")
def filler(tiny: Tiny) -> TrainingSample | None:
    return picture_filler(tiny.renderer(), tiny.model(), hardware(zero_stage=3))


@pytest.fixture
def step(filler: TrainingSample | None) -> Step:
    """One optimizer step on the mean token loss, as the training loop does it."""

    def take(engine: Engine, samples: list[TrainingSample], rate: float = 1e-3, tokens: int = 10_000) -> StepResult:
        loss = mean_token_loss(range(len(samples)), samples)
        return optimizer_step(engine, pack(samples, tokens, 0, filler if engine.zero_stage == 3 else None), loss, rate)

    return take


Plain = tuple[dict[str, torch.Tensor], list[float]]


@pytest.fixture(scope="module")
def plain_steps(tiny: Tiny) -> Callable[[float], Plain]:
    """Two steps by torch alone: one sample a forward, one AdamW step over all of them."""

    @functools.cache
    def steps(clip: float) -> Plain:
        model = tiny.model().train()
        samples = chosen(tiny)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.0)
        tokens = sum(len(found.response_ids) for found in samples)
        losses = []
        for _ in range(2):
            optimizer.zero_grad()
            parts = [-TokenLogProbs(model)(pack([found], 1000, 0)[0])[0].sum() / tokens for found in samples]
            sum(parts).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
            optimizer.step()
            losses.append(float(sum(parts).detach()))
        return weights(model), losses

    return steps


@pytest.mark.parametrize("zero_stage", [0, 1, 2, 3])
def test_steps_equal_plain_adamw(
    tiny: Tiny,
    started: Started,
    step: Step,
    samples: list[TrainingSample],
    plain_steps: Callable[[float], Plain],
    zero_stage: int,
    tmp_path: Path,
) -> None:
    engine = started(zero_stage=zero_stage)
    losses = [step(engine, samples, tokens=256).loss for _ in range(2)]
    expected, plain_losses = plain_steps(1e9)
    assert losses == pytest.approx(plain_losses, rel=1e-5)
    save_model(engine, tiny.renderer().processor, tmp_path / "saved")
    saved = weights(type(tiny)(tmp_path / "saved", []).model())
    assert largest_gap(saved, expected) < ROUNDING
    assert largest_gap(saved, weights(tiny.model())) > 1e-3, "the steps did something"


def test_gradients_are_clipped_to_the_norm(
    started: Started, step: Step, samples: list[TrainingSample], plain_steps: Callable[[float], Plain]
) -> None:
    engine = started(grad_clip=0.01)
    first = step(engine, samples)
    step(engine, samples)
    expected, _ = plain_steps(0.01)
    assert largest_gap(weights(engine.model), expected) < ROUNDING
    assert first.grad_norm > 0.1, "the norm is that before clipping"


@pytest.mark.parametrize("zero_stage", [0, 2])
def test_many_micro_batches_equal_one(started: Started, step: Step, samples: list[TrainingSample], zero_stage: int) -> None:
    one, many = started(zero_stage=zero_stage), started(zero_stage=zero_stage)
    for _ in range(2):
        left = step(one, samples)
        right = step(many, samples, tokens=64)
        assert left.loss == pytest.approx(right.loss, rel=1e-5)
        assert left.grad_norm == pytest.approx(right.grad_norm, rel=1e-4)
        assert left.entropy == pytest.approx(right.entropy, rel=1e-5)
        assert left.tokens == right.tokens == sum(found.length for found in samples)
    assert largest_gap(weights(one.model), weights(many.model)) < ROUNDING


def test_gradient_checkpointing_changes_no_gradient(started: Started, step: Step, samples: list[TrainingSample]) -> None:
    plain, checkpointed = started(), started(gradient_checkpointing=True)
    assert checkpointed.model.is_gradient_checkpointing
    for engine in (plain, checkpointed):
        step(engine, samples)
    assert largest_gap(weights(plain.model), weights(checkpointed.model)) < ROUNDING


@pytest.mark.parametrize("zero_stage", [0, 1, 2, 3])
def test_after_a_reset_the_next_step_is_that_of_a_fresh_optimizer(
    tiny: Tiny, started: Started, step: Step, samples: list[TrainingSample], zero_stage: int, tmp_path: Path
) -> None:
    """Moments and the step counter: with an old counter Adam's bias correction would make the first step ten times too small."""
    used = started(zero_stage=zero_stage)
    for _ in range(3):
        step(used, samples)
    save_model(used, tiny.renderer().processor, tmp_path / "before")
    before = type(tiny)(tmp_path / "before", [])
    reset_optimizer(used)
    fresh = start(before.model(), hardware(zero_stage=zero_stage), CPU, 1e9)
    for engine, name in ((used, "used"), (fresh, "fresh")):
        step(engine, samples[:3])
        step(engine, samples[:3])
        save_model(engine, tiny.renderer().processor, tmp_path / name)
    after = [weights(type(tiny)(tmp_path / name, []).model()) for name in ("used", "fresh")]
    assert largest_gap(*after) < ROUNDING
    assert largest_gap(after[0], weights(before.model())) > 1e-3


def test_reset_zeroes_moments_and_counter(started: Started, step: Step, samples: list[TrainingSample]) -> None:
    engine = started()
    step(engine, samples)
    states = list(engine.deepspeed.optimizer.state.values())
    assert all(float(state["step"]) == 1 for state in states)
    assert any(float(state["exp_avg"].abs().max()) > 0 for state in states)
    reset_optimizer(engine)
    for state in states:
        assert {name: float(value.abs().max()) for name, value in state.items()} == {"step": 0, "exp_avg": 0, "exp_avg_sq": 0}


def test_log_probs_without_gradient(started: Started, tiny: Tiny, samples: list[TrainingSample]) -> None:
    engine = started()
    found = log_probs(engine, pack(samples, 400, 0), len(samples))
    alone = torch.stack([TokenLogProbs(tiny.model())(pack([s], 1000, 0)[0])[0].sum() for s in samples]).detach()
    torch.testing.assert_close(found, alone, rtol=1e-4, atol=1e-4)
    assert all(not logp.requires_grad for _, logp in forwards(engine, pack(samples, 400, 0)))
    assert all(p.grad is None for p in engine.model.parameters())


def test_weight_zero_moves_nothing(started: Started, step: Step, samples: list[TrainingSample]) -> None:
    engine = started()
    before = weights(engine.model)
    step(engine, samples, rate=0.0)
    assert largest_gap(before, weights(engine.model)) == 0


def test_a_model_that_cannot_be_saved_is_one_clear_error(started: Started, tiny: Tiny, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match=r"file: cannot save the model .*; free disk space"):
        save_model(started(), tiny.renderer().processor, tmp_path / "file")


@pytest.mark.parametrize("zero_stage", [0, 1, 2, 3])
def test_bfloat16_steps_float32_master_weights(
    tiny: Tiny, samples: list[TrainingSample], filler: TrainingSample | None, zero_stage: int, tmp_path: Path
) -> None:
    """A step of 2e-5 is a tenth of the distance of two bf16 numbers near 0.1: without masters such weights would never move. The
    checkpoint is in the training dtype."""
    wanted = hardware(zero_stage=zero_stage, dtype="bfloat16")
    model = load_model(tiny.folder, CPU, dtype=dtype_of(wanted, CPU))
    engine = start(model, wanted, CPU, 1e9)
    batches = pack(samples[:2], 10_000, 0, filler if zero_stage else None)
    before = weights(load_model(tiny.folder, CPU, dtype=torch.bfloat16))
    losses = [optimizer_step(engine, batches, mean_token_loss([0, 1], samples), 2e-5).loss for _ in range(30)]
    assert losses[-1] < losses[0]
    save_model(engine, tiny.renderer().processor, tmp_path)
    with safe_open(tmp_path / "model.safetensors", "pt") as file:
        assert {file.get_tensor(name).dtype for name in file.keys()} == {torch.bfloat16}  # noqa: SIM118
    after = weights(load_model(tmp_path, CPU, dtype=torch.bfloat16))
    large = [name for name in before if float(before[name].abs().mean()) > 0.05 and not name.endswith("bias")]
    moved = sum(int((before[name] != after[name]).sum()) for name in large)
    assert moved > 0.2 * sum(before[name].numel() for name in large)


def test_muon_keeps_float32(tiny: Tiny) -> None:
    wanted = hardware(dtype="bfloat16")
    engine = start(tiny.model(), wanted, CPU, 1.0, muon_ratio=0.5)
    assert engine.model.dtype == torch.float32
    assert not engine.deepspeed.bfloat16_enabled()


def test_entropies_only_where_they_are_read(started: Started, samples: list[TrainingSample]) -> None:
    engine = started()
    batches = pack(samples, 10_000, 0)
    loss = mean_token_loss(range(len(samples)), samples)
    assert math.isnan(optimizer_step(engine, batches, loss, 0.0, entropies=False).entropy)
    assert optimizer_step(engine, batches, loss, 0.0).entropy > 1


def test_the_reduce_bucket_is_no_larger_than_the_model() -> None:
    """DeepSpeed never frees an engine, and ZeRO-3 reserves the whole bucket: 2 GB each by default."""
    small, large = (_config(3, False, 1.0, weights)["zero_optimization"] for weights in (640, 10**10))
    assert small == {"stage": 3, "reduce_bucket_size": 640}
    assert large["reduce_bucket_size"] == BUCKET == estimate.BUCKET
