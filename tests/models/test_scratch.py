"""The tiny model's tokenizer and chat template, and the folder that the Auto classes load."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tiny import Tiny
from transformers import AutoModelForImageTextToText, AutoProcessor, PreTrainedTokenizerFast

from stages.models.scratch import SPECIALS, TinyShape, build_model, build_processor, train_tokenizer
from stages.prompts.prompt import Prompt
from stages.prompts.render import Renderer

CASES = [json.loads(line) for line in (Path(__file__).parents[1] / "cases/chat_template.jsonl").read_text().splitlines()]


def small() -> PreTrainedTokenizerFast:
    """A tokenizer of a fixed text: its ids are golden."""
    return train_tokenizer(["Find the smallest digit x with 3*x+2*4=7 modulo 10.\nAnswer in \\boxed{}."] * 3, 300)


TOKENIZER = small()


@given(st.text(max_size=60))
def test_every_text_comes_back(text: str) -> None:
    ids = TOKENIZER(text, add_special_tokens=False)["input_ids"]
    assert TOKENIZER.decode(ids) == text


def test_digits_never_merge(tiny: Tiny) -> None:
    tokenizer = tiny.renderer().processor.tokenizer
    assert [tokenizer.decode([found]) for found in tokenizer("107", add_special_tokens=False)["input_ids"]] == ["1", "0", "7"]
    vocabulary = tokenizer.get_vocab()
    assert not [token for token in vocabulary if sum(map(str.isdigit, token)) > 1]


def test_special_tokens_are_one_id_each_and_first() -> None:
    assert [TOKENIZER.convert_tokens_to_ids(token) for token in SPECIALS] == list(range(len(SPECIALS)))
    assert (TOKENIZER.eos_token, TOKENIZER.pad_token) == ("<|im_end|>", "<|endoftext|>")
    assert len(TOKENIZER) <= 300


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["why"])
def test_golden_chat_template(case: dict[str, Any]) -> None:
    processor = build_processor(TOKENIZER, 256 * 100)
    renderer = Renderer(processor, case["instruction"], 200)
    image = "" if case["picture"] else None
    text = renderer.template(Prompt(case["question"], image))
    assert text == case["text"]
    if case["picture"]:
        found = renderer.picture(text, Image.new("RGB", tuple(case["picture"])))
        assert found.per_token["mm_token_type_ids"].tolist() == [int(token == 5) for token in case["ids"]]
    else:
        (found,) = renderer.render([Prompt(case["question"], None)])
        assert found.pixels == {}
    assert list(found.token_ids) == case["ids"]


def test_the_auto_classes_load_the_folder(tiny: Tiny) -> None:
    model = AutoModelForImageTextToText.from_pretrained(tiny.folder)
    processor = AutoProcessor.from_pretrained(tiny.folder)
    assert type(model).__name__ == "Qwen2_5_VLForConditionalGeneration"
    names = {path.name for path in tiny.folder.iterdir()}
    assert {"config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja"} <= names
    messages = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What?"}]}]
    text = processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    inputs = processor(text=[text], images=[Image.new("RGB", (32, 48))], return_tensors="pt")
    assert (inputs["input_ids"] == model.config.image_token_id).sum() == 2 * 3, "one token for 16 x 16 pixels"
    with torch.no_grad():
        assert model(**inputs).logits.shape == (1, inputs["input_ids"].shape[1], len(processor.tokenizer))


def test_initial_weights_depend_on_the_seed_alone() -> None:
    shape = TinyShape(32, 2, 2, 100, 0.09)

    def weights(seed: int) -> torch.Tensor:
        torch.manual_seed(seed + 1000)
        return build_model(TOKENIZER, shape, seed).get_input_embeddings().weight.detach()

    before = torch.get_rng_state()
    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))
    torch.set_rng_state(before)
    build_model(TOKENIZER, shape, 1)
    assert torch.equal(torch.get_rng_state(), before), "the global stream is left alone"
    assert weights(1).std().item() == pytest.approx(0.09, rel=0.1)
