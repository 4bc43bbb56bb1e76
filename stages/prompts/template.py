"""What a checkpoint's chat template writes around texts, found out by rendering it with marks in the place of the texts.

Templates differ by model and not by architecture, so nothing here goes by a model's name."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

from jinja2 import TemplateError

from stages.data.files import DataError
from stages.prompts.bounded import bounded

THINKING = ("<think>", "</think>")
"""Tags of the thinking part. They are written by models too, so that in data they are what the tokenizer makes of them."""
_OPENED = re.compile(re.escape(THINKING[0]) + r"\s*$")
_THOUGHT = re.compile(rf"{THINKING[0]}\s*({THINKING[1]})?\s*$")
_MARK = re.compile("\ue000([0-9]+)\ue001")
_CLOCK = (
    "{%- macro strftime_now(format) -%}{{ "
    "{'%Y-%m-%d': '2024-07-26', '%d %B %Y': '26 July 2024'}.get(format, '26 Jul 2024')"
    " }}{%- endmacro +%}"
)
"""The clock of templates that write the date, stopped at the day that Llama 3.1 and 3.2 fall back to:
with that of today, prompts would differ from day to day."""
_LISTED = ("{'type'", "'text':")
"""How a list of parts looks where a template prints it as it is."""
SET = "set model.chat_template to a Jinja file that does"

Shape = tuple[tuple[str, bool, str] | None, ...]
"""A turn without its texts. Of each text: the white space before it, whether there is more, and the
white space behind (templates may strip both); None for a picture."""
ONE_TEXT: Shape = (("", True, ""),)
_FAILURES = (
    TemplateError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)


def mark(number: int) -> str:
    """What stands for text `number` in a rendered template: private-use characters, which templates neither write nor strip."""
    return f"\ue000{number}\ue001"


@dataclass(frozen=True)
class Skeleton:
    """A rendered template without the texts: `parts`, with text `order[n]` between part n and part n + 1."""

    parts: tuple[str, ...]
    order: tuple[int, ...]

    @classmethod
    def of(cls, rendered: str) -> "Skeleton":
        """From a rendering with marks."""
        pieces = _MARK.split(rendered)
        return cls(tuple(pieces[::2]), tuple(map(int, pieces[1::2])))

    @property
    def marked(self) -> str:
        """The rendering with marks."""
        return self.filled({number: mark(number) for number in self.order})

    def filled(self, texts: Sequence[str] | dict[int, str]) -> str:
        """The rendering with `texts` in the places of their marks."""
        pairs = zip(self.order, self.parts[1:], strict=True)
        return "".join([self.parts[0], *(piece for number, part in pairs for piece in (texts[number], part))])


def split(text: str) -> tuple[str, str, str]:
    """White space before, the text, and white space behind; all of a blank text stands before."""
    core = text.strip()
    start = text.find(core) if core else len(text)
    return text[:start], core, text[start + len(core) :]


def after_opening(response: str) -> str:
    """A response as it goes on where the template has opened the thinking part: there if it begins
    with one, after the thought's end otherwise."""
    begun = response.lstrip()
    if begun.startswith(THINKING[0]):
        return begun.removeprefix(THINKING[0]).removeprefix("\n")
    return response if THINKING[1] in response else f"{THINKING[1]}\n\n{response}"


