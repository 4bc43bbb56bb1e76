"""The key-value cache of a running batch: a buffer for all rows, of which the model sees a window; a row that ends leaves its
place to another, and a new token is written where it stays.

All rows write the same column. A prompt is copied into the columns that end there, so that every row's tokens stand next to each
other, as if its prompt had been padded on the left, and sliding windows need nothing but their last columns."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

from stages.data.files import DataError
from stages.models.attention import PACKED

ALIGNMENT = 16  # columns; kernels on GPUs want masks that begin at such places
SLACK = 64
START = 512
"""Columns of a buffer at first, where rows may grow longer."""


class Window:
    """Rows in use (0 .. rows - 1), the first column that any of them sees, and the column that is written next."""

    def __init__(self) -> None:
        self.rows = 0
        self.first = 0
        self.column = 0


class WindowLayer(DynamicLayer):  # type: ignore[misc]
    """One layer's keys and values, (rows, heads, columns, head size), of which the window is shown; `sliding`: only the last so
    many columns."""

    def __init__(self, window: Window, sliding: int | None) -> None:
        super().__init__()
        self.window = window
        self.sliding = sliding

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """Write one token a row, (rows, heads, 1, head size), into the present column: keys and values up to it."""
        window = self.window
        rows, column = window.rows, window.column
        self.key_buffer[:rows, :, column] = key_states[:, :, 0]
        self.value_buffer[:rows, :, column] = value_states[:, :, 0]
        start = visible_from(window, self.sliding)
        return self.key_buffer[:rows, :, start : column + 1], self.value_buffer[:rows, :, start : column + 1]

    def get_seq_length(self) -> int:
        """Columns that are visible."""
        return self.window.column - self.window.first

    def allocate(self, like: DynamicLayer, rows: int, columns: int) -> None:
        """Room for `rows` and `columns`. Zeros: what is masked must be finite."""
        shapes = [(rows, tensor.shape[1], columns, tensor.shape[3]) for tensor in (like.keys, like.values)]
        self.key_buffer, self.value_buffer = like.keys.new_zeros(shapes[0]), like.values.new_zeros(shapes[1])

    def shift(self, start: int, end: int, target: int, columns: int) -> None:
        """Columns start .. end - 1 move to `target`, in a buffer of `columns`."""
        self.key_buffer = _shifted(self.key_buffer, start, end, target, columns)
        self.value_buffer = _shifted(self.value_buffer, start, end, target, columns)


class SlotCache:
    """What the model is given as its past: a DynamicCache of WindowLayers, with the masks that belong to it.

    `longest` is the longest prefix that will be placed, `most` the longest row that there can be. The buffer begins small where
    rows may become long, and doubles; it never has more than `most` columns and a quarter. When its last column is written, the
    window moves to the front."""

    def __init__(self, config: Any, slots: int, longest: int, most: int) -> None:
        self.window = Window()
        self.cache = DynamicCache(config=config)
        self.slidings = [_sliding(layer) for layer in self.cache.layers]
        self.cache.layers = [WindowLayer(self.window, sliding) for sliding in self.slidings]
        self.slots = slots
        self.longest = longest
        self.bound = _aligned(most + max(SLACK, most // 4))
        self.columns = min(self.bound, _aligned(max(START, 2 * longest)))
        self.first = np.zeros(slots, dtype=np.int64)
        self.mask: torch.Tensor | None = None
        self.window.column = longest

    def place(self, source: DynamicCache, lines: Sequence[int], lengths: Sequence[int], slots: Sequence[int]) -> None:
        """Copy lines `lines` of a prefilled cache, of `lengths` tokens at its right end, into `slots`, up to the present column."""
        device = source.layers[0].keys.device
        from_, to, column = torch.tensor(lines, device=device), torch.tensor(slots, device=device), self.window.column
        for layer, other in zip(self.cache.layers, source.layers, strict=True):
            if self.mask is None:
                layer.allocate(other, self.slots, self.columns)
            width = min(other.keys.shape[2], max(lengths))
            layer.key_buffer[to, :, column - width : column] = other.keys[from_, :, -width:]
            layer.value_buffer[to, :, column - width : column] = other.values[from_, :, -width:]
        if self.mask is None:
            self.mask = source.layers[0].keys.new_zeros((self.slots, self.columns))
        self.first[list(slots)] = column - np.asarray(lengths)
        self._hide(to)

    def move(self, sources: Sequence[int], targets: Sequence[int]) -> None:
        """Rows `sources` take the places `targets`."""
        assert self.mask is not None
        device, window = self.mask.device, self.window
        from_, to, seen = (
            torch.tensor(sources, device=device),
            torch.tensor(targets, device=device),
            slice(window.first, window.column),
        )
        for layer in self.cache.layers:
            layer.key_buffer[to, :, seen] = layer.key_buffer[from_, :, seen]
            layer.value_buffer[to, :, seen] = layer.value_buffer[from_, :, seen]
        self.first[list(targets)] = self.first[list(sources)]
        self.mask[to] = self.mask[from_]

    def show(self, rows: int, live: Sequence[int]) -> None:
        """The window is that of the first `rows` rows, of which `live` are needed."""
        self.window.rows = rows
        self.window.first = int(self.first[list(live)].min()) // ALIGNMENT * ALIGNMENT

    def clear(self) -> None:
        """No row is left."""
        self.window.rows, self.window.first, self.window.column = 0, 0, self.longest

    def room(self) -> None:
        """Make sure that the present column exists: at the end of the buffer the window moves to the front."""
        window = self.window
        if window.column < self.columns:
            return
        span = window.column - window.first
        if 2 * max(span, self.longest) > self.columns:
            self.columns = min(self.bound, 2 * self.columns)
        target = _aligned(max(span, self.longest) - span)
        for layer in self.cache.layers:
            layer.shift(window.first, window.column, target, self.columns)
        self.first += target - window.first
        window.first, window.column = target, target + span
        assert self.mask is not None
        self.mask = self.mask.new_zeros((self.slots, self.columns))
        self._hide(torch.arange(self.slots, device=self.mask.device))

    def masks(self) -> torch.Tensor | dict[str, torch.Tensor]:
        """What is added to attention scores, (rows, 1, 1, columns of the window with the present one); for models with layers of
        both kinds one for each."""
        assert self.mask is not None
        window = self.window
        full = self.mask[: window.rows, window.first : window.column + 1][:, None, None, :]
        slidings = {sliding for sliding in self.slidings if sliding is not None}
        if not slidings:
            return full
        (sliding,) = slidings
        start = visible_from(window, sliding)
        slid = full[..., start - window.first :].clone()
        slid[..., : max(0, window.column + 1 - sliding - start)] = torch.finfo(slid.dtype).min
        return slid if None not in self.slidings else {"full_attention": full, "sliding_attention": slid}

    def _hide(self, slots: torch.Tensor) -> None:
        """Columns left of each row's first get the least number there is, as transformers masks them."""
        assert self.mask is not None
        columns = torch.arange(self.columns, device=slots.device)
        first = torch.from_numpy(self.first).to(slots.device)[slots]
        self.mask[slots] = (columns < first[:, None]).to(self.mask.dtype) * torch.finfo(self.mask.dtype).min


