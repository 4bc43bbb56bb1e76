"""Published chat templates with tiny tokenizers that have their special tokens.

The templates are data, as their models publish them (parts about tools left out where they are
long); the file of the golden cases says where each comes from."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

from stages.models.scratch import SPLIT

FOLDER = Path(__file__).parent / "cases/chat_forms"
MERGES = [("a", "s"), ("u", "s"), ("us", "e"), ("use", "r"), ("m", "o")]


@dataclass(frozen=True)
class Form:
    """A model's template, and what its tokenizer knows."""

    specials: tuple[str, ...]
    """Special tokens, from id 0 on."""
    eos: str
    ends: tuple[str, ...]
    """What its generation_config names as eos_token_id."""
    end: str
    """The token with which its template ends an answer."""
    bos: str | None = None
    pad: str | None = None
    begins: bool = False
    """Whether the tokenizer adds `bos` by itself."""
    pieces: bool = False
    """SentencePiece's way: a space of its own before each text, bytes for unknown letters."""
    others: tuple[str, ...] = ()
    """Added tokens that are not special."""
    strips: frozenset[str] = field(default_factory=frozenset)
    """Special tokens that take the white space behind them away."""


CHATML = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
VISION = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
HEADERS = ("<|begin_of_text|>", "<|end_of_text|>", "<|eom_id|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>")
GEMMA = ("<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>", "<start_of_image>", "<image_soft_token>")
PHI = ("<unk>", "<s>", "</s>", "<|endoftext|>", "<|assistant|>", "<|end|>", "<|system|>", "<|user|>")
LLAMA = ("<unk>", "<s>", "</s>")
R1 = ("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>")

FORMS = {
    "qwen2_5": Form(CHATML, "<|im_end|>", ("<|im_end|>", "<|endoftext|>"), "<|im_end|>", pad="<|endoftext|>"),
    "qwen3": Form(
        CHATML, "<|im_end|>", ("<|im_end|>", "<|endoftext|>"), "<|im_end|>", pad="<|endoftext|>", others=("<think>", "</think>")
    ),
    "qwen2_5_vl": Form(CHATML + VISION, "<|im_end|>", ("<|im_end|>", "<|endoftext|>"), "<|im_end|>", pad="<|endoftext|>"),
    "smollm2": Form(CHATML, "<|im_end|>", ("<|im_end|>",), "<|im_end|>", bos="<|im_start|>", pad="<|im_end|>"),
    "llama3_2": Form(
        HEADERS,
        "<|eot_id|>",
        ("<|end_of_text|>", "<|eom_id|>", "<|eot_id|>"),
        "<|eot_id|>",
        bos="<|begin_of_text|>",
        begins=True,
    ),
    "gemma3": Form(GEMMA, "<eos>", ("<eos>", "<end_of_turn>"), "<end_of_turn>", bos="<bos>", pad="<pad>", begins=True),
    "gemma2": Form(GEMMA, "<eos>", ("<eos>", "<end_of_turn>"), "<end_of_turn>", bos="<bos>", pad="<pad>", begins=True),
    "phi3": Form(
        PHI,
        "<|endoftext|>",
        ("<|endoftext|>", "<|assistant|>", "<|end|>"),
        "<|end|>",
        bos="<s>",
        pieces=True,
        strips=frozenset(PHI[2:]),
    ),
    "deepseek_r1_distill": Form(
        R1,
        R1[1],
        R1[1:],
        R1[1],
        bos=R1[0],
        begins=True,
        others=("<｜User｜>", "<｜Assistant｜>", "<think>", "</think>"),
    ),
    "mistral": Form(LLAMA, "</s>", ("</s>",), "</s>", bos="<s>", begins=True, pieces=True),
    "zephyr": Form(LLAMA, "</s>", ("</s>",), "</s>", bos="<s>", begins=True, pieces=True),
    "llava_next": Form((*LLAMA, "<image>"), "</s>", ("</s>",), "</s>", bos="<s>", begins=True, pieces=True),
    "idefics3": Form(
        (*HEADERS, "<end_of_utterance>", "<image>"),
        "<end_of_utterance>",
        ("<|end_of_text|>", "<end_of_utterance>"),
        "<end_of_utterance>",
        bos="<|begin_of_text|>",
        begins=True,
    ),
}


def tokenizer(form: Form, template: str | None) -> PreTrainedTokenizerFast:
    """Special tokens first, then others, then bytes or letters, and a few words."""
    made = _pieces(form) if form.pieces else _bytes(form)
    made.add_special_tokens([AddedToken(name, rstrip=name in form.strips, normalized=False) for name in form.specials])
    made.add_tokens([AddedToken(name, normalized=False) for name in form.others])
    if form.begins and form.bos:
        made.post_processor = TemplateProcessing(f"{form.bos} $A", special_tokens=[(form.bos, made.token_to_id(form.bos))])
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        bos_token=form.bos,
        eos_token=form.eos,
        pad_token=form.pad,
        unk_token="<unk>" if "<unk>" in form.specials else None,
        chat_template=template,
    )


def template(name: str) -> str:
    return (FOLDER / f"{name}.jinja").read_text(encoding="utf-8")


def _vocabulary(form: Form, letters: Iterable[str]) -> dict[str, int]:
    names = [*form.specials, *form.others, *letters, *("".join(pair) for pair in MERGES)]
    return {name: number for number, name in enumerate(dict.fromkeys(names))}


def _bytes(form: Form) -> Tokenizer:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE(_vocabulary(form, alphabet), MERGES))
    split = pre_tokenizers.Split(Regex(SPLIT), "isolated")
    made.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    made.decoder = decoders.ByteLevel()
    return made


def _pieces(form: Form) -> Tokenizer:
    letters = [*(f"<0x{byte:02X}>" for byte in range(256)), "▁", *(chr(code) for code in range(33, 127))]
    made = Tokenizer(models.BPE(_vocabulary(form, letters), MERGES, unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    made.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return made


class TextOnly:
    """A tokenizer in the place of a processor."""

    def __init__(self, made: PreTrainedTokenizerFast) -> None:
        self.tokenizer = made

    def apply_chat_template(self, messages: list[dict[str, Any]], **options: Any) -> str:
        return str(self.tokenizer.apply_chat_template(messages, **options))


def processor(name: str) -> TextOnly:
    """A text-only processor of the form."""
    return TextOnly(tokenizer(FORMS[name], template(name)))
