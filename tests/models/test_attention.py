"""Packed rows: a sample has the numbers that it has by itself, to the last bit, whatever the layers and the kernel."""

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import Tiny
from torch.nn import functional
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Gemma3TextConfig,
    GptOssConfig,
    LlamaConfig,
    MistralConfig,
    PreTrainedConfig,
    Qwen3Config,
    Qwen3NextConfig,
)

from stages.data.files import DataError
from stages.models import attention
from stages.models.attention import PACKED, PACKED_PICTURES, use_packed_attention
from stages.prompts.render import Rendered
from stages.training.batches import TrainingSample, pack
from stages.training.log_probs import TokenLogProbs, split_by_sample

LENGTHS = (3, 64, 17, 33, 64, 130, 3, 1, 257)
SHAPE: dict[str, Any] = {
    "vocab_size": 96, "hidden_size": 48, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 6,
    "num_key_value_heads": 2, "head_dim": 8, "initializer_range": 0.3, "max_position_embeddings": 512, "pad_token_id": 0,
    "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
WINDOWS = ["sliding_attention", "full_attention", "sliding_attention"]
CONFIGS: dict[str, PreTrainedConfig] = {
    "llama": LlamaConfig(**SHAPE),
    "qwen3": Qwen3Config(**SHAPE),
    "mistral with a window": MistralConfig(**SHAPE, sliding_window=20),
    "gemma3 text": Gemma3TextConfig(**SHAPE, sliding_window=20, layer_types=WINDOWS, query_pre_attn_scalar=8),
}
REFUSED: dict[str, PreTrainedConfig] = {
    "sinks": GptOssConfig(**SHAPE, sliding_window=20, num_local_experts=2, num_experts_per_tok=1, layer_types=WINDOWS),
    "linear_attention": Qwen3NextConfig(**SHAPE, layer_types=["linear_attention"] * 3),
}
OTHERS: dict[str, PreTrainedConfig] = {
    "soft caps in attention": Gemma2Config(**SHAPE, sliding_window=20, query_pre_attn_scalar=8),
    "dropout": LlamaConfig(**SHAPE, attention_dropout=0.1),
}


def made(config: PreTrainedConfig, dtype: torch.dtype = torch.float32) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        return AutoModelForCausalLM.from_config(copy.deepcopy(config)).to(dtype).eval()


def texts() -> list[TrainingSample]:
    drawn = torch.Generator().manual_seed(2)
    ids = [tuple(torch.randint(3, 96, (length + 2,), generator=drawn).tolist()) for length in LENGTHS]
    return [TrainingSample(Rendered(found[:2], {}, {}), found[2:], torch.arange(len(found))[None]) for found in ids]


def by_sample(model: Any, samples: list[TrainingSample], tokens: int) -> dict[int, torch.Tensor]:
    found: dict[int, torch.Tensor] = {}
    with torch.no_grad():
        for batch in pack(samples, tokens, 0):
            found |= split_by_sample(TokenLogProbs(model)(batch)[0], batch)
    return found


def largest_gap(left: dict[int, torch.Tensor], right: dict[int, torch.Tensor]) -> float:
    assert left.keys() == right.keys()
    return max(float((left[place] - right[place]).abs().max()) for place in left)


def alone(model: Any, samples: list[TrainingSample]) -> dict[int, torch.Tensor]:
    return {place: by_sample(model, [sample], 10_000)[0] for place, sample in enumerate(samples)}


@pytest.mark.parametrize("tokens", [100, 300, 10_000])
@pytest.mark.parametrize("name", CONFIGS)
def test_in_bf16_a_sample_has_the_same_log_probs_alone_and_packed(name: str, tokens: int) -> None:
    """Exactly: the squared term of the policy's loss sees every difference."""
    model = made(CONFIGS[name], torch.bfloat16)
    use_packed_attention(model)
    assert model.config._attn_implementation == PACKED
    assert largest_gap(by_sample(model, texts(), tokens), alone(model, texts())) == 0


@pytest.mark.parametrize("name", CONFIGS)
def test_log_probs_are_those_of_transformers_own_attention(name: str) -> None:
    """Each sample by itself, where transformers needs no mask but that of a window, and in one row, where it makes one."""
    model, plain = made(CONFIGS[name]), made(CONFIGS[name])
    use_packed_attention(model)
    packed = by_sample(model, texts(), 10_000)
    assert largest_gap(packed, alone(plain, texts())) < 1e-5
    assert largest_gap(packed, by_sample(plain, texts(), 10_000)) < 1e-5
    assert plain.config._attn_implementation == "sdpa"


@pytest.mark.parametrize("name", CONFIGS)
def test_gradients_are_the_sum_of_those_of_single_samples(name: str) -> None:
    packed, single = made(CONFIGS[name]).double(), made(CONFIGS[name]).double()
    use_packed_attention(packed)
    for batch in pack(texts(), 300, 0):
        TokenLogProbs(packed)(batch)[0].mean().backward()
    for batch in pack(texts(), 300, 0):
        count = len(batch.targets)
        for place in batch.sample_of_target.unique().tolist():
            (TokenLogProbs(single)(pack([texts()[place]], 10_000, 0)[0])[0].sum() / count).backward()
    for (parameter, one), other in zip(packed.named_parameters(), single.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-6, atol=1e-6, msg=parameter)


@pytest.mark.parametrize("name", OTHERS)
def test_other_layers_keep_transformers_own_attention_and_are_packed_all_the_same(name: str) -> None:
    model = made(OTHERS[name])
    before = model.config._attn_implementation
    use_packed_attention(model)
    assert model.config._attn_implementation == before != PACKED
    assert largest_gap(by_sample(model, texts(), 10_000), alone(model, texts())) < 1e-4


@pytest.mark.parametrize("name", REFUSED)
def test_layers_in_which_packed_samples_would_see_each_other_are_refused(name: str) -> None:
    """Transformers makes no mask for them: what a sample says would depend on its neighbours."""
    with pytest.raises(DataError, match=f"has attention of the kind {name}; packed samples stay apart only in full and sliding"):
        use_packed_attention(made(REFUSED[name]))


@pytest.mark.parametrize("given", [{"softcap": 30.0}, {"s_aux": torch.zeros(2)}, {"position_ids": None}])
def test_what_is_not_known_is_no_silent_matter(given: dict[str, Any]) -> None:
    row = torch.zeros(1, 2, 4, 8)
    arguments = {"position_ids": torch.arange(4)[None], **given}
    with pytest.raises(RuntimeError, match=r"gives attention (no position_ids|'softcap'|'s_aux')"):
        attention.packed_attention(torch.nn.Identity(), row, row, row, None, **arguments)


def test_with_a_mask_or_a_cache_it_is_transformers_own() -> None:
    """What the embedded engine does with the trainer's model: padded prompts, then one token at a time."""
    model, plain = made(CONFIGS["qwen3"]), made(CONFIGS["qwen3"])
    use_packed_attention(model)
    ids = torch.randint(3, 96, (3, 12), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    mask[1, :5] = 0
    for inputs in ({"input_ids": ids, "attention_mask": mask}, {"input_ids": ids[:1]}):
        one, other = (m.generate(**inputs, do_sample=False, max_new_tokens=6, pad_token_id=0) for m in (model, plain))
        assert torch.equal(one, other)


def test_a_saved_checkpoint_does_not_name_it(tmp_path: Path) -> None:
    model = made(CONFIGS["llama"])
    use_packed_attention(model)
    model.save_pretrained(tmp_path)
    assert "packed" not in json.dumps(json.loads((tmp_path / "config.json").read_text()))


class Kernel:
    """Stands for torch's varlen_attn, which has no CPU form: the same arguments, samples one by one; it notes its calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[list[int], int, tuple[int, int]]] = []

    def __call__(
        self, q: Any, k: Any, v: Any, edges_q: Any, edges_k: Any, most_q: int, most_k: int, *,
        scale: float, window_size: tuple[int, int], enable_gqa: bool,
    ) -> torch.Tensor:  # fmt: skip
        assert edges_q is edges_k
        assert edges_q.dtype == torch.int32
        assert most_q == most_k
        assert enable_gqa
        self.calls.append((edges_q.tolist(), most_q, window_size))
        out = torch.empty_like(q)
        for first, end in zip(edges_q[:-1].tolist(), edges_q[1:].tolist(), strict=True):
            rows, columns = torch.arange(end - first)[:, None], torch.arange(end - first)
            left, right = (end if side < 0 else side for side in window_size)
            seen = (columns <= rows + right) & (columns >= rows - left)
            parts = (part[first:end].transpose(0, 1) for part in (q, k, v))
            done = functional.scaled_dot_product_attention(*parts, attn_mask=seen, scale=scale, enable_gqa=True)
            out[first:end] = done.transpose(0, 1)
        return out


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Iterator[Kernel]:
    found = Kernel()
    monkeypatch.setattr(attention, "kernel_for", lambda *_: found)
    return found


@pytest.mark.parametrize("name", CONFIGS)
def test_the_gpus_kernel_is_told_the_bounds_and_the_window(name: str, kernel: Kernel) -> None:
    plain, model = made(CONFIGS[name]), made(CONFIGS[name])
    use_packed_attention(model)
    samples = texts()[:4]  # of 5, 66, 19 and 35 tokens with their prompts of two
    found = by_sample(model, samples, 10_000)
    assert largest_gap(found, alone(plain, samples)) < 1e-4
    assert [(edges, most) for edges, most, _ in kernel.calls] == [([0, 66, 101, 120, 125], 66)] * 3, "the longest first"
    full, window = (-1, 0), (19, 0)
    expected = {"mistral with a window": [window] * 3, "gemma3 text": [window, full, window]}
    assert [found for *_, found in kernel.calls] == expected.get(name, [full] * 3)


def test_a_vision_tower_takes_one_call_a_block(tiny: Tiny, kernel: Kernel) -> None:
    """Windows of pictures in one block, whole pictures in the other."""
    plain, model = tiny.model(), tiny.model()
    use_packed_attention(model)
    assert model.config.vision_config._attn_implementation == PACKED_PICTURES
    prompts = [found.prompt for found in tiny.samples(plain) if found.prompt.pixels][:6:2]
    pixels = torch.cat([prompt.pixels["pixel_values"] for prompt in prompts])
    grid = torch.cat([prompt.pixels["image_grid_thw"] for prompt in prompts])
    with torch.no_grad():
        ours, theirs = (m.model.visual(pixels, grid_thw=grid).pooler_output for m in (model, plain))
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    (windows, _, seen), (whole, most, _) = kernel.calls
    sizes = grid.prod(-1).tolist()
    assert whole == [0, *torch.tensor(sizes).cumsum(0).tolist()]
    assert most == max(sizes)
    assert len(windows) > len(whole)
    assert seen == (-1, -1), "in both directions"


@pytest.mark.parametrize("dtype, gap", [(torch.float32, 1e-6), (torch.bfloat16, 0.0)])
def test_pictures_change_nothing_for_their_neighbours(tiny: Tiny, dtype: torch.dtype, gap: float) -> None:
    model = tiny.model().to(dtype).eval()
    use_packed_attention(model)
    samples = tiny.samples(model)[::3]
    assert {bool(found.prompt.pixels) for found in samples} == {True, False}
    assert largest_gap(by_sample(model, samples, 10_000), alone(model, samples)) <= gap


def test_bounds_by_hand() -> None:
    edges: Callable[[torch.Tensor], torch.Tensor] = attention._starts
    assert edges(torch.tensor([[0, 1, 2, 0, 1, 0]])).tolist() == [0, 3, 5, 6]
    assert edges(torch.tensor([[7, 8, 9]])).tolist() == [0, 3], "a row that goes on is one sample"
    assert edges(torch.tensor([[0]])).tolist() == [0, 1]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", CONFIGS)
def test_on_a_gpu(name: str) -> None:
    model = made(CONFIGS[name]).to("cuda")
    plain = by_sample(model.cpu(), texts(), 10_000)
    model = model.to("cuda", torch.bfloat16)
    use_packed_attention(model)
    found: dict[int, torch.Tensor] = {}
    for batch in pack(texts(), 300, 0):
        logp, _ = TokenLogProbs(model)(batch.to(model.device))
        logp.sum().backward()
        found |= {place: part.detach().cpu() for place, part in split_by_sample(logp, batch.to(logp.device)).items()}
    assert largest_gap(found, plain) < 0.5, "bf16 against float32 on the CPU"