def visible_from(window: Window, sliding: int | None) -> int:
    """The first column that a layer is shown."""
    if sliding is None:
        return window.first
    return max(window.first, (window.column + 1 - sliding) // ALIGNMENT * ALIGNMENT)


def check_layers(config: Any) -> None:
    """DataError for a model with layers that keep something else than keys and values."""
    slidings = [_sliding(layer) for layer in DynamicCache(config=config).layers]
    kinds = set(getattr(config, "layer_types", None) or ())
    if "chunked_attention" in kinds or len({sliding for sliding in slidings if sliding is not None}) > 1:
        raise DataError(f"layers of the kinds {sorted(kinds)}: the embedded engine knows full and one sliding attention; use vLLM")
    if config._attn_implementation not in ("sdpa", "eager", PACKED):
        raise DataError(
            f"attention {config._attn_implementation!r}: the embedded engine brings masks of its own, for 'sdpa' and 'eager'; load "
            "the model with one of these"
        )


def _sliding(layer: Any) -> int | None:
    """The sliding window of a layer of transformers' own cache; None for full attention."""
    if type(layer) is DynamicLayer:
        return None
    if type(layer) is DynamicSlidingWindowLayer:
        return int(layer.sliding_window)
    raise DataError(f"{type(layer).__name__}: the embedded engine keeps keys and values only; generate with vLLM")


def _aligned(columns: int) -> int:
    return -(-columns // ALIGNMENT) * ALIGNMENT


def _shifted(buffer: torch.Tensor, start: int, end: int, target: int, columns: int) -> torch.Tensor:
    moved = buffer[:, :, start:end].clone() if columns == buffer.shape[2] else buffer[:, :, start:end]
    into = buffer if columns == buffer.shape[2] else buffer.new_zeros((*buffer.shape[:2], columns, buffer.shape[3]))
    into[:, :, target : target + end - start] = moved
    return into
