"""Muon through DeepSpeed against torch's own, which knows matrices only."""

import pytest
import torch
from tiny import CPU, Tiny, hardware, largest_gap, weights
from torch import nn

from stages.training.batches import TrainingSample, pack
from stages.training.engine import optimizer_step, start
from stages.training.log_probs import TokenLogProbs
from stages.training.loop import mean_token_loss

RATE, RATIO = 1e-3, 5.0
BFLOAT16 = 0.1
"""Of a weight's whole move. Both compute the update in bfloat16; the gradients differ in rounding, which Muon blows up where a
matrix learns in few directions: too much to compare in the vision tower, which sees three pictures here."""


def matrices(model: nn.Module) -> dict[str, nn.Parameter]:
    return {name: value for name, value in model.named_parameters() if value.ndim == 2 and "embed_tokens" not in name}


@pytest.fixture
def samples(tiny: Tiny) -> list[TrainingSample]:
    return tiny.samples(tiny.model())[1::8]


def by_torch(tiny: Tiny, samples: list[TrainingSample], steps: int) -> nn.Module:
    """torch.optim.Muon for the matrices, torch.optim.AdamW for the rest."""
    model = tiny.model().train()
    inside = matrices(model)
    rest = [value for name, value in model.named_parameters() if name not in inside]
    both = (
        torch.optim.Muon(list(inside.values()), lr=RATIO * RATE, weight_decay=0.0, adjust_lr_fn="original"),
        torch.optim.AdamW(rest, lr=RATE, betas=(0.9, 0.95), weight_decay=0.0),
    )
    tokens = sum(len(found.response_ids) for found in samples)
    for _ in range(steps):
        model.zero_grad()
        sum(-TokenLogProbs(model)(pack([found], 1000, 0)[0])[0].sum() / tokens for found in samples).backward()
        for optimizer in both:
            optimizer.step()
    return model


@pytest.mark.parametrize("zero_stage", [0, 2])
def test_steps_equal_torchs_muon_and_adamw(tiny: Tiny, samples: list[TrainingSample], zero_stage: int) -> None:
    engine = start(tiny.model(), hardware(zero_stage=zero_stage), CPU, 1e9, muon_ratio=RATIO)
    assert engine.zero_stage == 0, "Muon has whole matrices, whatever the other stages are told"
    loss = mean_token_loss(range(len(samples)), samples)
    for _ in range(2):
        result = optimizer_step(engine, pack(samples, 10_000, 0), loss, RATE)
    assert result.grad_norm > 0.1
    expected, before, found = weights(by_torch(tiny, samples, 2)), weights(tiny.model()), weights(engine.model)
    for name, value in expected.items():
        moved, gap = float((value - before[name]).norm()), float((found[name] - value).norm())
        assert "visual" in name or gap <= BFLOAT16 * moved, (name, gap / moved)
    assert largest_gap(found, before) > RATE


def test_a_matrix_moves_by_its_rate_in_every_direction(tiny: Tiny, samples: list[TrainingSample]) -> None:
    """Muon's update is nearly orthogonal: all singular values of a step lie near the learning rate (0.68 to 1.13 of it,
    https://kellerjordan.github.io/posts/muon), where those of the gradient differ by orders of magnitude."""
    engine = start(tiny.model(), hardware(), CPU, 1e9, muon_ratio=RATIO)
    optimizer_step(engine, pack(samples, 10_000, 0), mean_token_loss(range(len(samples)), samples), RATE)
    before, found = weights(tiny.model()), weights(engine.model)
    (name,) = (name for name in matrices(engine.model) if name.endswith("language_model.layers.0.self_attn.o_proj.weight"))
    step = torch.linalg.svdvals(found[name] - before[name]) / (RATIO * RATE)
    assert float(step.median()) > 0.3
    assert float(step.max()) < 1.3
