"""Log-probabilities of given tokens under a model, for packed batches; only positions that carry loss reach the output layer."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from stages.training.batches import PackedBatch
from stages.training.output_layer import head_of, token_entropies, token_log_probs


class TokenLogProbs(nn.Module):
    """Wraps a vision-language model: forward(batch) gives log pi(token | prefix) of every target.

    DeepSpeed wraps this module, so that forward hooks (ZeRO-3, gradient checkpointing) see every layer."""

    def __init__(self, model: Any, temperature: float = 1.0) -> None:
        super().__init__()
        self.model = model
        self.temperature = temperature

    def forward(self, batch: PackedBatch, entropies: bool = True) -> tuple[torch.Tensor, torch.Tensor]:
        """(log-probability, entropy) of each target, both (T,) in float32 and natural logs; the entropy carries no gradient, and
        is (0,) when it is not asked for: it costs a second pass through the output layer."""
        hidden = self.model.model(**batch.inputs, use_cache=False).last_hidden_state
        chosen, head = hidden[batch.target_rows, batch.target_columns], head_of(self.model)
        cap = getattr(self.model.config.get_text_config(), "final_logit_softcapping", None)
        logp = token_log_probs(chosen, head, batch.targets, self.temperature, cap)
        return logp, token_entropies(chosen if entropies else chosen[:0], head, self.temperature, cap)


def sum_by_sample(values: torch.Tensor, batch: PackedBatch, samples: int) -> torch.Tensor:
    """(samples,) sum of `values` (T,) over each sample's targets; 0 for samples that are not in the batch."""
    return values.new_zeros(samples).index_add(0, batch.sample_of_target, values)


def split_by_sample(values: torch.Tensor, batch: PackedBatch) -> dict[int, torch.Tensor]:
    """`values` (T,) of the batch's targets, taken apart: the loss tokens of each sample in order, by the sample's index."""
    samples, counts = batch.sample_of_target.unique_consecutive(return_counts=True)
    return dict(zip(samples.tolist(), values.split(counts.tolist()), strict=True))


def join_for_batch(values: Sequence[torch.Tensor], batch: PackedBatch) -> torch.Tensor:
    """(T,) `values`, one tensor of loss tokens for every sample that was packed, in the order of the batch's targets."""
    return torch.cat([values[index] for index in batch.sample_of_target.unique_consecutive().tolist()])
