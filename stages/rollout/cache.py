"""A key-value cache that grows in blocks: appending a token copies one token, not the whole cache."""

from typing import Any

import torch
from transformers.cache_utils import DynamicCache, DynamicLayer

BLOCK = 64


class BlockLayer(DynamicLayer):  # type: ignore[misc]
    """One layer's keys and values in a buffer that is enlarged by BLOCK places when full; (rows, heads, places, head size)."""

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """Append new places and return views of all places so far."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self.used = 0
            self.key_buffer = key_states.new_empty((*key_states.shape[:2], 0, key_states.shape[3]))
            self.value_buffer = value_states.new_empty((*value_states.shape[:2], 0, value_states.shape[3]))
        end = self.used + key_states.shape[2]
        if end > self.key_buffer.shape[2]:
            self.key_buffer = self._enlarged(self.key_buffer, end)
            self.value_buffer = self._enlarged(self.value_buffer, end)
        self.key_buffer[:, :, self.used : end] = key_states
        self.value_buffer[:, :, self.used : end] = value_states
        self.used = end
        self._show()
        return self.keys, self.values

    def select(self, rows: torch.Tensor) -> None:
        """Keep only `rows` (indices, repeats allowed), in their order."""
        self.key_buffer = self.key_buffer[rows]
        self.value_buffer = self.value_buffer[rows]
        self._show()

    def _show(self) -> None:
        self.keys = self.key_buffer[:, :, : self.used]
        self.values = self.value_buffer[:, :, : self.used]

    def _enlarged(self, buffer: torch.Tensor, places: int) -> torch.Tensor:
        size = (places // BLOCK + 1) * BLOCK
        larger = buffer.new_empty((*buffer.shape[:2], size, buffer.shape[3]))
        larger[:, :, : self.used] = buffer[:, :, : self.used]
        return larger


def block_cache(config: Any) -> DynamicCache:
    """A cache of BlockLayers for every layer with full attention; sliding-window layers keep transformers' own kind."""
    cache = DynamicCache(config=config)
    cache.layers = [BlockLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache


def select_rows(cache: DynamicCache, rows: torch.Tensor) -> None:
    """Keep only `rows` of every layer."""
    for layer in cache.layers:
        if isinstance(layer, BlockLayer):
            layer.select(rows)
        else:
            layer.batch_select_indices(rows)
