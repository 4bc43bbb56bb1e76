"""The check of pushed weights on hand-made models: fused matrices, other names, padded vocabularies, tensor-parallel shares."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.data.files import DataError
from stages.rollout import weight_check
from stages.rollout.weight_check import Share, WeightCheck, checksum

PACKED = {"qkv_proj": ["q_proj", "k_proj", "v_proj"], "gate_up_proj": ["gate_proj", "up_proj"], "qkv": ["qkv"]}
HEAD = 2


def rename(name: str) -> str | None:
    return None if name.endswith("inv_freq") else name.replace("model.language_model.", "language.")


def sent(heads: int = 4, kv_heads: int = 2) -> dict[str, torch.Tensor]:
    """By transformers' names."""
    generator = torch.Generator().manual_seed(3)

    def made(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator)

    return {
        "model.language_model.embed.weight": made(10, 4),
        "model.language_model.0.attn.q_proj.weight": made(heads * HEAD, 4),
        "model.language_model.0.attn.k_proj.weight": made(kv_heads * HEAD, 4),
        "model.language_model.0.attn.v_proj.weight": made(kv_heads * HEAD, 4),
        "model.language_model.0.attn.o_proj.weight": made(4, heads * HEAD),
        "model.language_model.0.mlp.gate_proj.weight": made(8, 4),
        "model.language_model.0.mlp.up_proj.weight": made(8, 4),
        "model.language_model.0.rotary.inv_freq": made(2),
        "visual.0.qkv.weight": made(12, 4),
        "visual.patch.weight": made(4, 3, 2, 2),
        "norm.weight": made(4),
    }


