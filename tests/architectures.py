"""Tiny random models of other architectures, saved as ordinary transformers folders with processors of their own."""

from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Gemma3Processor,
    GenerationConfig,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3Processor,
    LlavaNextConfig,
    LlavaNextForConditionalGeneration,
    LlavaNextProcessor,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    ProcessorMixin,
)
from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
from transformers.models.llava_next.image_processing_pil_llava_next import LlavaNextImageProcessorPil

END, PAD = "<end>", "<pad>"
RANGE = 0.3  # wide enough that two models, or a token more or less, make a difference
TEXT = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "initializer_range": RANGE}
VISION = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "patch_size": 8}
HALF = [0.5, 0.5, 0.5]


def template(image: str) -> str:
    return (
        "{% for message in messages %}{{ message['role'] }}: {% for part in message['content'] %}"
        "{% if part['type'] == 'image' %}" + image + "{% else %}{{ part['text'] }}{% endif %}{% endfor %}" + END + "{% endfor %}"
        "{% if add_generation_prompt %}assistant: {% endif %}"
    )


def tokenizer_of(texts: Iterable[str], **tokens: str) -> PreTrainedTokenizerFast:
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    specials = [PAD, END, *tokens.values()]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=330, special_tokens=specials, initial_alphabet=alphabet, show_progress=False)
    made.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=made, eos_token=END, pad_token=PAD, extra_special_tokens=tokens)


def idefics3(texts: Iterable[str], **text: int) -> tuple[PreTrainedModel, ProcessorMixin]:
    """Pictures cut into tiles: pixel values of five dimensions, one row of pictures for each row of the batch. `text` changes the
    language model's configuration."""
    tokenizer = tokenizer_of(texts)
    images = Idefics3ImageProcessorPil(
        size={"longest_edge": 64}, max_image_size={"longest_edge": 32}, image_mean=HALF, image_std=HALF
    )
    processor = Idefics3Processor(images, tokenizer, image_seq_len=4, chat_template=template("<image>"))
    config = Idefics3Config(
        text_config={"model_type": "llama", "vocab_size": len(tokenizer), "num_key_value_heads": 1, **TEXT, **text},
        vision_config={"image_size": 32, "initializer_range": RANGE, **VISION},
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        pad_token_id=tokenizer.pad_token_id,
        scale_factor=2,
    )
    return Idefics3ForConditionalGeneration(config), processor


def gemma3(texts: Iterable[str]) -> tuple[PreTrainedModel, ProcessorMixin]:
    """Pictures seen in both directions, and a sliding window shorter than the prompts."""
    tokenizer = tokenizer_of(texts, boi_token="<boi>", eoi_token="<eoi>", image_token="<soft>")
    images = Gemma3ImageProcessorPil(size={"height": 32, "width": 32}, image_mean=HALF, image_std=HALF)
    processor = Gemma3Processor(images, tokenizer, chat_template=template("<boi>"), image_seq_length=4)
    config = Gemma3Config(
        text_config={
            "vocab_size": len(tokenizer),
            "num_key_value_heads": 1,
            "head_dim": 16,
            "query_pre_attn_scalar": 16,
            "sliding_window": 16,
            "layer_types": ["sliding_attention", "full_attention"],
            "pad_token_id": tokenizer.pad_token_id,
            **TEXT,
        },
        vision_config={"image_size": 32, "vision_use_head": False, **VISION},
        mm_tokens_per_image=4,
        boi_token_index=tokenizer.boi_token_id,
        eoi_token_index=tokenizer.eoi_token_id,
        image_token_index=tokenizer.image_token_id,
        initializer_range=RANGE,
    )
    return Gemma3ForConditionalGeneration(config), processor


def llava_next(texts: Iterable[str]) -> tuple[PreTrainedModel, ProcessorMixin]:
    """Pictures of different numbers of patches: pixel values of five dimensions, one entry for each picture."""
    tokenizer = tokenizer_of(texts, image_token="<image>")
    grid = [[32, 64], [64, 32], [64, 64], [32, 96]]
    images = LlavaNextImageProcessorPil(
        size={"shortest_edge": 32},
        crop_size={"height": 32, "width": 32},
        image_grid_pinpoints=grid,
        image_mean=HALF,
        image_std=HALF,
    )
    processor = LlavaNextProcessor(
        images,
        tokenizer,
        patch_size=8,
        vision_feature_select_strategy="default",
        chat_template=template("<image>"),
        num_additional_image_tokens=1,
    )
    config = LlavaNextConfig(
        text_config={"model_type": "qwen2", "vocab_size": len(tokenizer), "num_key_value_heads": 1, **TEXT},
        vision_config={"model_type": "clip_vision_model", "image_size": 32, "projection_dim": 16, **VISION},
        image_token_index=tokenizer.image_token_id,
        image_grid_pinpoints=grid,
    )
    return LlavaNextForConditionalGeneration(config), processor


BUILDERS: dict[str, Callable[..., tuple[PreTrainedModel, ProcessorMixin]]] = {
    "idefics3": idefics3,
    "gemma3": gemma3,
    "llava_next": llava_next,
}


def save(name: str, texts: Iterable[str], folder: Path, **text: int) -> None:
    """A checkpoint folder that the Auto classes load."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        model, processor = BUILDERS[name](texts, **text)
    model.generation_config = GenerationConfig(
        eos_token_id=processor.tokenizer.eos_token_id, pad_token_id=processor.tokenizer.pad_token_id
    )
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
