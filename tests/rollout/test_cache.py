"""The growing cache holds what transformers' own holds."""

import pytest
import torch
from transformers import Gemma3TextConfig, LlamaConfig
from transformers.cache_utils import DynamicLayer

from stages.rollout.cache import BLOCK, BlockLayer, block_cache, select_rows


def grown(layer: DynamicLayer, parts: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    for part in parts:
        found = layer.update(part, -part)
    return found


@pytest.mark.parametrize("lengths", [[5, 1, 1], [BLOCK, 1], [BLOCK - 1, 1, 1], [1] * (2 * BLOCK + 3), [3 * BLOCK + 1, 1]])
def test_a_block_layer_equals_a_dynamic_layer(lengths: list[int]) -> None:
    generator = torch.Generator().manual_seed(0)
    parts = [torch.randn(3, 2, length, 4, generator=generator) for length in lengths]
    ours, theirs = BlockLayer(), DynamicLayer()
    for left, right in zip(grown(ours, parts), grown(theirs, parts), strict=True):
        assert torch.equal(left, right)
    assert ours.get_seq_length() == theirs.get_seq_length() == sum(lengths)
    assert ours.get_mask_sizes(1) == theirs.get_mask_sizes(1)


def test_rows_are_selected_repeated_and_go_on_growing() -> None:
    parts = [torch.randn(3, 2, length, 4) for length in (BLOCK - 1, 1)]
    ours, theirs = BlockLayer(), DynamicLayer()
    grown(ours, parts), grown(theirs, parts)
    rows = torch.tensor([2, 0, 0, 1])
    ours.select(rows)
    theirs.batch_select_indices(rows)
    more = [torch.randn(4, 2, 1, 4) for _ in range(3)]
    for left, right in zip(grown(ours, more), grown(theirs, more), strict=True):
        assert torch.equal(left, right)


def test_appending_a_token_does_not_move_the_others() -> None:
    layer = BlockLayer()
    grown(layer, [torch.randn(1, 1, 3, 4)])
    place = layer.key_buffer.data_ptr()
    grown(layer, [torch.randn(1, 1, 1, 4)] * (BLOCK - 4))
    assert layer.key_buffer.data_ptr() == place


def test_layers_with_a_sliding_window_keep_their_kind() -> None:
    cache = block_cache(
        Gemma3TextConfig(num_hidden_layers=2, layer_types=["sliding_attention", "full_attention"], sliding_window=8)
    )
    assert [type(layer).__name__ for layer in cache.layers] == ["DynamicSlidingWindowLayer", "BlockLayer"]
    for _ in range(2):
        for place in (0, 1):
            cache.update(torch.randn(2, 1, 6, 4), torch.randn(2, 1, 6, 4), place)
    select_rows(cache, torch.tensor([1]))
    assert [layer.keys.shape[0] for layer in cache.layers] == [1, 1]
    assert [layer.keys.shape[2] for layer in cache.layers] == [7, 12]
    assert all(isinstance(layer, BlockLayer) for layer in block_cache(LlamaConfig(num_hidden_layers=3)).layers)