def held(weights: dict[str, torch.Tensor], rank: int, size: int, kv_heads: int = 2) -> dict[str, torch.Tensor]:
    """As vLLM holds them: QKVParallelLinear, MergedColumnParallelLinear, RowParallelLinear, a vocabulary padded to 12 rows."""
    w = {name.removeprefix("model.language_model."): value for name, value in weights.items()}

    def rows(value: torch.Tensor, parts: int = size) -> torch.Tensor:
        return value.chunk(parts)[rank * parts // size]

    kv = min(size, kv_heads)
    return {
        "language.embed.weight": rows(torch.cat([w["embed.weight"], torch.zeros(2, 4)])).clone(),
        "language.0.attn.qkv_proj.weight": torch.cat(
            [rows(w["0.attn.q_proj.weight"]), rows(w["0.attn.k_proj.weight"], kv), rows(w["0.attn.v_proj.weight"], kv)]
        ),
        "language.0.attn.o_proj.weight": w["0.attn.o_proj.weight"].chunk(size, 1)[rank].clone(),
        "language.0.mlp.gate_up_proj.weight": torch.cat([rows(w["0.mlp.gate_proj.weight"]), rows(w["0.mlp.up_proj.weight"])]),
        "visual.0.qkv.weight": torch.cat([rows(third) for third in w["visual.0.qkv.weight"].chunk(3)]),
        "visual.patch.weight": w["visual.patch.weight"].reshape(4, 12).clone(),
        "norm.weight": w["norm.weight"].clone(),
    }


def checked(weights: Any, own: dict[str, torch.Tensor], rank: int = 0, size: int = 1) -> dict[str, int]:
    check = WeightCheck(own, rename, PACKED, Share(rank, size))
    for _ in check.note(weights):
        pass
    return check.check()


@pytest.mark.parametrize(("rank", "size"), [(0, 1), (0, 2), (1, 2), (0, 4), (1, 4), (2, 4), (3, 4)])
def test_what_was_sent_is_found_in_every_share(rank: int, size: int) -> None:
    """With 4 processes and 2 key-value heads, two hold the same keys and values."""
    weights = sent()
    own = held(weights, rank, size)
    assert checked(weights.items(), own, rank, size) == {name: checksum(value) for name, value in own.items()}


@given(data=st.data(), size=st.sampled_from([1, 2, 4]))
@settings(deadline=None, max_examples=60)
def test_any_value_that_differs_is_found(data: st.DataObject, size: int) -> None:
    rank = data.draw(st.integers(0, size - 1))
    weights = sent()
    own = held(weights, rank, size)
    name = data.draw(st.sampled_from(sorted(own)))
    flat = own[name].view(-1)
    real = flat if name != "language.embed.weight" else flat[: (min(10, (rank + 1) * 12 // size) - rank * 12 // size) * 4]
    place = data.draw(st.integers(0, len(real) - 1))
    real[place] = torch.nextafter(real[place], torch.tensor(torch.inf))
    with pytest.raises(DataError, match=f"what the engine holds in {name} is not what was sent"):
        checked(weights.items(), own, rank, size)


def test_swapped_and_misplaced_values_are_found() -> None:
    """Sums of values would not see these."""
    weights = sent()
    for name, change in (
        ("language.0.attn.qkv_proj.weight", lambda value: value.flip(0)),
        ("language.0.mlp.gate_up_proj.weight", lambda value: value.roll(8, 0)),
        ("norm.weight", lambda value: value.flip(0)),
        ("language.0.attn.o_proj.weight", lambda value: value.flip(1)),
    ):
        own = held(weights, 0, 1)
        own[name] = change(own[name])
        with pytest.raises(DataError, match="is not what was sent"):
            checked(weights.items(), own)
    other = held(weights, 1, 2)
    with pytest.raises(DataError, match="is not what was sent"):
        checked(weights.items(), other, 0, 2)


def test_lacking_unknown_and_repeated_names() -> None:
    weights = sent()
    own = held(weights, 0, 1)
    for left_out in ("norm.weight", "model.language_model.0.attn.k_proj.weight"):
        with pytest.raises(DataError, match=r"got no weights, the first norm|is not what was sent"):
            checked([(name, value) for name, value in weights.items() if name != left_out], own)
    with pytest.raises(DataError, match=r"weight model.language_model.7.up_proj: .* no language.7.up_proj"):
        checked([("model.language_model.7.up_proj", weights["norm.weight"])], own)
    with pytest.raises(DataError, match="arrived twice"):
        checked([*weights.items(), ("norm.weight", weights["norm.weight"])], own)


def test_weights_are_loaded_in_the_engines_precision() -> None:
    """A float32 trainer and a bfloat16 engine: the rounded values are what is loaded, and what is checked."""
    own = {name: value.bfloat16() for name, value in held(sent(), 0, 1).items()}
    check = WeightCheck(own, rename, PACKED, Share(0, 1))
    loaded = dict(check.note(sent().items()))
    assert {value.dtype for name, value in loaded.items() if not name.endswith("inv_freq")} == {torch.bfloat16}
    check.check()


def test_checksum_by_hand_in_parts_and_of_views(monkeypatch: pytest.MonkeyPatch) -> None:
    """1 x 3 + 3 x 5 + 5 x 7 = 53; a transposed view counts in its own row order; sums wrap at 64 bits."""
    values = torch.tensor([3, 5, 7], dtype=torch.int32)
    assert checksum(values) == 53
    square = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    assert checksum(square.T) == checksum(square.T.clone()) != checksum(square)
    big = torch.full((1000,), 2**62, dtype=torch.int64)
    whole = checksum(big)
    assert whole == (2**62 * 1000**2 + 2**63) % 2**64 - 2**63
    monkeypatch.setattr(weight_check, "CHUNK", 7)
    assert checksum(big) == whole
    assert checksum(values) == 53


def test_each_tensor_is_noted_as_it_passes() -> None:
    """Weights in pieces are put together one at a time; none is kept."""
    weights = sent()
    taken: list[str] = []

    def stream() -> Iterator[tuple[str, torch.Tensor]]:
        for name, value in weights.items():
            taken.append(name)
            yield name, value

    noted = WeightCheck(held(weights, 0, 1), rename, PACKED, Share(0, 1)).note(stream())
    next(noted)
    assert len(taken) == 1
