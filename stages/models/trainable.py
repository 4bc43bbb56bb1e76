"""Whether this code can train a model: its parts stand where the trainer looks for them and compute what the model does."""

from typing import Any

import torch

from stages.data.files import DataError
from stages.prompts.render import Rendered

TOLERANCE = 0.05
"""Ours, of the largest |logit|: bfloat16 rounds by 0.004; a scale or a cap that is left out is a multiple of it."""


def check_trainable(model: Any, processor: Any, sample: Rendered) -> None:
    """DataError for a model without `model.model` and an output layer, with logits that are not its
    output layer's (soft-capped or not) for the last hidden state, or with fewer embeddings than
    its tokenizer has tokens."""
    name, head = type(model).__name__, model.get_output_embeddings()
    if head is None or not hasattr(model, "model"):
        raise DataError(f"{name}: no layers under `model` with an output layer beside them, so it cannot be trained here")
    rows, tokens = model.get_input_embeddings().weight.shape[0], len(processor.tokenizer)
    if tokens > rows:
        raise DataError(
            f"the tokenizer has {tokens} tokens, the model {rows} embeddings; take model and tokenizer from the same checkpoint"
        )
    _check_logits(name, model, head, torch.tensor([sample.token_ids], device=model.device))


@torch.no_grad()
def _check_logits(name: str, model: Any, head: Any, ids: torch.Tensor) -> None:
    """The trainer computes log-probabilities from the last hidden state by the output layer itself."""
    model.eval()
    theirs = model(input_ids=ids, use_cache=False).logits.float()
    ours = head(model.model(input_ids=ids, use_cache=False).last_hidden_state).float()
    cap = getattr(model.config.get_text_config(), "final_logit_softcapping", None)
    if cap is not None:
        ours = torch.tanh(ours / cap) * cap
    gap, height = float((ours - theirs).abs().max()), float(theirs.abs().max())
    if not gap <= TOLERANCE * height:  # not a number: over it, too
        raise DataError(
            f"{name}: its logits are {gap:.3g} from those of its output layer (the largest is "
            f"{height:.3g}), so log-probabilities of the trainer would be wrong; choose another model"
        )
