"""Drawing tokens: the distribution, the nucleus, what is banned, and a stream of numbers for each response."""

import numpy as np
import pytest
import torch

from stages.rollout.sampling import BLOCK, COLUMNS, Uniforms, draw, nucleus, passed

NONE = torch.tensor([], dtype=torch.long)


def numbers(count: int) -> torch.Tensor:
    return torch.from_numpy(np.random.Generator(np.random.Philox(key=1)).random(count))


@pytest.mark.parametrize("temperature, shares", [(1.0, (0.5, 0.3, 0.2)), (0.5, (25 / 38, 9 / 38, 4 / 38))])
def test_draws_follow_the_distribution(temperature: float, shares: tuple[float, ...]) -> None:
    """20,000 draws: shares 0.5, 0.3, 0.2 within four standard errors; at temperature 0.5 they go as the squares."""
    logits = torch.full((20_000, 400), -torch.inf)
    logits[:, 100:103] = torch.tensor([0.5, 0.3, 0.2]).log()
    chosen, logprobs = draw(logits, temperature, 1.0, NONE, numbers(20_000))
    for place, share in enumerate(shares):
        error = 4 * (share * (1 - share) / 20_000) ** 0.5
        assert float((chosen == 100 + place).float().mean()) == pytest.approx(share, abs=error)
        assert logprobs[chosen == 100 + place].exp().tolist()[:3] == pytest.approx([share] * 3)


def test_the_token_is_where_the_cumulative_probability_passes_the_number() -> None:
    logits = torch.tensor([0.25, 0.5, 0.25]).log().expand(7, 3)
    uniforms = torch.tensor([0.0, 0.2499, 0.2501, 0.7499, 0.7501, 0.9999, 1 - 2**-53], dtype=torch.float64)
    assert draw(logits, 1.0, 1.0, NONE, uniforms)[0].tolist() == [0, 0, 1, 1, 2, 2, 2]
    banned = draw(logits, 1.0, 1.0, torch.tensor([0]), uniforms)
    assert banned[0].tolist() == [1, 1, 1, 2, 2, 2, 2], "of what is left, two thirds and a third"
    assert banned[1].exp().tolist()[:4] == pytest.approx([0.5, 0.5, 0.5, 0.25]), "the model's own probability"
    assert draw(logits, 1.0, 0.5, NONE, uniforms)[0].tolist() == [1] * 7
    assert draw(logits, 1.0, 0.5, torch.tensor([1]), uniforms)[0].tolist() == [0] * 7, "the nucleus is of what is allowed"
    assert draw(logits, 0, 1.0, torch.tensor([1]), None)[0].tolist() == [0] * 7


@pytest.mark.parametrize("height", [50.0, 500.0])
@pytest.mark.parametrize("top_p", [1.0, 0.5])
def test_what_is_banned_is_never_drawn_even_where_the_model_wants_nothing_else(height: float, top_p: float) -> None:
    logits, banned = torch.zeros(512, 40), torch.tensor([0, 3, 39])
    logits[:, banned] = height
    for uniforms in (None, numbers(512)):
        chosen, logprobs = draw(logits, 1.0, top_p, banned, uniforms)
        assert not torch.isin(chosen, banned).any()
        assert chosen.max() < 40
        assert (logprobs < -40).all(), "the log-probability is that of the model, what is banned included"
    assert len(set(draw(logits, 1.0, 1.0, banned, numbers(512))[0].tolist())) == 37, "all others alike"


