"""Requests that wait: their order, their groups, what is read for them and when."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.cache_utils import DynamicCache

from stages.prompts.prompt import Prompt
from stages.prompts.render import Rendered
from stages.rollout.engine import Request
from stages.rollout.prefill import PADDING, PREFILL_TOKENS, Prefilled, Prefix, parts_of
from stages.rollout.waiting import Queue


def rendered(length: int) -> Rendered:
    return Rendered((1,) * length, {}, {})


def request(prompt: Rendered, start: tuple[int, ...] = (), budget: int = 5, limit: int = 9) -> Request:
    return Request(Prompt("", None), prompt, start, budget, limit, 0)


class Reader:
    """Notes what it reads."""

    def __init__(self) -> None:
        self.passes: list[list[int]] = []

    def __call__(self, prefixes: Sequence[Prefix]) -> Prefilled:
        lengths = [prefix.length for prefix in prefixes]
        self.passes.append(lengths)
        return Prefilled(DynamicCache(), torch.zeros(0), torch.zeros(0), tuple(lengths))


def test_requests_are_taken_in_order_and_prefixes_are_read_when_the_first_of_them_is_taken() -> None:
    a, b, read = rendered(3), rendered(4), Reader()
    queue = Queue([request(a), request(a), request(b), request(b, (7,)), request(b, (7,)), request(b, (8,)), request(a)], 100, read)
    assert (queue.longest, queue.most) == (5, 10)
    taken = [
        [(line, row.index) for _, lines, rows in queue.take(count) for line, row in zip(lines, rows, strict=True)]
        for count in (1, 3, 1, 9)
    ]
    assert taken == [[(0, 0)], [(0, 1), (0, 2), (1, 3)], [(1, 4)], [(0, 5), (1, 6)]]
    assert read.passes == [[3], [4, 5], [5, 3]]
    assert not queue.groups


def test_equal_prompts_are_shared_when_they_are_the_same_object() -> None:
    read = Reader()
    Queue([request(rendered(3)), request(rendered(3))], 100, read).take(2)
    assert read.passes == [[3, 3]]


@settings(deadline=None)
@given(st.lists(st.integers(1, 6000), max_size=30))
def test_the_model_reads_no_more_at_once_than_it_should(lengths: list[int]) -> None:
    parts = parts_of(lengths)
    assert [place for part in parts for place in part] == list(range(len(lengths)))
    for part in parts:
        padded = len(part) * max(lengths[place] for place in part)
        assert padded <= most([lengths[place] for place in part]) or len(part) == 1
    for left, right in pairwise(parts):
        together = [lengths[place] for place in left] + [lengths[right[0]]]
        assert len(together) * max(together) > most(together), "no part is smaller than it need be"


def most(lengths: list[int]) -> float:
    """Tokens of a pass at most, padding included."""
    return min(PREFILL_TOKENS, 1.5 * sum(lengths) + PADDING)
