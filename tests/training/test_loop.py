"""Order of samples, units of steps, the mean token loss."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import Tiny

from stages.prompts.render import Rendered
from stages.training.batches import TrainingSample, pack
from stages.training.loop import Plan, loss_tokens, mean_token_loss, order_of, steps_of
from stages.training.samples import demonstration_samples


def plan(epochs: int, batch: int, seed: int = 0) -> Plan:
    return Plan(epochs, batch, seed, lambda *_: 0.0)


@given(st.integers(1, 40), st.integers(1, 3), st.integers(1, 50), st.integers(0, 5))
def test_each_epoch_sees_each_unit_once(count: int, epochs: int, batch: int, seed: int) -> None:
    steps = steps_of(count, plan(epochs, batch, seed))
    per_epoch = -(-count // batch)
    assert len(steps) == epochs * per_epoch
    for epoch in range(epochs):
        part = steps[epoch * per_epoch : (epoch + 1) * per_epoch]
        assert [len(step) for step in part[:-1]] == [batch] * (per_epoch - 1)
        assert sorted(unit for step in part for unit in step) == list(range(count))
    assert steps == steps_of(count, plan(epochs, batch, seed))


def test_an_ordered_set_is_gone_through_as_it_is() -> None:
    ordered = Plan(2, 2, 0, lambda *_: 0.0, shuffled=False)
    assert steps_of(5, ordered) == [[0, 1], [2, 3], [4]] * 2


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    assert order_of(0, 50, 1) != order_of(1, 50, 1)
    assert order_of(0, 50, 1) != order_of(0, 50, 2)


def sample(prompt: int, response: int, **options: object) -> TrainingSample:
    positions = torch.arange(prompt + response)[None]
    return TrainingSample(Rendered((1,) * prompt, {}, {}), (2,) * response, positions, **options)


def test_loss_tokens_by_hand_and_as_packed() -> None:
    samples = [sample(4, 3), sample(4, 3, loss_mask=(True, False, False))]
    assert [loss_tokens(found) for found in samples] == [3, 1]
    assert [len(pack([found], 10, 0)[0].targets) for found in samples] == [3, 1]


def test_the_mean_is_over_the_tokens_of_all_ranks() -> None:
    samples = [sample(2, 3), sample(2, 5), sample(2, 9)]
    loss_of = mean_token_loss([0, 1], samples)
    (batch,) = pack(samples[:1], 10, 0)
    # this rank holds 3 tokens of log-probability -2; both ranks together hold 8
    assert loss_of(batch, torch.full((3,), -2.0), torch.zeros(3)).item() == 6 / 8


def test_demonstrations_that_do_not_fit_are_left_out_with_a_reason(tiny: Tiny) -> None:
    rows = tiny.demonstrations()[:3]
    rows[1] = rows[1].model_copy(update={"id": "long", "response": "1" * 200})
    rows[2] = rows[2].model_copy(update={"id": "asked too much", "question": "2" * 300})
    samples, left_out = demonstration_samples(rows, tiny.renderer(150), tiny.model())
    assert len(samples) == 1
    assert [row["id"] for row in left_out] == ["long", "asked too much"]
    assert all(row["reason"].endswith("tokens of prompt and response exceed model.context = 150") for row in left_out)


def test_a_sampled_response_is_trained_on_as_it_is(tiny: Tiny) -> None:
    """Its ids are kept; a written one is tokenised, and ends with the end token."""
    written = tiny.demonstrations()[0]
    drawn = written.model_copy(update={"response_ids": [50, 51, 50]})
    (first, second), _ = demonstration_samples([written, drawn], tiny.renderer(), tiny.model())
    tokenizer = tiny.renderer().processor.tokenizer
    assert tokenizer.decode(list(first.response_ids)) == f"{written.response}<|im_end|>"
    assert second.response_ids == (50, 51, 50)
    assert first.prompt == second.prompt
