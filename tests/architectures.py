"""Tiny random models of other architectures, saved as ordinary transformers folders with processors of their own: language models,
and image-text models. Where a complete processor wants torchvision, its files are written as the hub's repositories have them."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    Gemma3Config,
    Gemma3ForCausalLM,
    Gemma3ForConditionalGeneration,
    Gemma3Processor,
    Gemma3TextConfig,
    GenerationConfig,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3Processor,
    InternVLConfig,
    InternVLForConditionalGeneration,
    LlamaConfig,
    LlamaForCausalLM,
    LlavaNextConfig,
    LlavaNextForConditionalGeneration,
    LlavaNextProcessor,
    Phi3Config,
    Phi3ForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    ProcessorMixin,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    SmolLM3Config,
    SmolLM3ForCausalLM,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
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


@dataclass(frozen=True)
class HubFiles:
    """A processor as files: name and content of each, beside the tokenizer's."""

    tokenizer: PreTrainedTokenizerFast
    files: dict[str, dict[str, object]]

    def save_pretrained(self, folder: Path) -> None:
        """Write all of them."""
        self.tokenizer.save_pretrained(folder)
        for name, content in self.files.items():
            (folder / f"{name}.json").write_text(json.dumps(content))


QWEN_TOKENS = {
    "image_token": "<|image_pad|>",
    "video_token": "<|video_pad|>",
    "vision_start_token": "<|vision_start|>",
    "vision_end_token": "<|vision_end|>",
}


def qwen_vl(kind: str, texts: Iterable[str]) -> tuple[PreTrainedModel, HubFiles]:
    """Pictures of any size with positions of time, height and width. Qwen3-VL adds features of its vision tower to deeper layers,
    Qwen2.5-VL looks at windows of 32 pixels."""
    configs = {
        "qwen2_vl": (Qwen2VLConfig, Qwen2VLForConditionalGeneration, {"embed_dim": 16, "hidden_size": 32, "mlp_ratio": 2}),
        "qwen2_5_vl": (Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration, {"window_size": 32, "fullatt_block_indexes": [1]}),
        "qwen3_vl": (
            Qwen3VLConfig,
            Qwen3VLForConditionalGeneration,
            {"num_position_embeddings": 64, "deepstack_visual_indexes": [0]},
        ),
    }
    processors = {"qwen2_vl": "Qwen2VLProcessor", "qwen2_5_vl": "Qwen2_5_VLProcessor", "qwen3_vl": "Qwen3VLProcessor"}
    config_class, model_class, vision = configs[kind]
    tokenizer = tokenizer_of(texts, **QWEN_TOKENS)
    tokenizer.chat_template = template("<|vision_start|><|image_pad|><|vision_end|>")
    common = {"hidden_size": 16, "intermediate_size": 32, "out_hidden_size": 32} if kind != "qwen2_vl" else {}
    config = config_class(
        text_config={
            "vocab_size": len(tokenizer),
            "num_key_value_heads": 1,
            "head_dim": 16,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [4, 2, 2]},
            "pad_token_id": tokenizer.pad_token_id,
            **TEXT,
        },
        vision_config={"depth": 2, "num_heads": 2, "patch_size": 8, "initializer_range": RANGE, **common, **vision},
        **{f"{name}_id": tokenizer.convert_tokens_to_ids(token) for name, token in QWEN_TOKENS.items()},
    )
    sizes = {"patch_size": 8, "temporal_patch_size": 2, "merge_size": 2, "image_mean": HALF, "image_std": HALF}
    named = {"image_processor_type": "Qwen2VLImageProcessor", "processor_class": processors[kind]}
    if kind == "qwen3_vl":
        sizes["size"] = {"shortest_edge": 256, "longest_edge": 16384}
        named["image_processor_type"] += "Fast"
        video = {**sizes, "video_processor_type": "Qwen3VLVideoProcessor", "processor_class": processors[kind]}
        return model_class(config), HubFiles(
            tokenizer, {"preprocessor_config": {**sizes, **named}, "video_preprocessor_config": video}
        )
    sizes |= {"min_pixels": 256, "max_pixels": 16384}
    return model_class(config), HubFiles(tokenizer, {"preprocessor_config": {**sizes, **named}})


def smolvlm(texts: Iterable[str]) -> tuple[PreTrainedModel, HubFiles]:
    """Idefics3's way of cutting pictures, with processors of its own."""
    tokenizer = tokenizer_of(texts, image_token="<image>", fake_image_token="<fake_token_around_image>")
    tokenizer.chat_template = template("<image>")
    config = SmolVLMConfig(
        text_config={
            "model_type": "llama",
            "vocab_size": len(tokenizer),
            "num_key_value_heads": 1,
            "pad_token_id": tokenizer.pad_token_id,
            **TEXT,
        },
        vision_config={"image_size": 32, "initializer_range": RANGE, **VISION},
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        pad_token_id=tokenizer.pad_token_id,
        scale_factor=2,
    )
    pictures = {
        "image_processor_type": "SmolVLMImageProcessor",
        "size": {"longest_edge": 64},
        "max_image_size": {"longest_edge": 32},
        "image_mean": HALF,
        "image_std": HALF,
        "video_sampling": {"fps": 1, "max_frames": 8, "video_size": {"longest_edge": 32}},
        "processor_class": "SmolVLMProcessor",
    }
    files = {"preprocessor_config": pictures, "processor_config": {"image_seq_len": 4, "processor_class": "SmolVLMProcessor"}}
    return SmolVLMForConditionalGeneration(config), HubFiles(tokenizer, files)


