"""Token ids of rendered templates, in which only the template's own parts are control tokens.

A text that spells none is tokenised with its template as one string: tokens go across the border
between the two as they do where models are trained. Where a text spells one, the same is done by a
copy of the tokenizer to which the template's control tokens have other, unguessable names and for
which their usual names are ordinary text."""

import json
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from tokenizers import AddedToken, Tokenizer

from stages.data.files import DataError
from stages.prompts.template import THINKING, Skeleton

MEDIA = ("image_token", "video_token", "audio_token")
TEXT = Skeleton(("", ""), (0,))
"""A text without a template."""


class Encoder:
    """Encodes for one tokenizer. Control tokens are its special tokens, the added tokens in
    `written`, what the template writes, and the `placeholders` of pictures. Thinking tags are
    none: responses hold them."""

    def __init__(self, tokenizer: Any, written: Iterable[str], placeholders: Iterable[str]) -> None:
        self.tokenizer = tokenizer
        self.placeholders = frozenset(placeholders)
        self._added: dict[int, Any] = tokenizer.added_tokens_decoder
        used = {token for ids in self._ids(list(written)) for token in ids}
        self._controls = {
            number: token
            for number, token in self._added.items()
            if token.content not in THINKING and (token.special or number in used or token.content in self.placeholders)
        }
        self._begins = self._own_beginning()
        self._of_parts = lru_cache(maxsize=1024)(self._controls_of_parts)

    def encode(self, filled: Sequence[tuple[Skeleton, Sequence[str]]]) -> list[tuple[int, ...]]:
        """Token ids of each skeleton with its texts. DataError for a text that the tokenizer cannot
        encode without control tokens."""
        found = self._ids([skeleton.filled(texts) for skeleton, texts in filled])
        return [
            tuple(ids) if self._is_clean(ids, skeleton) else self._guarded(skeleton, texts)
            for ids, (skeleton, texts) in zip(found, filled, strict=True)
        ]

    def begun(self, ids: tuple[int, ...]) -> tuple[int, ...]:
        """`ids` with the token that begins a text (BOS) once, whether the template writes it or the
        tokenizer adds it, and without where neither does."""
        return ids if ids[: len(self._begins)] == self._begins else self._begins + ids

    def is_plain(self, skeleton: Skeleton, texts: Sequence[str]) -> bool:
        """Whether the tokenizer alone, with no token before, gives the ids of the filled skeleton,
        and no text holds a placeholder."""
        (ids,) = self._ids([skeleton.filled(texts)])
        return (
            self._is_clean(ids, skeleton)
            and len(self.begun(tuple(ids))) == len(ids)
            and not any(name in text for text in texts for name in self.placeholders)
        )

    def first_control(self, text: str) -> int | None:
        """The added token with which `text` begins, white space aside; None where it does not."""
        for token in self._ids([text])[0]:
            if token in self._added and self._added[token].content not in THINKING:
                return token
            if self.tokenizer.decode([token]).strip():
                return None
        return None

    def continuations(self, before: str, texts: Sequence[str]) -> list[tuple[int, ...]]:
        """Token ids of each text where it follows `before`, without merges across the border: those
        of the text alone, but for the space with which some tokenizers begin every text."""
        alone = self.encode([(TEXT, [text]) for text in texts])
        if not self._adds_space:
            return alone
        (head,) = self.encode([(Skeleton((before,), ()), [])])
        whole = self.encode([(Skeleton((before, ""), (0,)), [text]) for text in texts])
        return [ids[len(head) :] if ids[: len(head)] == head else other for ids, other in zip(whole, alone, strict=True)]

    def _ids(self, texts: list[str]) -> list[list[int]]:
        if not texts:
            return []
        found: list[list[int]] = self.tokenizer(texts, add_special_tokens=False)["input_ids"]
        return found

    def _own_beginning(self) -> tuple[int, ...]:
        """Ids that the tokenizer adds before a text by itself."""
        alone, completed = self._ids(["a"])[0], self.tokenizer("a")["input_ids"]
        places = range(len(completed) - len(alone) + 1)
        start = next((n for n in places if completed[n : n + len(alone)] == alone), 0)
        return tuple(completed[:start])

    @cached_property
    def _adds_space(self) -> bool:
        first = self.tokenizer.convert_ids_to_tokens(self._ids(["a"])[0])[0]
        return str(first).startswith(("▁", "Ġ"))

    def _controls_of(self, ids: Iterable[int]) -> list[int]:
        return [token for token in ids if token in self._controls]

    def _controls_of_parts(self, parts: tuple[str, ...]) -> list[int]:
        return [token for ids in self._ids(list(parts)) for token in self._controls_of(ids)]

    def _is_clean(self, ids: Iterable[int], skeleton: Skeleton) -> bool:
        return self._controls_of(ids) == self._of_parts(skeleton.parts)

    def _guarded(self, skeleton: Skeleton, texts: Sequence[str]) -> tuple[int, ...]:
        parts = tuple(self._renamed.write(part) for part in skeleton.parts)
        ids = self._renamed.encode(Skeleton(parts, skeleton.order).filled(texts))
        unknown = self.tokenizer.unk_token_id
        wanted = [token for token in self._of_parts(skeleton.parts) if token != unknown]
        if [token for token in self._controls_of(ids) if token != unknown] != wanted:
            raise DataError(
                f"{' '.join(texts)[:80]!r} spells a control token of the model, which its tokenizer "
                "cannot encode as text; leave the row out"
            )
        return ids

    @cached_property
    def _renamed(self) -> "_Renamed":
        backend = getattr(self.tokenizer, "backend_tokenizer", None)
        if not isinstance(backend, Tokenizer):
            raise DataError(
                f"{type(self.tokenizer).__name__} is no fast tokenizer, and a text spells one of its "
                "control tokens; add a tokenizer.json to the checkpoint, or leave such rows out"
            )
        return _Renamed.of(backend, self._controls)


