"""Log-probabilities equal those of the model's own logits."""

import pytest
import torch
from tiny import Tiny

from stages.training.batches import pack
from stages.training.log_probs import TokenLogProbs, join_for_batch, split_by_sample, sum_by_sample


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_log_probs_and_entropy_equal_the_logits_of_the_model(tiny: Tiny, temperature: float) -> None:
    model = tiny.model().eval()
    found = next(found for found in tiny.samples(model) if found.prompt.pixels)
    (batch,) = pack([found], 1000, 0)
    with torch.no_grad():
        logp, entropy = TokenLogProbs(model, temperature)(batch)
        kinds = torch.cat([found.prompt.per_token["mm_token_type_ids"], torch.zeros(len(found.response_ids), dtype=torch.long)])
        ids = torch.tensor([[*found.prompt.token_ids, *found.response_ids]])
        logits = model(input_ids=ids, mm_token_type_ids=kinds[None], **found.prompt.pixels).logits[0]
    logs = torch.log_softmax(logits[len(found.prompt.token_ids) - 1 : -1] / temperature, -1)
    expected = logs[torch.arange(len(found.response_ids)), torch.tensor(found.response_ids)]
    torch.testing.assert_close(logp, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(entropy, torch.distributions.Categorical(logits=logs).entropy(), rtol=1e-4, atol=1e-5)


def test_sums_by_sample_by_hand(tiny: Tiny) -> None:
    samples = tiny.samples(tiny.model())[:3]
    (batch,) = pack(samples, 3000, 0)
    ones = sum_by_sample(torch.ones(len(batch.targets)), batch, 4)
    assert ones.tolist() == [*(float(len(found.response_ids)) for found in samples), 0.0]


def test_values_of_a_batch_are_taken_apart_and_joined(tiny: Tiny) -> None:
    """Token-level references are kept by response, whatever batches they came from and go to."""
    samples = tiny.samples(tiny.model())[:5]
    values = [torch.arange(len(found.response_ids)) + 1000.0 * index for index, found in enumerate(samples)]
    found: dict[int, torch.Tensor] = {}
    for batch in pack(samples, 200, 0):
        joined = join_for_batch(values, batch)
        assert len(joined) == len(batch.targets)
        assert (joined // 1000).long().tolist() == batch.sample_of_target.tolist()
        found |= split_by_sample(joined, batch)
    assert [found[index].tolist() for index in range(5)] == [value.tolist() for value in values]
