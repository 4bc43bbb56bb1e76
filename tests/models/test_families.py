"""Which Auto class a config belongs to, and what stands in a processor's place without pictures."""

from typing import Any

import pytest
from tiny import Tiny
from transformers import (
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    Gemma3Config,
    Gemma3TextConfig,
    Idefics3Config,
    InternVLConfig,
    LlamaConfig,
    LlavaNextConfig,
    Phi3Config,
    Qwen2_5_VLConfig,
    Qwen2Config,
    Qwen2VLConfig,
    Qwen3Config,
    Qwen3VLConfig,
    SmolLM3Config,
    SmolVLMConfig,
    ViTConfig,
)

from stages.data.files import DataError
from stages.models.families import auto_class, reads_pictures
from stages.models.text_only import TextOnlyProcessor
from stages.prompts.prompt import Prompt
from stages.prompts.render import Renderer

TEXT = [LlamaConfig, Qwen2Config, Qwen3Config, Gemma3TextConfig, Phi3Config, SmolLM3Config]
PICTURES = [
    Qwen2VLConfig, Qwen2_5_VLConfig, Qwen3VLConfig, Idefics3Config, SmolVLMConfig, Gemma3Config,
    LlavaNextConfig, InternVLConfig,
]  # fmt: skip


@pytest.mark.parametrize("config", TEXT)
def test_causal_language_models(config: Any) -> None:
    assert auto_class(config()) is AutoModelForCausalLM
    assert not reads_pictures(config())


@pytest.mark.parametrize("config", PICTURES)
def test_image_text_models(config: Any) -> None:
    """Gemma3Config stands in both of transformers' tables."""
    assert auto_class(config()) is AutoModelForImageTextToText
    assert reads_pictures(config())


@pytest.mark.parametrize("config", [ViTConfig])
def test_a_model_that_generates_no_text_is_refused(config: Any) -> None:
    with pytest.raises(DataError, match=r"model type 'vit' is neither a causal language model nor"):
        auto_class(config())
    with pytest.raises(DataError, match="neither a causal language model"):
        reads_pictures(config())


def test_models_and_processors_say_the_same_as_their_config(tiny: Tiny) -> None:
    assert reads_pictures(tiny.model())
    processor = tiny.renderer().processor
    assert reads_pictures(processor)
    assert not reads_pictures(TextOnlyProcessor(processor.tokenizer))


STRINGS = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] + '' }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def test_text_only_templates_get_strings(tiny: Tiny, tmp_path: Any) -> None:
    tokenizer = tiny.renderer().processor.tokenizer
    tokenizer.chat_template = STRINGS
    renderer = Renderer(TextOnlyProcessor(tokenizer), "Answer.", 100)
    expected = "<|im_start|>user\nWhat is 1 + 1?\nAnswer.<|im_end|>\n<|im_start|>assistant\n"
    prompt = Prompt("What is 1 + 1?", None)
    assert renderer.template(prompt) == expected
    (rendered,) = renderer.render([prompt])
    assert rendered.pixels == rendered.per_token == {}
    assert tokenizer.decode(rendered.token_ids) == expected
    given = [{"role": "user", "content": "a"}]
    assert "user\na<" in renderer.processor.apply_chat_template(given, tokenize=False)
    renderer.processor.save_pretrained(tmp_path)
    assert type(tokenizer).from_pretrained(tmp_path).chat_template == STRINGS


def test_a_picture_for_a_text_only_model_is_an_error(tiny: Tiny) -> None:
    renderer = Renderer(TextOnlyProcessor(tiny.renderer().processor.tokenizer), "", 100)
    picture = next(problem.image for problem in tiny.problems if problem.image)
    with pytest.raises(DataError, match=r"a picture for a text-only model; leave problems with pictures out"):
        renderer.render([Prompt("What is it?", picture)])
    with pytest.raises(DataError, match="a picture for a text-only model"):
        renderer.processor(text=["<image>"], images=[])
