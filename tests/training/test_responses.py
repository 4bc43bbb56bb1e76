"""Log-probabilities of single responses by the trainer."""

import pytest
import torch
from tiny import CPU, Tiny, hardware

from stages.training.batches import pack
from stages.training.engine import start
from stages.training.log_probs import TokenLogProbs
from stages.training.responses import response_log_probs


@pytest.mark.parametrize("zero_stage", [0, 2])
def test_as_the_model_says_at_the_trainers_temperature(tiny: Tiny, zero_stage: int) -> None:
    """Text and pictures, one value for each token; the filler of ZeRO adds none."""
    model = tiny.model()
    samples = tiny.samples(model)
    chosen = [next(s for s in samples if not s.prompt.pixels), next(s for s in samples if s.prompt.pixels)]
    with torch.no_grad():
        expected = [TokenLogProbs(model, 0.7)(pack([sample], 400, 0)[0])[0].tolist() for sample in chosen]
    wanted = hardware(zero_stage=zero_stage)
    engine = start(model, wanted, CPU, 1.0, 0.7)
    for sample, values in zip(chosen, expected, strict=True):
        found = response_log_probs(engine, wanted, tiny.renderer(), sample.prompt, list(sample.response_ids))
        assert len(found) == len(sample.response_ids)
        assert found == pytest.approx(values, abs=1e-5)
