"""The stage reward_model on the tiny checkpoint: both models are trained, saved, checked, and answer as rewards."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from programs import ended, stage
from tiny import CPU, Tiny, hardware, weights, write_params

from stages.data.files import DataError, write_records
from stages.models.loading import load_model
from stages.models.value_head import ValueJudge, load_head, new_head, save_head, value_of
from stages.rollout.asking import Asking, judge_of
from stages.run.optional import RewardModelling
from stages.run.sections import Judging
from stages.training.batches import pack
from stages.training.engine import optimizer_step, start
from stages.training.values import logistic_loss, value_samples
from stages.verifiers.reward_rows import RewardRow
from stages.verifiers.verdict import Claim, verify_all

TEXTS = ["Response: 1", "Response: 22 and 3", "Response: no"]


def wanted(init: Path, rows: Path, **changed: Any) -> dict[str, Any]:
    fields = {"init": str(init), "rows": str(rows), "context": 2048, "check_share": 0.25, "epochs": 12, "batch": 6}
    more = {"learning_rate": 0.005, "warmup": 0.0, "max_tokens": 8}
    return RewardModelling(**{**fields, **more, **changed}).model_dump()


def test_a_value_in_a_packed_row_is_the_value_alone(tiny: Tiny) -> None:
    """And the loss is the logistic one: the mean of log(1 + exp(-v)) where the label is yes, log(1 + exp(v)) where it is no."""
    model, labels = tiny.model(), [True, False, True]
    head = new_head(model, 1)
    renderer = tiny.renderer()
    samples = [sample for sample in value_samples(TEXTS, renderer, model) if sample]
    alone = [value_of(model, head, sample.prompt).item() for sample in samples]
    engine = start(model, hardware(), CPU, 1.0, head=head)
    (batch,) = pack(samples, 1024, 0)
    with torch.no_grad():
        values, _ = engine.deepspeed(batch)
    together = [values[batch.sample_of_target.tolist().index(place)].item() for place in range(3)]
    assert together == pytest.approx(alone, abs=1e-4)
    expected = sum(math.log1p(math.exp(-value if label else value)) for value, label in zip(alone, labels, strict=True)) / 3
    before = head.weight.detach().clone()
    first = optimizer_step(engine, [batch], logistic_loss([0, 1, 2], labels, 3), 0.01).loss
    assert first == pytest.approx(expected, abs=1e-4)
    for _ in range(20):
        last = optimizer_step(engine, [batch], logistic_loss([0, 1, 2], labels, 3), 0.01).loss
    assert last < 0.2 * first
    assert not torch.equal(head.weight, before), "the head is trained, too"


def test_a_head_is_saved_beside_the_weights(tiny: Tiny, tmp_path: Path) -> None:
    model = tiny.model()
    head = new_head(model, 3)
    save_head(head, tmp_path)
    again = load_head(model, tmp_path)
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in head.state_dict().items())
    with pytest.raises(DataError, match=r"no value_head\.safetensors"):
        load_head(model, tmp_path / "elsewhere")
    with torch.no_grad():
        head.bias.fill_(float("nan"))
    save_head(head, tmp_path)
    with pytest.raises(DataError, match=r"value_head.safetensors: NaN or infinite weights \(bias\)"):
        load_head(model, tmp_path)


def test_the_stage_trains_both_and_checks_both(tiny: Tiny, tmp_path: Path) -> None:
    rows = [
        RewardRow(question=f"What is {place} + 0?", reference=str(place), response=text, label=text == "yes, right")
        for place in range(12)
        for text in ("yes, right", "no, wrong")
    ]
    write_records(tmp_path / "rows.jsonl", rows)
    write_params(tmp_path, reward_model={"mine": wanted(tiny.folder, tmp_path / "rows.jsonl")})
    words = ["mine", "--init", str(tiny.folder), "--rows", "rows.jsonl", "--out", "out", "--report", "report"]
    assert ended(stage("stages.reward_model", words, tmp_path)) == 0, (tmp_path / "log.txt").read_text(encoding="utf-8")
    content = json.loads((tmp_path / "report/spot_check.json").read_text(encoding="utf-8"))
    assert content["rows"] == {"training": 18, "check": 6, "right": 3}
    assert content["classic"]["accuracy"] == 1.0, "told apart by their words"
    assert (content["classic"]["reported"], content["judge"]["reported"]) == (84.4, 98.5)
    assert content["judge"]["n"] == sum(content["judge"]["verdicts"].values()) == 6
    assert content["judge"]["ci95"][0] <= content["judge"]["accuracy"] <= content["judge"]["ci95"][1]

    before = weights(tiny.model())
    for kind in ("classic", "judge"):
        after = weights(load_model(tmp_path / "out" / kind, CPU))
        assert after.keys() == before.keys(), "an ordinary folder"
        assert any(not torch.equal(after[name], before[name]) for name in before)

    classic = judge_of(Judging(endpoint=None, model=str(tmp_path / "out/classic")), 4)
    assert isinstance(classic, ValueJudge)
    assert isinstance(judge_of(Judging(endpoint=None, model=str(tmp_path / "out/judge")), 4), Asking)
    claims = [Claim("reward_model", "40", text, "What is 40 + 0?") for text in ("yes, right", "no, wrong")]
    assert [verdict.outcome for verdict in verify_all(claims, judge=classic)] == ["right", "wrong"]
