"""Packing: rows, masks and positions by hand; a sample's log-probabilities do not depend on its neighbours."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import Tiny

from stages.data.files import DataError
from stages.models.positions import position_ids
from stages.models.scratch import SPECIALS
from stages.prompts.render import Rendered
from stages.training import log_probs
from stages.training.batches import PackedBatch, TrainingSample, pack, plan_rows
from stages.training.log_probs import TokenLogProbs, split_by_sample, sum_by_sample
from stages.training.output_layer import token_log_probs

TOLERANCE = {"rtol": 1e-4, "atol": 1e-4}  # float32, sums of up to 200 token log-probabilities


def sample(prompt: tuple[int, ...], response: tuple[int, ...], **options: object) -> TrainingSample:
    length = len(prompt) + len(response)
    return TrainingSample(Rendered(prompt, {}, {}), response, torch.arange(length)[None], **options)


def totals(model: torch.nn.Module, batches: list[PackedBatch], samples: int) -> torch.Tensor:
    module, total = TokenLogProbs(model).eval(), torch.zeros(samples)
    with torch.no_grad():
        for batch in batches:
            total += sum_by_sample(module(batch)[0], batch, samples)
    return total


@given(st.lists(st.integers(1, 60), max_size=40), st.integers(1, 50))
def test_plan_rows_places_each_sample_once_and_keeps_to_the_limit(lengths: list[int], limit: int) -> None:
    rows = plan_rows(lengths, limit)
    assert sorted(index for row in rows for index in row) == list(range(len(lengths)))
    for row in rows:
        assert sum(lengths[index] for index in row) <= limit or len(row) == 1
    assert plan_rows(lengths, limit) == rows
    fills = [sum(lengths[index] for index in row) for row in rows]
    assert all(a + b > limit for place, a in enumerate(fills) for b in fills[place + 1 :]), "no two rows would fit in one"


def test_plan_rows_by_hand() -> None:
    # longest first: 6 | 5 -> a new row | 4 fits beside 6 | 3 beside 5 | 2 beside 5 and 3
    assert plan_rows([4, 2, 6, 5, 3], 10) == [[2, 0], [3, 4, 1]]
    assert plan_rows([11, 3], 10) == [[0], [1]], "too long for a row: a row of its own"


def test_a_batch_by_hand() -> None:
    samples = [sample((1, 2, 3), (4, 5)), sample((6,), (7, 8)), sample((9, 10), (11,))]
    batch, last = pack(samples, micro_batch_tokens=8, pad_id=0)
    assert batch.inputs["input_ids"].tolist() == [[1, 2, 3, 4, 5, 6, 7, 8]], "five tokens and three; no padding"
    assert last.inputs["input_ids"].tolist() == [[9, 10, 11]]
    assert batch.inputs["position_ids"].tolist() == [[0, 1, 2, 3, 4, 0, 1, 2]]
    targets = zip(batch.target_rows.tolist(), batch.target_columns.tolist(), batch.targets.tolist(), strict=True)
    # the column is that of the token before: 3 predicts 4 at column 2, 6 predicts 7 at column 5
    assert list(targets) == [(0, 2, 4), (0, 3, 5), (0, 5, 7), (0, 6, 8)]
    assert (last.target_columns.tolist(), last.targets.tolist()) == ([1], [11])
    assert batch.sample_of_target.tolist() == [0, 0, 1, 1]
    assert last.sample_of_target.tolist() == [2]
    assert (batch.tokens, last.tokens) == (8, 3)
    assert "attention_mask" not in batch.inputs, "transformers finds the samples by their positions only without a mask"


def test_the_loss_mask_chooses_targets() -> None:
    (batch,) = pack([sample((1, 2), (3, 4, 5), loss_mask=(True, False, True))], 10, 0)
    assert batch.targets.tolist() == [3, 5]
    with pytest.raises(DataError, match="loss mask of 2 for a response of 3 tokens"):
        pack([sample((1, 2), (3, 4, 5), loss_mask=(True, False))], 10, 0)


def test_masked_tokens_get_no_gradient(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the model says at a masked place has no part in the loss: its output rows get a gradient from the others only."""
    model = tiny.model()
    seen: list[int] = []
    monkeypatch.setattr(
        log_probs, "token_log_probs", lambda hidden, *rest: seen.append(len(hidden)) or token_log_probs(hidden, *rest)
    )
    masked = sample((5, 6, 7), (8, 9, 10), loss_mask=(True, False, True))
    (batch,) = pack([masked], 32, 0)
    logp, _ = TokenLogProbs(model)(batch)
    assert len(logp) == 2
    assert seen == [2], "only places with loss reach the output layer"
    free = sample((5, 6, 7), (8, 9, 10))
    (whole,) = pack([free], 32, 0)
    every, _ = TokenLogProbs(model)(whole)
    torch.testing.assert_close(logp, every[[0, 2]])
    gradient = torch.autograd.grad(logp.sum(), model.get_input_embeddings().weight, retain_graph=True)[0]
    expected = torch.autograd.grad(every[0] + every[2], model.get_input_embeddings().weight)[0]
    torch.testing.assert_close(gradient, expected)


