"""A .gguf file as a checkpoint: a tiny Llama written by the gguf package, read and adopted as an ordinary folder."""

from pathlib import Path
from typing import Any

import architectures
import gguf
import pytest
import torch
from tiny import CPU, Tiny

from stages.data.files import DataError
from stages.models.gguf import gguf_ends
from stages.models.loading import load_config, load_model, load_processor

TEMPLATE = "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '<end>' }}{% endfor %}assistant: "
NAMES = {
    "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output",
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.o_proj": "attn_output",
    "self_attn.v_proj": "attn_v", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}  # fmt: skip


def for_llama_cpp(name: str, value: torch.Tensor, heads: dict[str, int]) -> torch.Tensor:
    """Rows of queries and keys in llama.cpp's order: pairs that are rotated together stand side by side."""
    for part, count in heads.items():
        if part in name:
            shaped = value.reshape(count, 2, value.shape[0] // count // 2, *value.shape[1:])
            return shaped.swapaxes(1, 2).reshape(value.shape)
    return value


def write(file: Path, folder: Path, **changed: Any) -> None:
    """The Llama in `folder` as GGUF; `changed`: eos or eot as ids, None for left out."""
    model, tokenizer = load_model(folder, CPU), load_processor(folder).tokenizer
    config = model.config
    writer = gguf.GGUFWriter(file, "llama")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_vocab_size(config.vocab_size)
    tokens = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token in tokenizer.all_special_tokens else 1 for token in tokens])
    writer.add_token_merges([" ".join(pair) for pair in merges(tokenizer)])
    ids = {"eos": tokenizer.eos_token_id, "eot": None, **changed}
    if ids["eos"] is not None:
        writer.add_eos_token_id(ids["eos"])
    if ids["eot"] is not None:
        writer.add_eot_token_id(ids["eot"])
    writer.add_pad_token_id(tokenizer.pad_token_id)
    writer.add_chat_template(TEMPLATE)
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    for name, value in model.state_dict().items():
        written = name.removesuffix(".weight").replace("model.layers.", "blk.")
        for theirs, ours in NAMES.items():
            written = written.replace(theirs, ours)
        writer.add_tensor(f"{written}.weight", for_llama_cpp(name, value, heads).numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def merges(tokenizer: Any) -> list[list[str]]:
    import json

    found: list[list[str]] = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]
    return found


@pytest.fixture(scope="module")
def folder(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("llama")
    architectures.save("llama", [f"{p.question}\n{p.solution_long}" for p in tiny.problems], made)
    return made


def test_weights_tokens_and_template_are_those_of_the_file(tiny: Tiny, folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "tiny.gguf"
    write(file, folder)
    model, processor = load_model(file, CPU), load_processor(file)
    ids = torch.arange(40)[None]
    with torch.no_grad():
        torch.testing.assert_close(model(ids).logits, load_model(folder, CPU)(ids).logits, rtol=0, atol=1e-4)
    questions = [problem.question for problem in tiny.problems]
    theirs = load_processor(folder).tokenizer(questions, add_special_tokens=False)["input_ids"]
    assert processor.tokenizer(questions, add_special_tokens=False)["input_ids"] == theirs
    assert processor.tokenizer.chat_template == TEMPLATE
    model.save_pretrained(tmp_path / "saved")
    processor.save_pretrained(tmp_path / "saved")
    again = load_model(tmp_path / "saved", CPU)
    with torch.no_grad():
        assert torch.equal(again(ids).logits, model(ids).logits)
    assert load_processor(tmp_path / "saved").tokenizer(questions, add_special_tokens=False)["input_ids"] == theirs
    assert again.generation_config.eos_token_id == [processor.tokenizer.eos_token_id]


def test_the_end_of_a_turn_comes_first(folder: Path, tmp_path: Path) -> None:
    """Files of Llama 3 and Gemma name an end of text beside it."""
    write(tmp_path / "two.gguf", folder, eos=5, eot=1)
    assert gguf_ends(tmp_path / "two.gguf") == [1, 5]
    write(tmp_path / "none.gguf", folder, eos=None)
    with pytest.raises(DataError, match=r"none.gguf: names neither tokenizer.ggml.eot_token_id nor"):
        gguf_ends(tmp_path / "none.gguf")


def test_a_file_that_is_none(tmp_path: Path) -> None:
    for load in (load_config, load_processor, lambda file: load_model(file, CPU)):
        with pytest.raises(DataError, match=r"none.gguf: no such file; correct model.source"):
            load(tmp_path / "none.gguf")
        (tmp_path / "page.gguf").write_text("<html>not found</html>")
        with pytest.raises(DataError, match=r"page.gguf: begins with b'<htm' where a GGUF file has b'GGUF'; get the file again"):
            load(tmp_path / "page.gguf")
        (tmp_path / "cut.gguf").write_bytes(b"GGUF\x03\x00\x00\x00")
        with pytest.raises(DataError, match=r"cut.gguf: cannot be loaded"):
            load(tmp_path / "cut.gguf")
