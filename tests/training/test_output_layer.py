"""The output layer in chunks against the plain formula, and what it keeps for the backward pass."""

from typing import Any

import pytest
import torch
from torch import nn

from stages.training import output_layer
from stages.training.output_layer import head_of, token_entropies, token_log_probs

TOKENS, HIDDEN, VOCABULARY = 37, 12, 50
CLOSE = {"rtol": 2e-6, "atol": 2e-6}


@pytest.fixture(params=[10, 7 * VOCABULARY, 10**6], ids=["a row at a time", "some rows", "all rows"], autouse=True)
def chunk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output_layer, "CHUNK", request.param)


def made(bias: bool, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, nn.Linear, torch.Tensor]:
    drawn = torch.Generator().manual_seed(3)
    head = nn.Linear(HIDDEN, VOCABULARY, bias=bias)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=drawn))
    hidden = torch.randn(TOKENS, HIDDEN, generator=drawn).to(dtype).requires_grad_()
    return hidden, head.to(dtype), torch.randint(0, VOCABULARY, (TOKENS,), generator=drawn)


def plainly(hidden: torch.Tensor, head: nn.Linear, targets: torch.Tensor, temperature: float, cap: float | None) -> Any:
    """Log-probabilities and entropies from whole logits."""
    logits = head(hidden).float()
    logits = logits if cap is None else cap * torch.tanh(logits / cap)
    logs = torch.log_softmax(logits / temperature, -1)
    return logs[torch.arange(len(targets)), targets], -(logs.exp() * logs).sum(-1)


@pytest.mark.parametrize("cap", [None, 2.5])
@pytest.mark.parametrize("temperature", [1.0, 0.7])
@pytest.mark.parametrize("bias", [False, True])
def test_values_and_gradients_are_those_of_the_plain_formula(bias: bool, temperature: float, cap: float | None) -> None:
    hidden, head, targets = made(bias)
    weights = torch.linspace(-1, 1, TOKENS) / TOKENS
    found = token_log_probs(hidden, head, targets, temperature, cap)
    expected, entropies = plainly(hidden, head, targets, temperature, cap)
    torch.testing.assert_close(found, expected, **CLOSE)
    torch.testing.assert_close(token_entropies(hidden, head, temperature, cap), entropies, **CLOSE)
    inputs = [hidden, *head.parameters()]
    ours, theirs = (torch.autograd.grad((part * weights).sum(), inputs) for part in (found, expected))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, **CLOSE)


def test_tied_weights_get_both_gradients() -> None:
    """The embedding's part and the output layer's are added up."""
    hidden, head, targets = made(False)

    def grown(log_probs: Any) -> torch.Tensor:
        states = head.weight[targets] + hidden.detach()  # the weight is an embedding too
        return torch.autograd.grad(log_probs(states, head, targets, 1.0, None).mean(), head.weight)[0]

    torch.testing.assert_close(grown(token_log_probs), grown(lambda *given: plainly(*given)[0]), **CLOSE)


@pytest.mark.parametrize("cap", [None, 2.5])
def test_no_tensor_of_all_tokens_and_all_entries_is_kept(cap: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """What autograd saves, by its own hooks; the plain formula would fail here."""
    monkeypatch.setattr(output_layer, "CHUNK", 7 * VOCABULARY)
    hidden, head, targets = made(True)

    def kept(work: Any) -> int:
        sizes: list[int] = []
        with torch.autograd.graph.saved_tensors_hooks(lambda tensor: sizes.append(tensor.numel()) or tensor, lambda tensor: tensor):
            work(hidden, head, targets, 1.0, cap)
        return max(sizes)

    assert kept(plainly) == TOKENS * VOCABULARY
    assert kept(token_log_probs) <= max(HIDDEN * VOCABULARY, TOKENS * HIDDEN)


def test_bf16_gives_float32_log_probs_near_the_exact_ones() -> None:
    hidden, head, targets = made(True, torch.bfloat16)
    found = token_log_probs(hidden, head, targets, 1.0, None)
    assert found.dtype == torch.float32
    exact, _ = plainly(hidden.double(), head.double(), targets, 1.0, None)
    assert float((found - exact).abs().max().detach()) < 0.1, "bf16 logits of up to 10"


def test_nothing_to_learn() -> None:
    """A micro-batch may hold no token with loss."""
    hidden, head, _ = made(False)
    for cap in (None, 2.5):
        assert token_log_probs(hidden[:0], head, torch.zeros(0, dtype=torch.long), 1.0, cap).shape == (0,)
    assert token_entropies(hidden[:0], head, 1.0, None).shape == (0,)


def test_an_output_layer_that_is_no_product_is_refused() -> None:
    class Model(nn.Module):
        def get_output_embeddings(self) -> nn.Module:
            return nn.Identity()

    with pytest.raises(TypeError, match="its output layer is a Identity; only a Linear"):
        head_of(Model())
