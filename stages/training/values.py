"""Training of a classic reward model (§2.3.5): a value read where the answer would begin, and the logistic loss of its labels."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from stages.models.positions import position_ids
from stages.models.value_head import value_prompt
from stages.prompts.render import Renderer
from stages.training.batches import PackedBatch, TrainingSample


class TokenValues(nn.Module):
    """Wraps a vision-language model and a value head as TokenLogProbs wraps a model: forward(batch) gives, for every target, the
    value at the token before it."""

    def __init__(self, model: Any, head: nn.Linear) -> None:
        super().__init__()
        self.model = model
        self.head = head

    def forward(self, batch: PackedBatch, entropies: bool = True) -> tuple[torch.Tensor, torch.Tensor]:
        """(value, zero) of each target, both (T,) in float32; without `entropies` as TokenLogProbs."""
        hidden = self.model.model(**batch.inputs, use_cache=False).last_hidden_state
        values = self.head(hidden[batch.target_rows, batch.target_columns])[:, 0].float()
        return values, torch.zeros_like(values if entropies else values[:0])


def value_samples(texts: Sequence[str], renderer: Renderer, model: Any) -> list[TrainingSample | None]:
    """A sample with one target for each text, whose value stands at the last token of the prompt; None over the context."""
    prompts = renderer.render([value_prompt(text) for text in texts], room=None)
    return [
        TrainingSample(prompt, (renderer.turn_end,), position_ids(model, prompt, 1))
        if len(prompt.token_ids) < renderer.context
        else None
        for prompt in prompts
    ]


def logistic_loss(
    mine: Sequence[int], labels: Sequence[bool], count: int
) -> Callable[[PackedBatch, torch.Tensor, torch.Tensor], torch.Tensor]:
    """LossOf a step: -log sigmoid of the value, or of its negative where the label says no, divided by the `count` of all ranks.
    `mine` are this rank's units in the order in which they were packed."""
    signs = torch.tensor([1.0 if labels[unit] else -1.0 for unit in mine])

    def loss_of(batch: PackedBatch, values: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        signed = signs.to(values.device)[batch.sample_of_target] * values
        return -nn.functional.logsigmoid(signed).sum() / max(1, count)

    return loss_of
