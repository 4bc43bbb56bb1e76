"""Rows of judged responses become what the two reward models are trained on (§2.3.5): samples, and the loss of a step."""

from collections.abc import Callable, Sequence
from typing import Any

from stages.prompts.render import Renderer
from stages.training.batches import PackedBatch, TrainingSample
from stages.training.engine import LossOf
from stages.training.loop import mean_token_loss
from stages.training.samples import demonstration_samples
from stages.training.values import logistic_loss, value_samples
from stages.verifiers.reward_model import value_text
from stages.verifiers.reward_rows import RewardRow, judge_demonstrations

LossFor = Callable[[Sequence[int], Sequence[int], Sequence[PackedBatch]], LossOf]
"""(units of all ranks, this rank's units, its batches) -> the step's loss, as stages/training/loop.py `train` wants it."""


def judge_task(rows: Sequence[RewardRow], renderer: Renderer, model: Any) -> tuple[list[TrainingSample], LossFor]:
    """The chain-of-thought judge: the judge's prompt, its reasoning and verdict as the response; rows over the context are left
    out."""
    samples, _ = demonstration_samples(judge_demonstrations(rows), renderer, model)
    return samples, lambda step, _, __: mean_token_loss(step, samples)


def value_task(rows: Sequence[RewardRow], renderer: Renderer, model: Any) -> tuple[list[TrainingSample], LossFor]:
    """The classic reward model: one value a row, with its label; rows over the context are left out."""
    texts = [value_text(row.question, row.reference, row.response) for row in rows]
    found = [(sample, row.label) for sample, row in zip(value_samples(texts, renderer, model), rows, strict=True) if sample]
    labels = [label for _, label in found]
    return [sample for sample, _ in found], lambda step, mine, _: logistic_loss(mine, labels, len(step))
