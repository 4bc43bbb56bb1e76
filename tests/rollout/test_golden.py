"""Golden prompts: how they are asked, and when their answers are refused."""

import math
from dataclasses import replace

import pytest

from stages.data.files import DataError
from stages.prompts.prompt import Prompt
from stages.prompts.render import Rendered
from stages.rollout.engine import Piece
from stages.rollout.golden import Golden, golden_requests, judge

SEEN = Rendered((1, 2, 3), {}, {})
GOLDEN = Golden((Prompt("What is 12 + 30?", None),), 0.7, lambda _, ids: [-1.0] * len(ids), 0.1)


def test_greedy_tokens_at_the_trainers_temperature_within_the_context() -> None:
    (request,), sampling = golden_requests(GOLDEN, [SEEN], 100)
    assert (request.budget, request.limit, request.start, request.rendered) == (16, 16, (), SEEN)
    assert sampling.temperature == 0.7
    assert 0 < sampling.top_p < 1e-3, "only the likeliest token is left"
    assert golden_requests(GOLDEN, [SEEN], 8)[0][0].limit == 5
    with pytest.raises(DataError, match="choose a shorter one"):
        golden_requests(GOLDEN, [SEEN], 3)


def test_the_mean_difference_is_what_counts() -> None:
    requests, _ = golden_requests(GOLDEN, [SEEN], 100)
    assert judge(replace(GOLDEN, tolerance=0.11), requests, [Piece((5, 6), (-1.15, -0.95), "length")]) == pytest.approx([0.1])
    with pytest.raises(DataError, match=r"12 \+ 30.* 0.2 nats from the trainer's on average, allowed are 0.1"):
        judge(GOLDEN, requests, [Piece((5, 6), (-1.35, -0.95), "length")])
    with pytest.raises(DataError, match="nan nats"):
        judge(GOLDEN, requests, [Piece((5,), (math.nan,), "length")])
