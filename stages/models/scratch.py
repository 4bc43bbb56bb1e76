"""The tiny vision-language model: Qwen2.5-VL's architecture by transformers' own classes, with its own small tokenizer.

Saved as an ordinary transformers folder, it is loaded like any hub checkpoint."""

from stages.models import broken_torchvision  # noqa: F401

# isort: split
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    GenerationConfig,
    PaddleOCRVLProcessor,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
)
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

SPECIALS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
PATCH = 8  # pixels; two by two patches are merged into one token of 16 x 16 pixels
# ChatML as Qwen2.5-VL uses it (https://huggingface.co/Qwen/Qwen2.5-VL-3B-Instruct), without a system turn.
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# Words with their leading space, single digits, runs of punctuation, line ends: digits never merge.
SPLIT = r"\\?\p{L}+| ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]|\s"


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer of at most `vocabulary` tokens; every Unicode text has a lossless encoding."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIALS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens={
            "image_token": "<|image_pad|>",
            "video_token": "<|video_pad|>",
            "vision_start_token": "<|vision_start|>",
            "vision_end_token": "<|vision_end|>",
            "im_start_token": "<|im_start|>",
        },
        chat_template=CHAT_TEMPLATE,
    )


@dataclass(frozen=True)
class TinyShape:
    """Sizes of the tiny model. Transformers' default initializer_range of 0.02 is far too small for such widths."""

    hidden: int
    layers: int
    heads: int
    context: int
    initializer_range: float

    def text(self, vocabulary: int, ids: dict[str, int]) -> dict[str, Any]:
        """The language model's configuration."""
        head = self.hidden // self.heads
        return {
            "vocab_size": vocabulary,
            "hidden_size": self.hidden,
            "intermediate_size": 3 * self.hidden,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.heads,  # grouped queries take a slow path of torch on the CPU
            "max_position_embeddings": self.context,
            "initializer_range": self.initializer_range,
            "tie_word_embeddings": True,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 10000.0,
                "mrope_section": [head // 2 - 2 * (head // 6), head // 6, head // 6],
            },
            "bos_token_id": None,
            "eos_token_id": ids["<|im_end|>"],
            "pad_token_id": ids["<|endoftext|>"],
        }

    def vision(self) -> dict[str, Any]:
        """The vision tower's configuration: two blocks of half the width."""
        return {
            "depth": 2,
            "hidden_size": self.hidden // 2,
            "intermediate_size": self.hidden,
            "num_heads": 2,
            "out_hidden_size": self.hidden,
            "patch_size": PATCH,
            "temporal_patch_size": 1,
            "spatial_merge_size": 2,
            "window_size": 8 * PATCH,
            "fullatt_block_indexes": [1],
            "initializer_range": self.initializer_range,
        }


def build_model(tokenizer: PreTrainedTokenizerFast, shape: TinyShape, seed: int) -> Qwen2_5_VLForConditionalGeneration:
    """A randomly initialised Qwen2.5-VL; the same for the same seed."""
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in SPECIALS}
    config = Qwen2_5_VLConfig(
        text_config=shape.text(len(tokenizer), ids),
        vision_config=shape.vision(),
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=True,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Qwen2_5_VLForConditionalGeneration(config)
    model.generation_config = GenerationConfig(eos_token_id=ids["<|im_end|>"], pad_token_id=ids["<|endoftext|>"])
    return model


def build_processor(tokenizer: PreTrainedTokenizerFast, max_pixels: int) -> PaddleOCRVLProcessor:
    """Tokenizer and picture processor as one. Qwen2.5-VL's own processor class wants a video processor, which wants torchvision;
    PaddleOCRVLProcessor does the same for pictures (image_grid_thw, one placeholder for each merged patch) without either."""
    images = Qwen2VLImageProcessorPil(
        patch_size=PATCH,
        temporal_patch_size=1,
        merge_size=2,
        size={"shortest_edge": (2 * PATCH) ** 2, "longest_edge": max_pixels},
    )
    return PaddleOCRVLProcessor(image_processor=images, tokenizer=tokenizer, chat_template=CHAT_TEMPLATE)


def save(folder: Path, model: Qwen2_5_VLForConditionalGeneration, processor: PaddleOCRVLProcessor) -> None:
    """An ordinary transformers folder: config, safetensors, tokenizer, processor, chat template."""
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
