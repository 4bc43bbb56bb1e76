"""A step whose loss or gradient is NaN or infinite is left out, and too many of them stop the stage
with the last good state kept; weights that are not finite are not saved, handed on or loaded."""

import re
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
from stages.models.finite import BadSteps, NotFiniteError, listed, not_finite
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


class SpoiltGradient(torch.autograd.Function):
    """Hands a value through, and a gradient of NaN back: the loss is good, its gradient is not."""

    @staticmethod
    def forward(_: Any, value: torch.Tensor) -> torch.Tensor:
        return value.clone()

    @staticmethod
    def backward(_: Any, *gradients: torch.Tensor) -> torch.Tensor:
        return gradients[0] * float("nan")


SETTINGS = [{}, {"dtype": "bfloat16"}, *({"zero_stage": stage} for stage in (1, 2, 3)), {"dtype": "bfloat16", "zero_stage": 2}]


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


@pytest.mark.parametrize("fault", ["loss", "gradient"])
@pytest.mark.parametrize("changed", SETTINGS)
def test_a_bad_step_is_as_if_it_had_not_been(
    tiny: Tiny, samples: list[TrainingSample], changed: dict[str, Any], fault: str
) -> None:
    """Good, bad, good ends with the weights of good, good, bit for bit: moments, too, are untouched."""
    wanted = hardware(**changed)
    filler = picture_filler(tiny.renderer(), tiny.model(), wanted)
    usual = mean_token_loss(range(len(samples)), samples)

    def spoilt(batch: PackedBatch, logp: torch.Tensor, entropy: torch.Tensor) -> torch.Tensor:
        through = SpoiltGradient.apply(logp) if fault == "gradient" else logp * float("nan")
        return usual(batch, through, entropy)

    def after(losses: list[LossOf]) -> tuple[dict[str, torch.Tensor], list[str]]:
        dtype = torch.bfloat16 if changed.get("dtype") else None
        engine = start(load_model(tiny.folder, CPU, dtype=dtype), wanted, CPU, 1.0, bad_steps=1)
        batches = pack(samples, 1000, 0, filler)
        results = [optimizer_step(engine, batches, loss, 1e-3) for loss in losses]
        return two_ranks.whole_weights(engine), [result.bad for result in results]

    expected, none = after([usual, usual])
    found, bad = after([usual, spoilt, usual])
    assert none == ["", ""]
    assert [bool(told) for told in bad] == [False, True, False]
    what = "the loss is nan" if fault == "loss" else "the gradient norm is"
    assert bad[1].startswith(what)
    assert "(1 in a row, health.bad_steps: 1)" in bad[1]
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_too_many_bad_steps_in_a_row() -> None:
    """A good step between them begins the count anew."""
    counter = BadSteps(2)
    assert counter.check(1.0, 0.0) == ""
    for _ in range(2):
        assert counter.check(float("nan"), 1.0) == "the loss is nan (1 in a row, health.bad_steps: 2)"
        assert counter.check(1.0, float("inf")) == "the gradient norm is inf (2 in a row, health.bad_steps: 2)"
        assert counter.check(2.0, 1.0) == ""
    counter.check(float("nan"), float("nan"))
    counter.check(float("nan"), float("nan"))
    with pytest.raises(NotFiniteError, match=r"the loss is nan in 3 steps in a row \(health.bad_steps: 2\); the last saved"):
        counter.check(float("nan"), float("nan"))
    with pytest.raises(NotFiniteError, match="the loss is -inf; the last saved"):
        BadSteps(0).check(float("-inf"), 1.0)


def test_training_leaves_a_bad_step_out(tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The message names the samples, the curve says which step; interrupted after it, the run ends the same."""
    wanted = hardware(save_seconds=0.0)
    samples = tiny.samples(tiny.model())[:6]

    def run(folder: Path, end: int | None) -> dict[str, torch.Tensor]:
        engine = start(tiny.model(), wanted, CPU, 1.0, bad_steps=1)
        spool, plan = Spool(folder / "spool.jsonl"), Plan(2, 2, 0, lambda *_: 1e-3)

        def loss(step: list[int], _: list[int], __: list[PackedBatch]) -> LossOf:
            seen = len(spool.rows())
            if seen == end:
                raise KeyboardInterrupt
            return partial(_times, mean_token_loss(step, samples), float("nan") if seen == 2 else 1.0)

        train(engine, samples, loss, plan, wanted, spool, folder / "state", None)  # type: ignore[arg-type]
        return weights(engine.model)

    (tmp_path / "whole").mkdir()
    (tmp_path / "ended").mkdir()
    whole = run(tmp_path / "whole", None)
    assert re.search(r"step 2: left out, the loss is nan .*; samples of the step: [\w-]+, [\w-]+\n", capsys.readouterr().out)
    rows = Spool(tmp_path / "whole/spool.jsonl").rows()
    assert [row.get("steps_left_out", 0) for row in rows] == [0, 0, 1, 0, 0, 0]
    assert ["loss" in row for row in rows] == [True, True, False, True, True, True]
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "ended", 4)
    found = run(tmp_path / "ended", None)
    assert all(torch.equal(whole[name], found[name]) for name in whole)


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
    assert listed([str(number) for number in range(22)]).endswith(", 19 and 2 more")


@pytest.mark.slow
@pytest.mark.parametrize("zero_stage", [0, 2])
def test_two_ranks_stop_together(tiny: Tiny, tmp_path: Path, zero_stage: int) -> None:
    """The loss is NaN on rank 1 alone; rank 0 must not wait for it."""
    play: Callable[..., None] = two_ranks.bad_loss
    for process in ranks(2, play, tmp_path, tiny.folder, tiny.problems, zero_stage):
        assert ended(process, 200) == 0, (tmp_path / "rank1.txt").read_text()[-2000:]
    for number in range(2):
        noticed = (tmp_path / f"noticed-{number}").read_text()
        assert noticed.startswith("the loss is nan in 2 steps in a row")
    first, second = (torch.load(tmp_path / f"weights-{number}.pt") for number in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert any(not torch.equal(first[name], tiny.model().state_dict()[name]) for name in first)
