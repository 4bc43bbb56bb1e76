"""Models whose heads share keys and values: the engine's attention without copies of them, against transformers' own."""

from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from stages.models.attention import packed_attention
from stages.prompts.prompt import Prompt
from stages.prompts.render import Rendered
from stages.rollout.engine import Request, Sampling
from stages.rollout.transformers_engine import TransformersEngine


def grouped_model() -> LlamaForCausalLM:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=1300, hidden_size=48, intermediate_size=96, num_hidden_layers=2, num_attention_heads=6, num_key_value_heads=2,
        max_position_embeddings=256, initializer_range=0.2, eos_token_id=2, pad_token_id=0, tie_word_embeddings=True,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    model.generation_config.eos_token_id = 2
    return model


@pytest.mark.parametrize("queries", [1, 5])
def test_grouped_heads_under_a_mask(queries: int) -> None:
    """6 heads of the query on 2 of keys, padding on the left: as with the keys repeated, and keys are not copied."""
    generator = torch.Generator().manual_seed(1)
    q, k, v = (torch.randn(3, heads, columns, 8, generator=generator) for heads, columns in ((6, queries), (2, 7), (2, 7)))
    hidden = torch.arange(7) < torch.tensor([0, 2, 4])[:, None]
    later = torch.arange(7) > torch.arange(7 - queries, 7)[:, None]
    mask = (hidden[:, None, None] | later) * torch.finfo(torch.float32).min
    module = SimpleNamespace(num_key_value_groups=3, is_causal=True)
    seen: list[int] = []
    plain = functional.scaled_dot_product_attention

    def noted(query: torch.Tensor, key: torch.Tensor, *args: object, **options: object) -> torch.Tensor:
        seen.append(key.shape[1])
        return plain(query, key, *args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(functional, "scaled_dot_product_attention", noted)
        found, _ = packed_attention(module, q, k, v, mask, scaling=0.3)
    expected, _ = sdpa_attention_forward(module, q, k, v, mask, scaling=0.3)
    assert found.shape == expected.shape == (3, queries, 6, 8)
    assert torch.allclose(found, expected, atol=1e-6)
    assert seen == [2]


def test_greedy_equals_generate() -> None:
    """Prompts of different lengths in two slots, a vocabulary of several blocks."""
    plain, model = grouped_model().eval(), grouped_model()
    tokenizer = SimpleNamespace(all_special_ids=[0, 2], pad_token_id=0, decode=lambda ids, **_: str(ids))
    tokenizer_of_size = type("Sized", (SimpleNamespace,), {"__len__": lambda _: 1300})(**vars(tokenizer))
    renderer = SimpleNamespace(processor=SimpleNamespace(tokenizer=tokenizer_of_size), context=200, turn_end=2)
    engine = TransformersEngine(model, renderer, 2)
    prompts = [tuple(range(5, 5 + length)) for length in (3, 20, 9, 40)]
    requests = [Request(Prompt("", None), Rendered(ids, {}, {}), (), 16, 16, 0) for ids in prompts]
    pieces = engine.extend(requests, Sampling(0, 1.0, 16, 0))
    for ids, piece in zip(prompts, pieces, strict=True):
        with torch.no_grad():
            whole = plain.generate(torch.tensor([ids]), do_sample=False, max_new_tokens=16, bad_words_ids=[[0]])
        assert whole[0, len(ids) :].tolist() == list(piece.token_ids)