@pytest.mark.parametrize("tokens", [64, 256, 1400, 10_000])
def test_packing_changes_no_log_probability(tiny: Tiny, tokens: int) -> None:
    model = tiny.model()
    samples = tiny.samples(model)[::3] + tiny.samples(model)[1::8]
    assert {bool(found.prompt.pixels) for found in samples} == {True, False}
    alone = torch.cat([totals(model, pack([found], 10_000, 0), 1) for found in samples])
    packed = totals(model, pack(samples, tokens, 0), len(samples))
    torch.testing.assert_close(packed, alone, **TOLERANCE)


def test_a_neighbour_changes_nothing_and_would_without_own_positions(tiny: Tiny) -> None:
    """The test above can fail: with running positions, samples of a row see each other."""
    model = tiny.model()
    samples = [found for found in tiny.samples(model) if not found.prompt.pixels][:4]
    (batch,) = pack(samples, 1000, 0)
    right = totals(model, [batch], 4)
    width = batch.inputs["input_ids"].shape[1]
    batch.inputs["position_ids"] = torch.arange(width).expand_as(batch.inputs["position_ids"])
    assert (totals(model, [batch], 4) - right).abs().max() > 0.01


def test_packed_gradients_equal_the_sum_of_single_ones(tiny: Tiny) -> None:
    model = tiny.model()
    samples = tiny.samples(model)[1::6]
    module = TokenLogProbs(model)
    for batch in pack(samples, 800, 0):
        (-module(batch)[0].sum()).backward()
    packed = {name: p.grad.clone() for name, p in model.named_parameters()}
    model.zero_grad()
    for found in samples:
        (-module(pack([found], 10_000, 0)[0])[0].sum()).backward()
    for name, p in model.named_parameters():
        torch.testing.assert_close(packed[name], p.grad, rtol=1e-3, atol=2e-3, msg=name)


def test_the_filler_costs_its_own_tokens(tiny: Tiny) -> None:
    """Not a row: two micro-batches of text carry one each, the third has a picture."""
    model = tiny.model()
    blank = tiny.renderer().blank()
    filler = TrainingSample(blank, (), position_ids(model, blank, 0))
    text = [found for found in tiny.samples(model) if not found.prompt.pixels][:2]
    picture = next(found for found in tiny.samples(model) if found.prompt.pixels)
    batches = pack([*text, picture], 1, 0, filler)
    widths = {tuple(batch.inputs["input_ids"].shape): batch.tokens for batch in batches}
    assert 20 < filler.length < 40
    assert widths == {(1, found.length + filler.length): found.length for found in text} | {(1, picture.length): picture.length}