@pytest.mark.parametrize("size", [COLUMNS, COLUMNS + 1, 3 * COLUMNS, 5 * COLUMNS - 7])
def test_a_large_vocabulary_gives_the_tokens_of_the_plain_running_sum(size: int) -> None:
    """Peaked and flat rows, whole blocks banned, numbers at the edges of blocks: as by one sum over all columns."""
    rows = 2_000
    logits = torch.randn(rows, size, generator=torch.Generator().manual_seed(1)) * torch.linspace(0, 8, rows)[:, None]
    banned = torch.cat([torch.arange(COLUMNS // 2), torch.tensor([size - 1])])
    uniforms = torch.cat([torch.tensor([0.0, 1 - 2**-53], dtype=torch.float64), numbers(rows - 2)])
    logs = torch.log_softmax(logits, -1).index_fill(1, banned, -torch.inf)
    running = (logs - logs.amax(-1, keepdim=True)).exp().cumsum(-1, dtype=torch.float64)
    plain = (running > uniforms[:, None] * running[:, -1:]).int().argmax(-1)
    chosen, logprobs = draw(logits, 1.0, 1.0, banned, uniforms)
    assert chosen.tolist() == plain.tolist()
    assert not torch.isin(chosen, banned).any()
    assert logprobs.tolist() == logs.gather(1, plain[:, None])[:, 0].tolist()


def test_rounding_at_the_end_of_a_block_gives_its_last_token_that_can_be_drawn() -> None:
    """All weight in one block, the number as near to 1 as there is: never a column after it, whose weight is 0."""
    weights = torch.zeros(4_000, 3 * COLUMNS)
    weights[:, :COLUMNS] = torch.rand(4_000, COLUMNS, generator=torch.Generator().manual_seed(2))
    weights[:, COLUMNS - 5 : COLUMNS] = 0
    share = torch.full((4_000, 1), 1 - 2**-53, dtype=torch.float64)
    assert passed(weights, share).max() < COLUMNS - 5


def test_a_response_has_a_stream_of_its_own_by_the_place_of_its_token() -> None:
    """In any row, beside any others, begun anywhere."""
    alone = Uniforms(1)
    alone.begin(0, 77, 0)
    stream = [float(alone.take(np.array([0]))[0]) for _ in range(2 * BLOCK + 5)]
    assert len(set(stream)) == len(stream)
    assert all(0 <= number < 1 for number in stream)
    many = Uniforms(3)
    many.begin(0, 5, 0)
    many.begin(2, 77, BLOCK - 2)
    found = [float(many.take(np.arange(3))[2]) for _ in range(4)]
    many.move([2], [0])
    found += [float(many.take(np.arange(1))[0]) for _ in range(4)]
    assert found == stream[BLOCK - 2 : BLOCK + 6]
    many.begin(1, 78, 0)
    assert float(many.take(np.array([1]))[0]) != stream[0]


@pytest.mark.parametrize(
    "top_p, kept",
    [
        (0.5, [True, False, False, False]),  # the first alone is enough
        (0.51, [True, True, False, False]),
        (0.8, [True, True, False, False]),  # 0.5 + 0.3 is exactly enough
        (0.85, [True, True, True, False]),
        (0.99, [True, True, True, True]),
        (0.01, [True, False, False, False]),  # never empty
    ],
)
def test_the_nucleus_by_hand(top_p: float, kept: list[bool]) -> None:
    order = [2, 0, 3, 1]
    logs = torch.tensor([0.5, 0.3, 0.15, 0.05], dtype=torch.float64).log()
    shuffled = torch.empty(1, 4, dtype=torch.float64)
    shuffled[0, order] = logs
    found = nucleus(shuffled, top_p)[0, order]
    assert torch.isfinite(found).tolist() == kept
    assert found[torch.isfinite(found)].tolist() == logs[torch.tensor(kept)].tolist(), "what stays keeps its value"


def test_the_nucleus_is_of_what_is_allowed() -> None:
    logs = torch.tensor([[0.5, 0.3, 0.2]]).log()
    logs[0, 0] = -torch.inf  # banned; of the other half, 0.3 is 60 percent
    assert torch.isfinite(nucleus(logs, 0.6))[0].tolist() == [False, True, False]
    assert torch.isfinite(nucleus(logs, 0.61))[0].tolist() == [False, True, True]
