"""Attention of packed rows: every sample by itself and without a mask, as attention interfaces of transformers.

A dense mask over a row of N samples costs N times the multiplications, and in bf16 another kernel
than a sample by itself: the same sample then has other log-probabilities in another row."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import groupby
from typing import Any

import torch
from torch.nn import functional
from torch.utils.weak import WeakTensorKeyDictionary
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from stages.data.files import DataError

PACKED = "packed"
"""The name of the language models' attention."""
PACKED_PICTURES = "packed_flash"
"""That of the vision towers: transformers tells the bounds of pictures and windows to attention
with "flash" in its name, and calls every other one once for each of them."""
LAYERS = {"full_attention", "sliding_attention"}
"""Kinds of layers that are known here."""
WIDEST_HEAD = 256
"""Of torch's variable-length kernel."""

Result = tuple[torch.Tensor, None]


@dataclass(frozen=True)
class Bounds:
    """Where the N samples of a row lie."""

    edges: torch.Tensor
    """(N + 1,) int32: first column of each sample and the end, on the device of the row."""
    lengths: tuple[int, ...]


_KNOWN = WeakTensorKeyDictionary()
"""Bounds by the tensor that they were read from: all layers are given the same one, and reading it
waits for the device."""


def use_packed_attention(model: Any) -> None:
    """Let the model's language model, and its vision tower where that takes the bounds of pictures,
    attend by the interfaces of this module. Soft caps and dropout keep transformers' own way, a
    dense mask. DataError for layers that would let the samples of a row see each other."""
    text = model.config.get_text_config()
    unknown = set(getattr(text, "layer_types", None) or ()) - LAYERS
    unknown |= {"sinks" for name, _ in model.named_parameters() if name.endswith("sinks")}
    if unknown:
        raise DataError(
            f"{type(model).__name__} has attention of the kind {', '.join(sorted(unknown))}; packed samples stay apart only in "
            "full and sliding attention; train another model"
        )
    if text._attn_implementation != "sdpa" or _masked(text):
        return
    if model.config is text:
        model.set_attn_implementation(PACKED)
        return
    names = {key: PACKED for key in model.config.sub_configs if getattr(model.config, key) is text}
    tower = getattr(model.config, "vision_config", None)
    if tower is not None and _takes_bounds(model, tower):
        names["vision_config"] = PACKED_PICTURES
    model.set_attn_implementation(names)


def _masked(text: Any) -> bool:
    """Whether the scores of attention are changed before or after the softmax."""
    return getattr(text, "attn_logit_softcapping", None) is not None or bool(getattr(text, "attention_dropout", 0.0))


def _takes_bounds(model: Any, config: Any) -> bool:
    """Whether a layer of the part of the model with this config has an argument for bounds."""
    parts = [part for part in model.modules() if isinstance(part, PreTrainedModel) and part.config is config]
    layers = {type(layer) for part in parts for layer in part.modules()}
    return any("cu_seqlens" in inspect.signature(layer.forward).parameters for layer in layers)


def packed_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    position_ids: torch.Tensor | None = None,
    sliding_window: int | None = None,
    **others: Any,
) -> Result:
    """Causal attention, query (B, heads, L, size of a head), keys and values with as many heads or
    fewer; gives (B, L, heads, size). In a row without a mask a sample begins wherever `position_ids`
    (1, L) are 0. With a mask (generation), a cache or several rows it is transformers' own."""
    if attention_mask is not None or query.shape[0] > 1 or query.shape[2] != key.shape[2]:
        if attention_mask is not None and query.shape[1] != key.shape[1] and not query.is_cuda:
            return _grouped(query, key, value, attention_mask, scaling), None
        return _plain(module, query, key, value, attention_mask, dropout, scaling, **others)
    unknown = [name for name in ("softcap", "s_aux") if others.get(name) is not None]
    if unknown or position_ids is None:
        found = f"{unknown[0]!r}" if unknown else "no position_ids"
        raise RuntimeError(f"{type(module).__name__} gives attention {found}: load the model with the attention 'sdpa' or 'eager'")
    bounds = _bounds(position_ids, _starts)
    return _attend((query, key, value), bounds, scaling, True, sliding_window), None


def _grouped(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor, scaling: float | None
) -> torch.Tensor:
    """Attention under a mask where several heads of the query share one of keys and values. Transformers copies keys and
    values for each of them in every layer; with 300 columns, 64 rows and 3 heads to one, that takes seven times as long. On a
    GPU torch would do the same slowly, since its fast kernels take a mask or groups."""
    out = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=scaling, enable_gqa=True)
    return out.transpose(1, 2).contiguous()


def packed_pictures(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    cu_seq_lens_q: torch.Tensor | None = None,
    **others: Any,
) -> Result:
    """Attention in both directions between `cu_seq_lens_q`, the bounds of pictures or windows, in
    one row of patches; shapes as in `packed_attention`."""
    if cu_seq_lens_q is None:
        return _plain(module, query, key, value, attention_mask, dropout, scaling, **others)
    return _attend((query, key, value), _bounds(cu_seq_lens_q, torch.Tensor.int), scaling, False, None), None


