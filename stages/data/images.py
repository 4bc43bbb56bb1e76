"""Pictures from outside: checked before they are decoded, brought to one form (RGB, PNG), scaled down to a budget of
pixels."""

import hashlib
import math
import os
import struct
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from stages.data.files import DataError

DECODE_FACTOR = 16
"""A picture of more than this many times the budget is not even decoded."""
SAFE_PIXELS = 1 << 26
"""No picture of more pixels than this is opened by the gate, whatever params.yaml allowed."""
MAX_ASPECT = 100
"""Longer side to shorter side at most; image processors of the Qwen2-VL kind refuse 200."""
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error)


class PictureError(DataError):
    """A picture cannot be used; the message says why, without its path."""


def decode(path: Path, max_pixels: int) -> Image.Image:
    """The picture in RGB, fully decoded, transparency on white. Raises PictureError when it is missing, broken, of
    more than DECODE_FACTOR * max_pixels pixels (read from the header, nothing is decoded), or narrower than
    MAX_ASPECT allows."""
    if not path.is_file():
        raise PictureError("the picture does not exist")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as picture:
                _check_size(*picture.size, DECODE_FACTOR * max_pixels)
                return _rgb(picture)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise PictureError(f"the picture is too large: {error}") from error
    except PictureError:
        raise
    except _BROKEN as error:
        raise PictureError(f"the picture is broken: {type(error).__name__}: {str(error)[:120]}") from error


def normalise(source: Path, target: Path, max_pixels: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Write the picture `source` as an RGB PNG `target` of at most `max_pixels`; (width, height) before and after.

    Raises PictureError as `decode` does."""
    picture = decode(source, max_pixels)
    before = picture.size
    if before[0] * before[1] > max_pixels:
        scale = math.sqrt(max_pixels / (before[0] * before[1]))
        after = max(1, int(before[0] * scale)), max(1, int(before[1] * scale))
        picture = picture.resize(after, Image.Resampling.LANCZOS)
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    picture.save(beside, format="PNG")
    os.replace(beside, target)
    return before, picture.size


@dataclass(frozen=True)
class Look:
    """What a picture's file holds."""

    fault: str | None
    """Why it cannot be used for training; then the rest is unknown."""
    mode: str | None = None
    """As stored, before any conversion: "RGB" of what collect wrote."""
    pixels: float = math.nan
    aspect: float = math.nan
    """Longer side over shorter side."""


def look(path: Path) -> Look:
    """A picture that an earlier stage wrote, fully decoded."""
    reason = fault(path)
    if reason is not None:
        return Look(reason)
    with Image.open(path) as picture:
        width, height = picture.size
        return Look(None, picture.mode, width * height, max(width, height) / min(width, height))


def fault(path: Path) -> str | None:
    """Why a picture that an earlier stage wrote cannot be used for training, or None."""
    try:
        decode(path, SAFE_PIXELS // DECODE_FACTOR)
    except PictureError as error:
        return str(error)
    return None


def pixel_digest(path: Path) -> str:
    """SHA-256 of a normalised picture's size and pixels: equal pictures in differently compressed files are equal."""
    with Image.open(path) as picture:
        pixels = picture.convert("RGB")
    return hashlib.sha256(repr(pixels.size).encode() + pixels.tobytes()).hexdigest()


def _check_size(width: int, height: int, limit: int) -> None:
    if width * height > limit:
        raise PictureError(f"the picture is too large: {width} x {height} pixels, over {limit}")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise PictureError(f"the picture is too narrow: {width} x {height} pixels, over {MAX_ASPECT} to 1")


def _rgb(picture: Image.Image) -> Image.Image:
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        paper = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(paper, picture).convert("RGB")
    return picture.convert("RGB")