def use_template(processor: Any, file: Path) -> None:
    """Put the Jinja file in the place of a processor's chat template. DataError when it cannot be read."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"model.chat_template: {file} cannot be read ({error}); correct the path") from error
    processor.chat_template = text
    processor.tokenizer.chat_template = text


class ChatTemplateError(DataError):
    """Jinja cannot render the template, or the template refuses what it is given; `reason` says why."""

    def __init__(self, name: str, error: Exception) -> None:
        self.reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        super().__init__(f"{name} fails ({self.reason}); {SET} not")


class ChatTemplate:
    """The chat template of a processor, with the optional system turn and the switch for thinking
    (None: as the template does by itself). Every method raises DataError where the template fails
    or cannot do what is asked; the message names the checkpoint and says what to set."""

    def __init__(self, processor: Any, system: str | None, thinking: bool | None) -> None:
        self.processor = processor
        self.thinking = thinking
        self._system = None if system is None else split(system)
        self.fixed = [] if self._system is None else [self._system[1]]
        """Texts that stand before the user's: that of the system turn, without white space around."""
        self.name = f"the chat template of {processor.tokenizer.name_or_path or 'the checkpoint'}"
        self._forms: dict[str, bool] = {}
        self._skeletons: dict[Shape, Skeleton] = {}

    def prompt(self, shape: Shape) -> Skeleton:
        """One user turn of this shape with the assistant's turn opened. Its texts are `fixed`, then
        those of the shape, all without the white space around them."""
        if shape not in self._skeletons:
            self._skeletons[shape] = self._checked(shape)
        return self._skeletons[shape]

    @cached_property
    def opening(self) -> str:
        """The thinking tag with which the template itself opens a response; "" where it does not."""
        found = _OPENED.search(self.prompt(ONE_TEXT).parts[-1])
        return found[0] if found else ""

    @cached_property
    def around_answer(self) -> tuple[str, str]:
        """What the template writes before the answer to a question (`mark`s for texts) and after it.
        DataError where nothing opens the assistant's turn when asked to, which would leave that to
        the model."""
        number = len(self.fixed) + 1
        before, _, after = self._turns(ONE_TEXT, False, mark(number)).rpartition(mark(number))
        asked = self.prompt(ONE_TEXT).marked
        rest = before.removeprefix(asked)
        if asked == self._turns(ONE_TEXT, False) and rest != before and _THOUGHT.sub("", rest).strip():
            raise DataError(
                f"{self.name} has no generation prompt: {rest!r} stands before an answer, but "
                f"add_generation_prompt does not write it; {SET}"
            )
        return before, after

    @cached_property
    def lead(self) -> str:
        """White space that the template writes between an opened turn and the answer."""
        before = self.around_answer[0]
        rest = before.removeprefix(self.prompt(ONE_TEXT).marked)
        return rest if rest != before and not rest.strip() else ""

    def _checked(self, shape: Shape) -> Skeleton:
        texts = tuple(part for part in shape if part is not None)
        try:
            rendered = self._turns(shape, True)
        except ChatTemplateError as error:
            if None not in shape:
                raise
            raise DataError(f"{self.name} takes no picture ({error.reason}); leave out pictures, or {SET}") from error
        if None in shape and rendered == self._turns(texts, True):
            raise DataError(f"{self.name} has no place for a picture; leave out pictures, or {SET}")
        found = Skeleton.of(rendered)
        written = [*map(bool, self.fixed), *(part[1] for part in texts if part[1])]
        if set(found.order) != {number for number, there in enumerate(written) if there}:
            raise DataError(f"{self.name} leaves out a text of the user's turn; {SET} not")
        return found

    def _turns(self, shape: Shape, opened: bool, answer: str | None = None) -> str:
        """The system turn, the user's of this shape, and the answer, as the template writes them."""
        turns: list[tuple[str, list[str | None]]] = [("user", _marked(shape, len(self.fixed)))]
        if self._system is not None:
            before, core, after = self._system
            turns.insert(0, ("system", [f"{before}{mark(0) if core else ''}{after}"]))
        if answer is not None:
            turns.append(("assistant", [answer]))
        return self._write([self._turn(role, parts) for role, parts in turns], opened, self._options)

    def _turn(self, role: str, parts: Sequence[str | None]) -> dict[str, Any]:
        """A turn with its content as one string where it has no picture and the template takes one
        of this role, as a list of parts otherwise."""
        if role not in self._forms:
            self._forms[role] = self._takes_string(role)
        return _turn(role, parts, self._forms[role])

    def _takes_string(self, role: str) -> bool:
        reason = "its text is left out"
        for plain in (True, False):
            own = _turn(role, [mark(0)], plain)
            asked = own if role == "user" else self._turn("user", [mark(1)])
            turns = {"system": [own, asked], "user": [own], "assistant": [asked, own]}[role]
            try:
                found = self._write(turns, role != "assistant", {})
            except ChatTemplateError as error:
                reason = error.reason
                continue
            if mark(0) in found and not any(sign in found for sign in _LISTED):
                return plain
        other = "set model.system to null, or " if role == "system" else ""
        raise DataError(f"{self.name} does not write a turn of the {role} ({reason}); {other}{SET}")

    @cached_property
    def _options(self) -> dict[str, Any]:
        """Variables beside the messages: the switch, by the names in use."""
        if self.thinking is None:
            return {}
        turns = [self._turn("user", [mark(0)])]
        options = {on: {"enable_thinking": on, "thinking": on} for on in (True, False)}
        if self._write(turns, True, options[True]) == self._write(turns, True, options[False]):
            raise DataError(f"{self.name} has no switch for thinking; set model.thinking to null")
        return options[self.thinking]

    def _write(self, turns: list[dict[str, Any]], opened: bool, options: dict[str, Any]) -> str:
        processor = self.processor
        template = getattr(processor, "chat_template", None) or processor.tokenizer.chat_template
        if not template:
            raise DataError(f"{self.name} is missing (a base model?); set model.chat_template to a Jinja file with one")
        options = {name: value for name, value in options.items() if name in str(template)}
        if isinstance(template, str) and "strftime_now" in template:
            options["chat_template"] = _CLOCK + template
        try:
            with bounded():
                return str(processor.apply_chat_template(turns, tokenize=False, add_generation_prompt=opened, **options))
        except DataError:
            raise
        except _FAILURES as error:
            raise ChatTemplateError(self.name, error) from error


def _marked(shape: Shape, first: int) -> list[str | None]:
    """The shape's parts, texts as marks numbered from `first` on."""
    numbers = count(first)
    return [None if part is None else f"{part[0]}{mark(next(numbers)) if part[1] else ''}{part[2]}" for part in shape]


def _turn(role: str, parts: Sequence[str | None], plain: bool) -> dict[str, Any]:
    if plain and None not in parts:
        return {"role": role, "content": "".join(part or "" for part in parts)}
    listed = [{"type": "image"} if part is None else {"type": "text", "text": part} for part in parts or [""]]
    return {"role": role, "content": listed}
