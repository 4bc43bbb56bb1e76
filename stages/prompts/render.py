"""A prompt becomes token ids and pixels by the checkpoint's own chat template and processor."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from PIL import Image

from stages.data.files import DataError
from stages.prompts.pixels import Inputs, Remade, whole
from stages.prompts.prompt import Picture, Prompt

PER_TOKEN = ("mm_token_type_ids", "token_type_ids")


@dataclass(frozen=True)
class Rendered:
    """A prompt as the model reads it."""

    token_ids: tuple[int, ...]
    per_token: dict[str, torch.Tensor]
    """Further inputs with one value a token, each of shape (L,)."""
    pixels: Inputs
    """Picture inputs as the processor gives them for this one prompt, all its pictures; empty for text."""


class Renderer:
    """Renders prompts for one checkpoint; text prompts are tokenised together, those with pictures one by one."""

    def __init__(self, processor: Any, instruction: str, context: int) -> None:
        self.processor = processor
        self.instruction = instruction
        self.context = context

    def render(self, prompts: Sequence[Prompt], room: int | None = 1, remade: bool = False) -> list[Rendered]:
        """Prompts in order; if they may be `remade`, pictures that are too many to keep are made again when
        they are read. DataError when one leaves less than `room` tokens of the context for its response
        (None: of any length, for callers that leave out the long ones)."""
        texts = [self.template(prompt) for prompt in prompts]
        plain = [index for index, prompt in enumerate(prompts) if not prompt.images]
        rendered: dict[int, Rendered] = {}
        if plain:
            encoded = self.processor.tokenizer([texts[index] for index in plain], add_special_tokens=False)["input_ids"]
            rendered = {index: Rendered(tuple(ids), {}, {}) for index, ids in zip(plain, encoded, strict=True)}
        for index, prompt in enumerate(prompts):
            if prompt.images:
                rendered[index] = self._pictured(texts[index], prompt)
                if remade:
                    rendered[index] = self._remade(rendered[index], texts[index], prompt)
            if room is not None and len(rendered[index].token_ids) + room > self.context:
                raise DataError(
                    f"prompt of {len(rendered[index].token_ids)} tokens leaves less than {room} of model.context = {self.context} "
                    f"for the response: {prompt.question[:80]!r}; raise model.context, shorten the prompt or use smaller pictures"
                )
        return [rendered[index] for index in range(len(prompts))]

    def template(self, prompt: Prompt) -> str:
        """The prompt in the checkpoint's chat template, the assistant's turn opened."""
        parts = [
            {"type": "image"} if isinstance(part, Picture) else {"type": "text", "text": part}
            for part in prompt.turn(self.instruction)
        ]
        messages = [{"role": "user", "content": parts}]
        return str(self.processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))

    def _pictured(self, text: str, prompt: Prompt) -> Rendered:
        with _readable(prompt):
            return self.picture(text, *pictures(prompt))

    def _remade(self, made: Rendered, text: str, prompt: Prompt) -> Rendered:
        return replace(made, pixels=Remade(made.pixels, lambda: self._pictured(text, prompt).pixels))

    def picture(self, text: str, *pictures: Image.Image) -> Rendered:
        """One already templated text with its pictures, in the order of their places in it."""
        out = self.processor(text=[text], images=[list(pictures)], return_tensors="pt", add_special_tokens=False)
        per_token = {name: out[name][0] for name in PER_TOKEN if name in out}
        pixels = {name: value for name, value in out.items() if name not in (*PER_TOKEN, "input_ids", "attention_mask")}
        return Rendered(tuple(out["input_ids"][0].tolist()), per_token, pixels)

    def blank(self) -> Rendered:
        """The smallest prompt with a picture: what ranks that hold only text run the vision tower on."""
        return self.picture(self.template(Prompt("", "", "")), Image.new("RGB", (64, 64)))


def pictures(prompt: Prompt) -> list[Image.Image]:
    """The prompt's pictures in the order of their places in its turn."""
    with _readable(prompt):
        return [_opened(part.path) for part in prompt.turn("") if isinstance(part, Picture)]


@contextmanager
def _readable(prompt: Prompt) -> Iterator[None]:
    """Errors of reading the pictures as a DataError that names them."""
    try:
        yield
    except DataError:
        raise
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        names = ", ".join(dict.fromkeys(prompt.images))
        raise DataError(f"{names}: cannot be read as a picture ({error}); replace the file or drop the problem") from error


def _opened(path: str) -> Image.Image:
    with Image.open(path) as opened:
        return opened.convert("RGB")


def join_pixels(rows: list[list[Rendered]]) -> dict[str, torch.Tensor]:
    """Picture inputs of all rows: those of every prompt in order along their first dimension, other dimensions filled up with
    zeros, which the models skip (pictures of fewer patches in LLaVA-NeXT).

    The Idefics family, known by its pixel_attention_mask, wants one line for each row instead: (B, most pictures in a row, ...)."""
    whole_rows = [[whole(prompt.pixels) for prompt in row] for row in rows]
    names = sorted({name for row in whole_rows for inputs in row for name in inputs})
    by_row = "pixel_attention_mask" in names
    pixels: dict[str, torch.Tensor] = {}
    for name in names:
        parts = [[inputs[name] for inputs in row if name in inputs] for row in whole_rows]
        if by_row:
            example = next(part for row in parts for part in row)
            joined = [_joined([part[0] for part in row]) if row else example[0, :0] for row in parts]
            pixels[name] = _joined([row[None] for row in joined])
        else:
            pixels[name] = _joined([part for row in parts for part in row])
    return pixels


def _joined(parts: list[torch.Tensor]) -> torch.Tensor:
    """`parts` one after the other along the first dimension; the other dimensions are filled up with zeros to the largest."""
    sizes = [max(part.shape[place] for part in parts) for place in range(1, parts[0].ndim)]
    whole = parts[0].new_zeros((sum(len(part) for part in parts), *sizes))
    start = 0
    for part in parts:
        whole[(slice(start, start + len(part)), *(slice(size) for size in part.shape[1:]))] = part
        start += len(part)
    return whole