def packed_mask(
    batch_size: int,
    q_length: int,
    kv_length: int,
    *,
    attention_mask: torch.Tensor | None = None,
    use_vmap: bool = False,
    **others: Any,
) -> torch.Tensor | None:
    """No mask for one row that is told apart by its positions; else that of sdpa."""
    if batch_size == 1 and q_length == kv_length and attention_mask is None and not use_vmap:
        return None
    found: torch.Tensor | None = sdpa_mask(
        batch_size, q_length, kv_length, attention_mask=attention_mask, use_vmap=use_vmap, **others
    )
    return found


def _plain(*given: Any, **others: Any) -> Result:
    found: Result = sdpa_attention_forward(*given, **others)
    return found


def _bounds(source: torch.Tensor, edges_of: Callable[[torch.Tensor], torch.Tensor]) -> Bounds:
    known: Bounds | None = _KNOWN.get(source)
    if known is None:
        edges = edges_of(source)
        known = Bounds(edges, tuple((edges[1:] - edges[:-1]).tolist()))
        _KNOWN[source] = known
    return known


def _starts(position_ids: torch.Tensor) -> torch.Tensor:
    """Edges of the samples of a row of positions (1, L); the first begins at 0 whatever it is."""
    positions = position_ids[0]
    begins = torch.nonzero(positions[1:] == 0)[:, 0] + 1
    ends = positions.new_tensor([0, len(positions)])
    return torch.cat([ends[:1], begins, ends[1:]]).int()


def _attend(row: Sequence[torch.Tensor], bounds: Bounds, scaling: float | None, causal: bool, window: int | None) -> torch.Tensor:
    """(1, L, heads, size). On a GPU by one call of torch's variable-length kernel, if it takes the
    numbers; elsewhere by one call for each run of samples of one length."""
    kernel = kernel_for(row[0], row[2])
    if kernel is None:
        return _by_length(row, bounds.lengths, scaling, causal, window)
    parts = [part[0].transpose(0, 1) for part in row]
    seen = (-1 if window is None else window - 1, 0) if causal else (-1, -1)
    longest, edges = max(bounds.lengths), bounds.edges
    out: torch.Tensor = kernel(*parts, edges, edges, longest, longest, scale=scaling, window_size=seen, enable_gqa=True)
    return out[None]


def kernel_for(query: torch.Tensor, value: torch.Tensor) -> Callable[..., Any] | None:
    """The variable-length kernel where it takes these numbers: half precision on a GPU, heads of one size."""
    size = query.shape[-1]
    if not query.is_cuda or query.dtype not in (torch.bfloat16, torch.float16):
        return None
    return variable_length_kernel() if size == value.shape[-1] <= WIDEST_HEAD and size % 8 == 0 else None


@cache
def variable_length_kernel() -> Callable[..., Any] | None:
    """torch's varlen_attn, whose result for a sample does not depend on its neighbours; None where
    this torch has none that knows windows."""
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:
        return None
    known = inspect.signature(varlen_attn).parameters
    if not {"scale", "window_size", "enable_gqa"} <= known.keys():
        return None
    if "num_splits" in known and torch.version.cuda:  # ROCm's refuses it
        return partial(varlen_attn, num_splits=1)
    return varlen_attn


def _by_length(
    row: Sequence[torch.Tensor], lengths: Sequence[int], scaling: float | None, causal: bool, window: int | None
) -> torch.Tensor:
    """Neighbours of one length are a batch by another view of the row: nothing is padded or copied,
    and a sample's numbers come from the same multiplications whoever its neighbours are."""
    runs = [(len(list(group)), length) for length, group in groupby(lengths)]
    columns = [count * length for count, length in runs]
    found = []
    for (count, length), *parts in zip(runs, *(part.split(columns, dim=2) for part in row), strict=True):
        q, k, v = (part[0].unflatten(1, (count, length)).transpose(0, 1) for part in parts)
        band = _band(length, window, q.device) if causal and window is not None and length > window else None
        out = functional.scaled_dot_product_attention(
            q, k, v, attn_mask=band, is_causal=causal and band is None, scale=scaling, enable_gqa=q.shape[1] != k.shape[1]
        )
        found.append(out.transpose(1, 2).flatten(0, 1))
    return torch.cat(found)[None]


def _band(length: int, window: int, device: torch.device) -> torch.Tensor:
    """(length, length): whether the token of the row sees that of the column, one of the last `window`."""
    back = torch.arange(length, device=device)[:, None] - torch.arange(length, device=device)
    return (back >= 0) & (back < window)


AttentionInterface.register(PACKED, packed_attention)
AttentionMaskInterface.register(PACKED, packed_mask)
AttentionInterface.register(PACKED_PICTURES, packed_pictures)
AttentionMaskInterface.register(PACKED_PICTURES, sdpa_mask)
