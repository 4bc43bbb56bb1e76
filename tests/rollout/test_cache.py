"""The cache of the running batch shows each row its own tokens, next to each other, whatever rows come, go and move."""

import random

import numpy as np
import pytest
import torch
from transformers import Gemma3TextConfig, LlamaConfig
from transformers.cache_utils import DynamicCache

from stages.data.files import DataError
from stages.rollout.cache import ALIGNMENT, SlotCache, check_layers

WINDOW = 20
HIDDEN = torch.finfo(torch.float32).min


def config(*kinds: str) -> LlamaConfig | Gemma3TextConfig:
    """A model with a layer of each kind."""
    if set(kinds) == {"full_attention"}:
        return LlamaConfig(num_hidden_layers=len(kinds))
    return Gemma3TextConfig(num_hidden_layers=len(kinds), layer_types=list(kinds), sliding_window=WINDOW)


def prefilled(made: LlamaConfig | Gemma3TextConfig, sequences: list[list[float]]) -> DynamicCache:
    """Keys that are the numbers of the sequences, padded on the left with -7; values are their negatives."""
    width = max(map(len, sequences))
    numbers = torch.tensor([[-7.0] * (width - len(row)) + row for row in sequences])
    cache = DynamicCache(config=made)
    for layer in range(made.num_hidden_layers):
        states = numbers[:, None, :, None].expand(-1, 2, -1, 4).contiguous()
        cache.update(states, -states, layer)
    return cache


def seen(cache: SlotCache, layer: int, new: torch.Tensor) -> list[list[float]]:
    """What each row attends to in `layer` when it writes `new` (rows,)."""
    states = new[:, None, None, None].expand(-1, 2, 1, 4).contiguous()
    mask = cache.masks()
    kind = "sliding_attention" if cache.slidings[layer] else "full_attention"
    mask = mask[kind] if isinstance(mask, dict) else mask
    keys, values = cache.cache.update(states, -states, layer)
    assert torch.equal(keys, -values)
    assert mask.shape == (len(new), 1, 1, keys.shape[2])
    assert set(mask.unique().tolist()) <= {0.0, HIDDEN}
    return [keys[row, 1, mask[row, 0, 0] == 0, 3].tolist() for row in range(len(new))]


@pytest.mark.parametrize("kinds", [("full_attention",) * 2, ("sliding_attention", "full_attention"), ("sliding_attention",) * 2])
@pytest.mark.parametrize("most", [40, 3000])
def test_rows_that_come_and_go_see_their_own_tokens_only(kinds: tuple[str, ...], most: int) -> None:
    """Random admissions, endings and moves over several times the buffer, against plain lists. Rows are at most 40 long; `most`
    says how long they might become."""
    made, rng, slots, number = config(*kinds), random.Random(3), 5, 0
    cache = SlotCache(made, slots, 30, most)
    rows: list[list[float] | None] = []
    buffers = set()
    for _ in range(3 * cache.columns // 2 + 400):
        free = [place for place, row in enumerate(rows) if row is None]
        if (free or len(rows) < slots) and (not any(rows) or rng.random() < 0.3):
            sequences = [[float(number + place) for place in range(rng.randint(1, 30))] for _ in range(rng.randint(1, 2))]
            number += 50
            line = rng.randrange(len(sequences))
            place = free[0] if free else len(rows)
            rows[place : place + 1] = [list(sequences[line])]
            cache.place(prefilled(made, sequences), [line], [len(sequences[line])], [place])
            cache.show(len(rows), [place for place, row in enumerate(rows) if row is not None])
        cache.room()
        assert cache.window.first % ALIGNMENT == 0
        new = torch.arange(len(rows)) + 1000.0 * number
        found = [seen(cache, layer, new) for layer in range(len(kinds))]
        cache.window.column += 1
        buffers.add(cache.cache.layers[0].key_buffer.data_ptr())
        for place, row in enumerate(rows):
            if row is not None:
                row.append(float(new[place]))
                for layer, kind in enumerate(kinds):
                    assert found[layer][place] == (row if kind == "full_attention" else row[-WINDOW:])
                if len(row) >= 40 or rng.random() < 0.05:
                    rows[place] = None
        live = [place for place, row in enumerate(rows) if row is not None]
        if live and len(live) < len(rows) and rows[-1] is not None and rng.random() < 0.5:
            targets = [place for place in range(len(live)) if rows[place] is None]
            sources = [place for place in live if place >= len(live)]
            cache.move(sources, targets)
            for source, target in zip(sources, targets, strict=True):
                rows[target] = rows[source]
            rows, live = rows[: len(live)], list(range(len(live)))
        if live:
            cache.show(len(rows), live)
        else:
            rows = []
            cache.clear()
    assert len(buffers) == 1, "no re-allocation while running"


def test_a_buffer_grows_with_its_rows_and_no_further_than_the_longest() -> None:
    cache = SlotCache(config("full_attention"), 1, 3, 4000)
    cache.place(prefilled(config("full_attention"), [[1.0, 2.0, 3.0]]), [0], [3], [0])
    cache.show(1, [0])
    sizes = set()
    for step in range(3998):
        cache.room()
        found = cache.cache.update(torch.full((1, 2, 1, 4), 4.0 + step), torch.zeros(1, 2, 1, 4), 0)[0]
        cache.window.column += 1
        sizes.add(cache.columns)
    assert found[0, 0, cache.masks()[0, 0, 0, :-1] == 0, 0].tolist() == [float(place) for place in range(1, 4002)]
    assert sorted(sizes) == [512, 1024, 2048, 4096]
    assert cache.bound < 4000 * 1.3


def test_a_row_needs_the_columns_that_are_needed_only() -> None:
    """When the longest row ends, the window begins at the next."""
    made = config("full_attention")
    cache = SlotCache(made, 2, 200, 300)
    cache.place(prefilled(made, [[1.0] * 200, [2.0] * 20]), [0, 1], [200, 20], [0, 1])
    cache.show(2, [0, 1])
    assert cache.masks().shape[-1] == 201
    cache.show(2, [1])
    assert 21 <= cache.masks().shape[-1] <= 20 + ALIGNMENT + 1


def test_masked_places_are_finite() -> None:
    """What is not a number would survive any mask."""
    made = config("full_attention")
    cache = SlotCache(made, 3, 10, 20)
    cache.place(prefilled(made, [[1.0] * 4]), [0], [4], [1])
    assert all(torch.isfinite(layer.key_buffer).all() for layer in cache.cache.layers)
    assert np.isfinite(cache.first).all()


@pytest.mark.parametrize(
    "layer_types, words",
    [(["linear_attention", "full_attention"], "keeps keys and values only"), (["chunked_attention"] * 2, "full and one sliding")],
)
def test_other_kinds_of_layers_are_refused(layer_types: list[str], words: str) -> None:
    found = LlamaConfig(num_hidden_layers=2, attn_implementation="sdpa")
    check_layers(found)
    found.layer_types, found.attention_chunk_size = layer_types, 8
    with pytest.raises(DataError, match=words):
        check_layers(found)


def test_attention_that_makes_its_own_masks_is_refused() -> None:
    with pytest.raises(DataError, match=r"attention 'flex_attention': .* load the model with one of these"):
        check_layers(LlamaConfig(attn_implementation="flex_attention"))