def test_samples_with_pictures_seen_in_both_directions_have_rows_of_their_own() -> None:
    """With a mask of their padding; a filler of this kind goes into a row of text without its token types."""

    def seen(length: int) -> TrainingSample:
        kinds = {"token_type_ids": torch.ones(2, dtype=torch.long)}
        return TrainingSample(
            Rendered((5, 6), kinds, {"pixel_values": torch.ones(1, 3)}), (7,) * length, torch.arange(length + 2)[None]
        )

    row, two, one = pack([seen(2), seen(3), sample((1, 2), (3,)), seen(6)], 10, 0, seen(0))
    assert row.inputs["input_ids"].tolist() == [[1, 2, 3, 5, 6]]
    assert "token_type_ids" not in row.inputs
    assert "attention_mask" not in row.inputs
    assert two.inputs["input_ids"].tolist() == [[5, 6, 7, 7, 7, 7, 7, 7]], "8 tokens; a second row would make 16"
    assert one.inputs["input_ids"].tolist() == [[5, 6, 7, 7, 7], [5, 6, 7, 7, 0]]
    assert one.inputs["attention_mask"].tolist() == [[1, 1, 1, 1, 1], [1, 1, 1, 1, 0]]
    assert one.inputs["token_type_ids"].tolist() == [[1, 1, 0, 0, 0]] * 2
    assert one.inputs["pixel_values"].shape == (2, 3)
    assert (one.target_rows.tolist(), one.sample_of_target.tolist()) == ([0, 0, 0, 1, 1], [1, 1, 1, 0, 0])
    assert (row.tokens, two.tokens, one.tokens) == (3, 8, 9)


def test_the_filler_goes_where_no_picture_is_and_carries_no_loss(tiny: Tiny) -> None:
    model = tiny.model()
    samples = tiny.samples(model)
    text = [found for found in samples if not found.prompt.pixels][:6]
    picture = next(found for found in samples if found.prompt.pixels)
    filler = TrainingSample(picture.prompt, (), picture.positions[:, : len(picture.prompt.token_ids)])
    batches = pack([*text, picture], 128, 0, filler)
    assert len(batches) > 2
    assert all("pixel_values" in batch.inputs for batch in batches)
    assert all(int(batch.sample_of_target.max()) <= len(text) for batch in batches)
    with_filler = totals(model, batches, len(text) + 1)
    torch.testing.assert_close(with_filler, totals(model, pack([*text, picture], 128, 0), len(text) + 1), **TOLERANCE)


@pytest.fixture(scope="module")
def exact(tiny: Tiny) -> tuple[torch.nn.Module, list[TrainingSample], list[list[float]]]:
    """The model in double precision, samples of text and pictures, and each token's log-probability of a sample by itself."""
    model = tiny.model().eval().double()
    samples = [
        replace(found, prompt=replace(found.prompt, pixels={name: value.double() if value.is_floating_point() else value
                                                            for name, value in found.prompt.pixels.items()}))
        for found in tiny.samples(model)[::3]
    ]  # fmt: skip
    assert {bool(found.prompt.pixels) for found in samples} == {True, False}
    module = TokenLogProbs(model)
    with torch.no_grad():
        alone = [module(pack([found], 10_000, 0)[0])[0].tolist() for found in samples]
    return module, samples, alone


@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_no_token_depends_on_micro_batch_packing_padding_or_order(exact: Any, data: st.DataObject) -> None:
    """Any samples in any order, any size of a micro-batch, any pad token, with and without the picture filler."""
    module, samples, alone = exact
    chosen = data.draw(st.lists(st.integers(0, len(samples) - 1), min_size=1, max_size=8, unique=True))
    tokens = data.draw(st.integers(1, 4000))
    pad_id = data.draw(st.sampled_from((0, *range(len(SPECIALS), 50))))  # no placeholder of a picture: the model would look for it
    picture = next(found for found in samples if found.prompt.pixels)
    filler = TrainingSample(picture.prompt, (), picture.positions[:, : len(picture.prompt.token_ids)])
    batches = pack([samples[i] for i in chosen], tokens, pad_id, data.draw(st.sampled_from([None, filler])))
    seen: dict[int, list[float]] = {}
    with torch.no_grad():
        for batch in batches:
            seen |= {place: values.tolist() for place, values in split_by_sample(module(batch)[0], batch).items()}
    assert sorted(seen) == list(range(len(chosen)))
    for place, index in enumerate(chosen):
        assert seen[place] == pytest.approx(alone[index], abs=1e-5), (place, index)
