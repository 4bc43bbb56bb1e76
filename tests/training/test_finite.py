"""A loss, gradient or weight that is NaN or infinite ends training with the last good state kept;
nothing of it is saved, handed on or loaded."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import two_ranks
from programs import ended, ranks
from tiny import CPU, Tiny, hardware, weights

from stages.data.files import DataError
from stages.models.finite import NotFiniteError, check_step, listed, not_finite
from stages.models.loading import load_model, load_processor
from stages.run.spool import Spool
from stages.training.batches import PackedBatch, TrainingSample, pack
from stages.training.checkpoints import load_state, save_state
from stages.training.engine import Engine, LossOf, optimizer_step, start
from stages.training.loop import Plan, mean_token_loss, train
from stages.training.samples import picture_filler
from stages.training.weights import save_model

BAD = [float("nan"), float("inf"), float("-inf")]


def poisoned(samples: list[TrainingSample], value: float) -> LossOf:
    """The mean loss times `value`."""
    usual = mean_token_loss(range(len(samples)), samples)
    return lambda batch, logp, entropy: usual(batch, logp, entropy) * value


def spoil_gradients(engine: Engine) -> None:
    """Let one parameter's gradient be NaN, whatever the loss is."""
    parameter = engine.model.get_input_embeddings().weight
    parameter.register_hook(lambda gradient: gradient * float("nan"))


def spoil_weights(engine: Engine) -> None:
    """Put one NaN into the last tensor, as a memory fault would."""
    *_, last = engine.model.parameters()
    with torch.no_grad():
        last.view(-1)[-1] = float("nan")


@pytest.fixture
def samples(tiny: Tiny) -> list[TrainingSample]:
    return tiny.samples(tiny.model())[:4]


@pytest.mark.parametrize("value", BAD)
def test_a_bad_loss_takes_no_step(tiny: Tiny, samples: list[TrainingSample], value: float) -> None:
    engine = start(tiny.model(), hardware(), CPU, 1.0)
    before = weights(engine.model)
    with pytest.raises(NotFiniteError, match=r"the loss is (nan|-?inf); the last saved state is kept"):
        optimizer_step(engine, pack(samples, 1000, 0), poisoned(samples, value), 1e-3)
    after = weights(engine.model)
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("changed", [{}, {"dtype": "bfloat16"}, {"zero_stage": 1}, {"zero_stage": 2}, {"zero_stage": 3}])
def test_a_bad_gradient_is_noticed(tiny: Tiny, samples: list[TrainingSample], changed: dict[str, Any], tmp_path: Path) -> None:
    """Below ZeRO-1 in float32 before the step; elsewhere DeepSpeed knows the norm, and does not step
    on one that is not finite. The weights stay good."""
    wanted = hardware(**changed)
    dtype = torch.bfloat16 if changed.get("dtype") else None
    engine = start(load_model(tiny.folder, CPU, dtype=dtype), wanted, CPU, 1.0)
    spoil_gradients(engine)
    filler = picture_filler(tiny.renderer(), tiny.model(), wanted)
    loss = mean_token_loss(range(len(samples)), samples)
    with pytest.raises(NotFiniteError, match="the gradient norm is"):
        optimizer_step(engine, pack(samples, 1000, 0, filler), loss, 1e-3)
    named = list(engine.model.named_parameters())
    assert not not_finite((name, getattr(value, "ds_tensor", value)) for name, value in named)
    save_state(engine, tmp_path / "state", 1, {})


def test_bad_weights_are_not_saved_and_the_earlier_state_stays(tiny: Tiny, samples: list[TrainingSample], tmp_path: Path) -> None:
    engine = start(tiny.model(), hardware(), CPU, 1.0)
    loss = mean_token_loss(range(len(samples)), samples)
    optimizer_step(engine, pack(samples, 1000, 0), loss, 1e-3)
    save_state(engine, tmp_path / "state", 1, {"kept": True})
    good = weights(engine.model)
    spoil_weights(engine)
    with pytest.raises(NotFiniteError, match="the state after step 2 has weights that are not finite"):
        save_state(engine, tmp_path / "state", 2, {})
    with pytest.raises(NotFiniteError, match="the checkpoint model has weights that are not finite"):
        save_model(engine, load_processor(tiny.folder), tmp_path / "model")
    assert not (tmp_path / "model").exists()
    assert load_state(engine, tmp_path / "state") == (1, {"kept": True})
    found = weights(engine.model)
    assert all(torch.equal(good[name], found[name]) for name in good)


def test_a_checkpoint_with_bad_weights_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    model = tiny.model()
    with torch.no_grad():
        next(model.parameters()).view(-1)[0] = float("inf")
    model.save_pretrained(tmp_path)
    with pytest.raises(DataError, match=r"1 tensors have NaN or infinite weights, the first .*run its stage again"):
        load_model(tmp_path, CPU)


def test_training_goes_on_from_the_last_good_state(tiny: Tiny, tmp_path: Path) -> None:
    """The message names the samples; the same command ends with the weights of a run without fault."""
    wanted = hardware(save_seconds=0.0)
    samples = tiny.samples(tiny.model())[:6]

    def run(folder: Path, faulty: int | None) -> dict[str, torch.Tensor]:
        engine = start(tiny.model(), wanted, CPU, 1.0)
        spool, plan = Spool(folder / "spool.jsonl"), Plan(2, 2, 0, lambda *_: 1e-3)

        def loss(step: list[int], _: list[int], __: list[PackedBatch]) -> LossOf:
            usual = mean_token_loss(step, samples)
            calls.append(step)
            return partial(_times, usual, float("nan") if len(calls) == faulty else 1.0)

        calls: list[list[int]] = []
        train(engine, samples, loss, plan, wanted, spool, folder / "state", None)  # type: ignore[arg-type]
        return weights(engine.model)

    (tmp_path / "whole").mkdir()
    (tmp_path / "faulty").mkdir()
    whole = run(tmp_path / "whole", None)
    with pytest.raises(NotFiniteError, match=r"samples of the step: [\w-]+, [\w-]+"):
        run(tmp_path / "faulty", 4)
    found = run(tmp_path / "faulty", None)
    assert all(torch.equal(whole[name], found[name]) for name in whole)


def _times(usual: LossOf, factor: float, *given: Any) -> torch.Tensor:
    return usual(*given) * factor


def test_what_is_not_finite() -> None:
    """A sum that overflows float32 is no fault; whole numbers cannot be one."""
    large = torch.full((4,), 3e38)
    found = not_finite([("a", large), ("b", torch.tensor([1.0, float("nan")])), ("c", torch.tensor([1]))])
    assert found == ["b"]
    check_step(1.0, None)
    check_step(0.0, 2.0)
    assert listed([str(number) for number in range(22)]).endswith(", 19 and 2 more")


@pytest.mark.slow
@pytest.mark.parametrize("zero_stage", [0, 2])
def test_two_ranks_stop_together(tiny: Tiny, tmp_path: Path, zero_stage: int) -> None:
    """The loss is NaN on rank 1 alone; rank 0 must not wait for it."""
    play: Callable[..., None] = two_ranks.bad_loss
    for process in ranks(2, play, tmp_path, tiny.folder, tiny.problems, zero_stage):
        assert ended(process, 200) == 0, (tmp_path / "rank1.txt").read_text()[-2000:]
    for number in range(2):
        assert (tmp_path / f"noticed-{number}").read_text().startswith("the loss is nan")
