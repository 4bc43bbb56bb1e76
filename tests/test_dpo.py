"""The stage dpo: a step through its packed batches equals plain DPO by autograd."""

import pytest
import torch
from tiny import CPU, Tiny, hardware, largest_gap, weights

from stages.data.records import CuratedProblem, Sample, SampleGroup
from stages.long2short.direct_preference import pair_loss, pair_samples
from stages.long2short.preference import pairs
from stages.run.sections import DPO
from stages.training.batches import TrainingSample, pack
from stages.training.engine import log_probs, optimizer_step, start
from stages.training.log_probs import TokenLogProbs

BETA = 0.2


def groups(tiny: Tiny) -> list[SampleGroup]:
    """A text and two pictures, each with a short right response and two longer ones."""

    def sample(problem: CuratedProblem, length: int, outcome: str) -> Sample:
        ids = [30 + (7 * place + length) % 200 for place in range(length)]
        fields = {"problem_id": problem.id, "text": "x", "logprobs": [-1.0] * length, "finish": "stop", "reason": ""}
        return Sample(token_ids=ids, outcome=outcome, **fields)

    chosen = [tiny.curated()[place] for place in (0, 9, 12)]
    return [
        SampleGroup(problem=p, samples=[sample(p, 3 + n, "right"), sample(p, 8 + n, "wrong"), sample(p, 12 + n, "right")])
        for n, p in enumerate(chosen)
    ]


def alone(model: torch.nn.Module, sample: TrainingSample) -> torch.Tensor:
    return TokenLogProbs(model)(pack([sample], 1000, 0)[0])[0].sum()


@pytest.mark.parametrize("nll_weight", [0.0, 3.0])
def test_a_step_equals_plain_dpo(tiny: Tiny, nll_weight: float) -> None:
    dpo = DPO(
        beta=BETA, nll_weight=nll_weight, pairs_per_problem=2, min_length_ratio=1.5, epochs=1, batch=4, learning_rate=1e-3, warmup=0
    )
    found = pairs(groups(tiny), 1.5, 2)
    assert len(found) == 6
    engine = start(tiny.model(), hardware(), CPU, 1e9)
    samples = pair_samples(found, tiny.renderer(), engine.model)
    reference = log_probs(engine, pack(samples, 600, 0), len(samples))
    lengths = torch.tensor([len(pair.chosen.token_ids) for pair in found])
    order = [4, 1, 5, 0]
    plain = tiny.model().train()
    optimizer = torch.optim.AdamW(plain.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.0)
    for _ in range(2):
        members = [samples[2 * pair + side] for pair in order for side in (0, 1)]
        batches = pack(members, 200, 0)
        assert len(batches) > 2, "the two of a pair lie in different micro-batches"
        loss_of = pair_loss(engine, reference, lengths, order, order, batches, dpo)
        loss = optimizer_step(engine, batches, loss_of, 1e-3).loss

        optimizer.zero_grad()
        expected = torch.zeros(())
        for pair in order:
            margin = sum(
                sign * (alone(plain, samples[2 * pair + side]) - reference[2 * pair + side]) for side, sign in ((0, 1), (1, -1))
            )
            expected = expected - torch.nn.functional.logsigmoid(BETA * margin) / len(order)
            expected = expected - nll_weight * alone(plain, samples[2 * pair]) / len(found[pair].chosen.token_ids) / len(order)
        expected.backward()
        optimizer.step()
        assert abs(loss - expected.item()) < 1e-4
    assert largest_gap(weights(engine.model), weights(plain)) < 2e-4, "a tenth of two steps of Adam: rounding of small gradients"
    margins = torch.stack([alone(plain, sample) for sample in samples]).detach() - reference
    assert float((margins[0::2] - margins[1::2])[order].mean()) > 0.05, "the chosen gain on the rejected"


def test_samples_come_in_pairs_with_their_ids(tiny: Tiny) -> None:
    found = pairs(groups(tiny), 1.5, 2)
    samples = pair_samples(found, tiny.renderer(), tiny.model())
    for place, pair in enumerate(found):
        assert samples[2 * place].response_ids == tuple(pair.chosen.token_ids)
        assert samples[2 * place + 1].response_ids == tuple(pair.rejected.token_ids)
        assert samples[2 * place].prompt is samples[2 * place + 1].prompt
        assert samples[2 * place].positions.shape == (4, samples[2 * place].length)