def internvl(texts: Iterable[str]) -> tuple[PreTrainedModel, HubFiles]:
    """Pictures cut into several tiles by their shape."""
    tokens = {"start_image_token": "<img>", "end_image_token": "</img>", "context_image_token": "<IMG_CONTEXT>"}
    tokenizer = tokenizer_of(texts, **tokens, video_token="<video>")
    tokenizer.chat_template = template("<IMG_CONTEXT>")
    config = InternVLConfig(
        text_config={"model_type": "qwen2", "vocab_size": len(tokenizer), "num_key_value_heads": 1, **TEXT},
        vision_config={"image_size": 32, "initializer_range": RANGE, "layer_scale_init_value": 1.0, **VISION},
        image_token_id=tokenizer.context_image_token_id,
        image_seq_length=4,
        tie_word_embeddings=False,
    )
    pictures = {
        "image_processor_type": "GotOcr2ImageProcessorFast",
        "crop_to_patches": True,
        "min_patches": 1,
        "max_patches": 4,
        "size": {"height": 32, "width": 32},
        "image_mean": HALF,
        "image_std": HALF,
        "processor_class": "InternVLProcessor",
    }
    files = {"preprocessor_config": pictures, "processor_config": {"image_seq_length": 4, "processor_class": "InternVLProcessor"}}
    return InternVLForConditionalGeneration(config), HubFiles(tokenizer, files)


LANGUAGE_MODELS: dict[str, tuple[type, type, dict[str, object]]] = {
    "llama": (LlamaConfig, LlamaForCausalLM, {"tie_word_embeddings": False}),
    "qwen2": (Qwen2Config, Qwen2ForCausalLM, {"tie_word_embeddings": True}),
    "qwen3": (Qwen3Config, Qwen3ForCausalLM, {"tie_word_embeddings": True, "head_dim": 16}),
    "gemma2": (
        Gemma2Config,
        Gemma2ForCausalLM,
        {"head_dim": 16, "query_pre_attn_scalar": 16, "sliding_window": 16, "final_logit_softcapping": 3.0},
    ),
    "gemma3_text": (
        Gemma3TextConfig,
        Gemma3ForCausalLM,
        {"head_dim": 16, "query_pre_attn_scalar": 16, "sliding_window": 16, "layer_types": ["sliding_attention", "full_attention"]},
    ),
    "phi3": (Phi3Config, Phi3ForCausalLM, {}),
    "smollm3": (SmolLM3Config, SmolLM3ForCausalLM, {"no_rope_layers": [1, 0], "use_sliding_window": False}),
}
"""Tied and untied heads, soft-capped logits, sliding windows, layers without positions. SmolLM and R1's distills of Llama are
of the first, R1's distills of Qwen of the second."""


def language_model(kind: str, texts: Iterable[str]) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """A model that reads no pictures, with a chat template that takes strings alone."""
    tokenizer = tokenizer_of(texts)
    tokenizer.chat_template = (
        "{% for message in messages %}{{ message['role'] + ': ' + message['content'] + '" + END + "' }}{% endfor %}"
        "{% if add_generation_prompt %}assistant: {% endif %}"
    )
    config_class, model_class, changed = LANGUAGE_MODELS[kind]
    fixed = {"vocab_size": len(tokenizer), "num_key_value_heads": 1, "max_position_embeddings": 4096}
    ids = {"bos_token_id": None, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    return model_class(config_class(**{**TEXT, **fixed, **ids, **changed})), tokenizer


IMAGE_TEXT_MODELS: dict[str, Callable[..., tuple[PreTrainedModel, ProcessorMixin | HubFiles]]] = {
    "idefics3": idefics3,
    "gemma3": gemma3,
    "llava_next": llava_next,
    "smolvlm": smolvlm,
    "internvl": internvl,
    **{name: partial(qwen_vl, name) for name in ("qwen2_vl", "qwen2_5_vl", "qwen3_vl")},
}
BUILDERS: dict[str, Callable[..., tuple[PreTrainedModel, ProcessorMixin | HubFiles | PreTrainedTokenizerFast]]] = {
    **IMAGE_TEXT_MODELS,
    **{name: partial(language_model, name) for name in LANGUAGE_MODELS},
}


def save(name: str, texts: Iterable[str], folder: Path, **text: int) -> None:
    """A checkpoint folder that the Auto classes load."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        model, processor = BUILDERS[name](texts, **text)
    tokenizer = getattr(processor, "tokenizer", processor)
    model.generation_config = GenerationConfig(eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