class Texts:
    """A tokenizer for one prompt, as a picture processor calls it: for marks it puts the texts."""

    def __init__(self, encoder: Encoder, texts: Sequence[str]) -> None:
        self._encoder = encoder
        self._texts = texts

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder.tokenizer, name)

    def __call__(self, text: Sequence[str], return_tensors: str | None = None, **options: Any) -> Any:
        """The encoding of `text` (one), whose places (`char_to_token`) are those of the marked text."""
        (marked,) = text
        (ids,) = self._encoder.encode([(Skeleton.of(marked), self._texts)])
        ids = self._encoder.begun(ids)
        found = self._encoder.tokenizer([marked], **options)
        found.data = {"input_ids": [list(ids)], "attention_mask": [[1] * len(ids)]}
        return found.convert_to_tensors(return_tensors)


def placeholders(processor: Any) -> set[str]:
    """What stands for pictures and films in a text that the processor reads."""
    names = {name for name in vars(processor) if name.endswith("_token")}
    found = (getattr(processor, name, None) for name in {*names, *MEDIA})
    return {str(token) for token in found if token}


@dataclass(frozen=True)
class _Renamed:
    """A copy of a tokenizer that knows its control tokens by other names."""

    tokenizer: Tokenizer
    names: dict[str, str]
    """Usual name -> the other one, which no text can hold but by chance (1 in 2^64)."""
    numbers: dict[int, int]
    """Id in the copy -> id in the tokenizer."""
    pattern: re.Pattern[str]

    @classmethod
    def of(cls, backend: Tokenizer, controls: dict[int, Any]) -> "_Renamed":
        """The other names take part in splitting and stripping exactly as the usual ones do."""
        plan = json.loads(backend.to_str())
        plan |= {"truncation": None, "padding": None}
        for token in plan["added_tokens"]:
            token["special"] = token["id"] in controls
        copy = Tokenizer.from_str(json.dumps(plan))
        copy.encode_special_tokens = True
        key = secrets.token_hex(8)
        names = {token.content: f"\ue000{key}:{n}\ue001" for n, token in controls.items()}
        copy.add_tokens([_named(names[token.content], token) for token in controls.values()])
        numbers = {number: n for n, token in controls.items() if (number := copy.token_to_id(names[token.content])) is not None}
        longest = sorted(names, key=len, reverse=True)
        return cls(copy, names, numbers, re.compile("|".join(map(re.escape, longest)) or "(?!)"))

    def write(self, part: str) -> str:
        """A template's part with the other names."""
        return self.pattern.sub(lambda found: self.names[found[0]], part)

    def encode(self, text: str) -> tuple[int, ...]:
        """Token ids, those of the tokenizer itself."""
        ids = self.tokenizer.encode(text, add_special_tokens=False).ids
        return tuple(self.numbers.get(token, token) for token in ids)


def _named(name: str, token: Any) -> AddedToken:
    return AddedToken(
        name,
        single_word=token.single_word,
        lstrip=token.lstrip,
        rstrip=token.rstrip,
        normalized=token.normalized,
        special=False,
    )
