"""A prompt as the messages of a chat-completions request, pictures in it as data URLs."""

import base64
import io
from pathlib import Path
from typing import Any

from PIL import Image

from stages.data.files import DataError
from stages.data.picture_reader import plain, rgb
from stages.prompts.prompt import Picture, Prompt

SENT_AS_THEY_ARE = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "GIF": "image/gif"}
"""Formats that endpoints read. A picture in any other, or one that a reader could show otherwise than training and evaluation do
(turned, transparent, of more than 8 bits), is sent as PNG of the pixels that they see."""


def messages(prompt: Prompt) -> list[dict[str, Any]]:
    """One user message: plain text, or parts where there are pictures. DataError names a picture that cannot be read."""
    assert not prompt.begun, "an endpoint begins its responses itself"
    turn = prompt.turn("")
    if not prompt.images:
        return [{"role": "user", "content": "".join(map(str, turn))}]
    parts = [
        {"type": "image_url", "image_url": {"url": data_url(part.path)}}
        if isinstance(part, Picture)
        else {"type": "text", "text": part}
        for part in turn
    ]
    return [{"role": "user", "content": parts}]


def data_url(path: str) -> str:
    """The picture as data:TYPE;base64,CONTENT (RFC 2397)."""
    try:
        content = Path(path).read_bytes()
        with Image.open(io.BytesIO(content)) as picture:
            picture.load()
            kind = SENT_AS_THEY_ARE.get(picture.format or "") if plain(picture) else None
            if kind is None:
                kind, content = "image/png", _png(picture)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: cannot be read as a picture ({error}); replace the file or drop the problem") from error
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    rgb(picture).save(out, "PNG")
    return out.getvalue()
