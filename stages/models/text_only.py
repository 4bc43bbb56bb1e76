"""The processor of a text-only model: its tokenizer, called like a multimodal one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from stages.data.files import DataError

TEXT_ONLY = "text-only model"
"""Said wherever something is left out because the model takes no pictures."""


class TextOnlyProcessor:
    """A tokenizer in a processor's place. Chat templates of language models want a turn's content as
    one string, where image-text models take a list of parts."""

    image_processor = None

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer

    def apply_chat_template(self, messages: Sequence[dict[str, Any]], **options: Any) -> Any:
        """The tokenizer's own, each turn's text parts joined to one string. DataError for a picture."""
        flat = [{**message, "content": _text(message["content"])} for message in messages]
        return self.tokenizer.apply_chat_template(flat, **options)

    def save_pretrained(self, folder: Path | str) -> None:
        """Write the tokenizer with its chat template."""
        self.tokenizer.save_pretrained(folder)

    def __call__(self, **_: Any) -> NoReturn:
        raise no_pictures()


def no_pictures() -> DataError:
    """The error for a picture that reaches a text-only model."""
    return DataError(
        f"a prompt with a picture for a {TEXT_ONLY}; leave problems with pictures out, or choose an "
        "image-text model as model.source"
    )


def _text(content: str | Sequence[dict[str, Any]]) -> str:
    if isinstance(content, str):
        return content
    if any(part["type"] != "text" for part in content):
        raise no_pictures()
    return "".join(part["text"] for part in content)
