"""The output layer in chunks: log-probabilities and entropies of tokens whose logits never exist as one (T, V) tensor.

At 32,768 tokens and 151,936 vocabulary entries whole float32 logits take 20 GB, and a plain loss
keeps four such tensors."""

from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from stages.training.library import deepspeed

CHUNK = 1 << 26
"""Logits that exist at once: 256 MiB in float32."""


def head_of(model: Any) -> nn.Linear:
    """The output layer of a transformers model. TypeError where it is more than a product."""
    head = model.get_output_embeddings()
    if not isinstance(head, nn.Linear):
        raise TypeError(f"{type(model).__name__}: its output layer is a {type(head).__name__}; only a Linear can be trained here")
    return head


def token_log_probs(
    hidden: torch.Tensor, head: nn.Linear, targets: torch.Tensor, temperature: float, cap: float | None
) -> torch.Tensor:
    """(T,) natural log-probability, in float32, of each target after its state in `hidden` (T, H).
    With a `cap` the logits are bounded: tanh(logits / cap) * cap (Gemma 2, arXiv 2408.00118, §2)."""
    rows = max(1, CHUNK // head.out_features)
    if cap is not None:
        return _capped(hidden, head, targets, temperature, cap, rows)
    cross_entropy = deepspeed().sequence.linear_cross_entropy.vocab_parallel_linear_cross_entropy
    scaled = hidden if temperature == 1.0 else hidden / temperature
    bias = head.bias if head.bias is None or temperature == 1.0 else head.bias / temperature
    chunk = min(rows, max(1, len(targets)))
    loss: torch.Tensor = cross_entropy(scaled, head.weight, targets, bias, reduction="none", chunk_size=chunk)
    return -loss


def _capped(
    hidden: torch.Tensor, head: nn.Linear, targets: torch.Tensor, temperature: float, cap: float, rows: int
) -> torch.Tensor:
    """As `token_log_probs`; backward computes the logits of each chunk again."""

    def part(states: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
        logits = _logits(states, head, temperature, cap)
        return logits.gather(-1, chosen[:, None])[:, 0] - logits.logsumexp(-1)

    parts = zip(hidden.split(rows), targets.split(rows), strict=True)
    found = [checkpoint(part, states, chosen, use_reentrant=False) for states, chosen in parts]
    return torch.cat(found) if found else hidden.new_zeros(0, dtype=torch.float32)


@torch.no_grad()
def token_entropies(hidden: torch.Tensor, head: nn.Linear, temperature: float, cap: float | None) -> torch.Tensor:
    """(T,) entropy, in nats and float32, of the distribution after each state in `hidden` (T, H); no gradient."""
    found = [hidden.new_zeros(0, dtype=torch.float32)]
    for states in hidden.split(max(1, CHUNK // head.out_features)):
        logs = torch.log_softmax(_logits(states, head, temperature, cap), dim=-1)
        found.append(-torch.linalg.vecdot(logs.exp(), logs))
    return torch.cat(found)


def _logits(states: torch.Tensor, head: nn.Linear, temperature: float, cap: float | None) -> torch.Tensor:
    logits = functional.linear(states, head.weight, head.bias).float()
    if cap is not None:
        logits = torch.tanh(logits / cap) * cap
    return logits / temperature
