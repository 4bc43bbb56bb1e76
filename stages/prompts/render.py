"""A prompt becomes token ids and pixels by the checkpoint's own chat template and processor."""

from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from stages.data.files import DataError
from stages.data.images import PictureError, opened
from stages.prompts.encoder import Encoder, Texts, placeholders
from stages.prompts.pixels import Inputs, Remade, whole
from stages.prompts.prompt import Picture, Prompt
from stages.prompts.template import ONE_TEXT, ChatTemplate, Skeleton, after_opening, split
from stages.run.params import Model

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

    def __init__(
        self,
        processor: Any,
        instruction: str,
        context: int,
        system: str | None = None,
        thinking: bool | None = None,
    ) -> None:
        self.processor = processor
        self.instruction = instruction
        self.context = context
        self.chat = ChatTemplate(processor, system, thinking)

    @classmethod
    def of(cls, processor: Any, model: Model, context: int | None = None) -> "Renderer":
        """As params.yaml says; `context` in the place of model.context."""
        context = model.context if context is None else context
        return cls(processor, model.instruction, context, model.system, model.thinking)

    @cached_property
    def encoder(self) -> Encoder:
        """Made at the first prompt. DataError for a template that training could not use."""
        written = [*self.chat.around_answer, *self.chat.prompt(ONE_TEXT).parts]
        return Encoder(self.processor.tokenizer, written, placeholders(self.processor))

    @cached_property
    def turn_end(self) -> int:
        """The token with which the template ends an answer: what training writes behind a response.
        DataError where it ends with none."""
        after = self.chat.around_answer[1]
        found = self.encoder.first_control(after)
        if found is None:
            raise DataError(
                f"{self.chat.name} ends an answer with {after[:40]!r}, which begins with no token of its own, so "
                "that a response would not end; set model.chat_template to a Jinja file that writes one"
            )
        return found

    def check(self) -> None:
        """Try the template: DataError, which says what to set, where prompts cannot be rendered or responses would not end."""
        self.render([Prompt("What is 1 + 1?", None)], room=None)
        self.responses(["2"])

    def render(self, prompts: Sequence[Prompt], room: int | None = 1, remade: bool = False) -> list[Rendered]:
        """Prompts in order; if they may be `remade`, pictures that are too many to keep are made
        again when they are read. DataError when one leaves less than `room` tokens of the context
        for its response (None: of any length, for callers that leave out the long ones)."""
        asked = [self._asked(prompt) for prompt in prompts]
        plain = [index for index, prompt in enumerate(prompts) if not prompt.images]
        encoded = self.encoder.encode([asked[index] for index in plain]) if plain else []
        rendered = {index: Rendered(self.encoder.begun(ids), {}, {}) for index, ids in zip(plain, encoded, strict=True)}
        for index, prompt in enumerate(prompts):
            if prompt.images:
                rendered[index] = self._pictured(asked[index], prompt)
                if remade:
                    rendered[index] = self._remade(rendered[index], asked[index], prompt)
            if room is not None and len(rendered[index].token_ids) + room > self.context:
                raise DataError(
                    f"prompt of {len(rendered[index].token_ids)} tokens leaves less than {room} of model.context = {self.context} "
                    f"for the response: {prompt.question[:80]!r}; raise model.context, shorten the prompt or use smaller pictures"
                )
        return [rendered[index] for index in range(len(prompts))]

    def template(self, prompt: Prompt) -> str:
        """The prompt in the checkpoint's chat template, the assistant's turn opened."""
        skeleton, texts = self._asked(prompt)
        return skeleton.filled(texts)

    def unexpanded(self, prompt: Prompt) -> tuple[int, ...]:
        """Token ids of a prompt in which each picture is the template's one placeholder."""
        (ids,) = self.encoder.encode([self._asked(prompt)])
        return self.encoder.begun(ids)

    def responses(self, texts: Sequence[str]) -> list[tuple[int, ...]]:
        """Token ids of written responses as training reads them, the end of the turn included. Where
        the template opens the thinking part, a response that begins with it goes on there, and one
        without closes it at once."""
        opening = self.chat.opening
        before = self.chat.prompt(ONE_TEXT).parts[-1]
        followed = [self.chat.lead + (after_opening(text) if opening else text) for text in texts]
        found = self.encoder.continuations(before, followed)
        return [(*ids, self.turn_end) for ids in found]

    def response_text(self, token_ids: Sequence[int], ends: Container[int]) -> str:
        """Text of a response's tokens, end tokens left out. It begins with the thinking tag also
        where the template has written that, so that who reads it sees a thought without an end."""
        kept = [token for token in token_ids if token not in ends]
        return self.chat.opening + str(self.processor.tokenizer.decode(kept, skip_special_tokens=False))

    def _asked(self, prompt: Prompt) -> tuple[Skeleton, list[str]]:
        pieces = [None if isinstance(part, Picture) else split(part) for part in prompt.turn(self.instruction)]
        shape = tuple(None if piece is None else (piece[0], bool(piece[1]), piece[2]) for piece in pieces)
        texts = [piece[1] for piece in pieces if piece is not None and piece[1]]
        skeleton, texts = self.chat.prompt(shape), [*self.chat.fixed, *texts]
        return self._begun(skeleton, texts, prompt.begun) if prompt.begun else (skeleton, texts)

    def _begun(self, skeleton: Skeleton, texts: list[str], response: str) -> tuple[Skeleton, list[str]]:
        """With the beginning of a response behind the opened turn; where the template opens the
        thinking part, that is closed first, as `responses` does it."""
        parts = (*skeleton.parts[:-1], skeleton.parts[-1] + self.chat.lead, "")
        begun = after_opening(response) if self.chat.opening else response
        return Skeleton(parts, (*skeleton.order, len(texts))), [*texts, begun]

    def _pictured(self, asked: tuple[Skeleton, list[str]], prompt: Prompt) -> Rendered:
        with _readable(prompt):
            return self._with_pictures(asked, pictures(prompt))

    def _with_pictures(self, asked: tuple[Skeleton, list[str]], images: list[Image.Image]) -> Rendered:
        """By the processor as it is, or where a text would lead it astray, by a copy of it that
        reads marks in the places of texts."""
        skeleton, texts = asked
        if self.encoder.is_plain(skeleton, texts):
            return self.picture(skeleton.filled(texts), *images)
        processor = copy(self.processor)
        processor.tokenizer = Texts(self.encoder, texts)
        return _rendered(processor, skeleton.marked, images)

    def _remade(self, made: Rendered, asked: tuple[Skeleton, list[str]], prompt: Prompt) -> Rendered:
        return replace(made, pixels=Remade(made.pixels, lambda: self._pictured(asked, prompt).pixels))

    def picture(self, text: str, *pictures: Image.Image) -> Rendered:
        """One already templated text with its pictures, in the order of their places in it."""
        return _rendered(self.processor, text, list(pictures))

    def blank(self) -> Rendered:
        """The smallest prompt with a picture: what ranks that hold only text run the vision tower on."""
        return self._with_pictures(self._asked(Prompt("", "", "")), [Image.new("RGB", (64, 64))])


def _rendered(processor: Any, text: str, images: list[Image.Image]) -> Rendered:
    out = processor(text=[text], images=[images], return_tensors="pt", add_special_tokens=False)
    per_token = {name: out[name][0] for name in PER_TOKEN if name in out}
    pixels = {name: value for name, value in out.items() if name not in (*PER_TOKEN, "input_ids", "attention_mask")}
    return Rendered(tuple(out["input_ids"][0].tolist()), per_token, pixels)


def pictures(prompt: Prompt) -> list[Image.Image]:
    """The prompt's pictures in the order of their places in its turn."""
    with _readable(prompt):
        return [opened(Path(part.path)) for part in prompt.turn("") if isinstance(part, Picture)]


@contextmanager
def _readable(prompt: Prompt) -> Iterator[None]:
    """Errors of reading the pictures as a DataError that names them."""
    try:
        yield
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        if isinstance(error, DataError) and not isinstance(error, PictureError):
            raise
        names = ", ".join(dict.fromkeys(prompt.images))
        raise DataError(f"{names}: cannot be read as a picture ({error}); replace the file or drop the problem") from error


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
