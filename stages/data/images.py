"""Pictures from outside: checked before they are decoded, scaled down to a budget of pixels, written as PNG.

How their pixels are read stands in stages/data/picture_reader.py."""

import hashlib
import math
import os
import struct
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from PIL import Image

from stages.data.files import DataError
from stages.data.picture_reader import rgb

DECODE_FACTOR = 16
"""A picture of more than this many times the budget is not even decoded."""
SAFE_PIXELS = 1 << 26
"""No picture of more pixels than this is opened by the gate, whatever params.yaml allowed."""
MAX_ASPECT = 100
"""Longer side to shorter side at most; image processors of the Qwen2-VL kind refuse 200."""
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error)


class PictureError(DataError):
    """A picture cannot be used; the message says why, without its path."""


def inside(folder: Path, name: str) -> Path:
    """The path of the picture that data call `name`, below `folder`. PictureError where it leaves that folder, by its name or by a
    link on the way; a snapshot in the hub's cache may lead to the files of its own repository, where the hub keeps them."""
    inner, places = PurePosixPath(name), folder.absolute()
    if inner.is_absolute() or ".." in inner.parts or "\0" in name:
        raise PictureError(f"the path {name!r} leaves the folder of its data")
    repository = next((one.parent for one in (places, *places.parents) if one.name == "snapshots"), places)
    home = repository if repository.name.startswith(("datasets--", "models--")) else places
    try:
        end = (folder / inner).resolve()
        left = not end.is_relative_to(home.resolve())
        end.exists()
    except (OSError, RuntimeError) as error:  # a name too long; links in a circle
        raise PictureError(f"the path {name[:80]!r} leads nowhere ({error})") from error
    if left:
        raise PictureError(f"the path {name!r} leaves the folder of its data by a link to {end}; put the picture itself there")
    return folder / inner


def decode(path: Path, max_pixels: int) -> Image.Image:
    """The picture as `rgb` reads it. Raises PictureError when it is missing, broken, of more than
    DECODE_FACTOR * max_pixels pixels (read from the header, nothing is decoded), or narrower than MAX_ASPECT allows."""
    return _read(path, lambda width, height: _check_size(width, height, DECODE_FACTOR * max_pixels))


def opened(path: Path) -> Image.Image:
    """The picture as `rgb` reads it, of any shape: what a model is shown. Raises PictureError when it is missing, broken,
    or so large that Pillow suspects a bomb."""
    return _read(path, lambda _width, _height: None)


def _read(path: Path, check: Callable[[int, int], None]) -> Image.Image:
    """The picture as `rgb` reads it, once `check(width, height)` has let it pass."""
    if not path.is_file():
        raise PictureError("the picture does not exist")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as picture:
                check(*picture.size)
                return rgb(picture)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise PictureError(f"the picture is too large: {error}") from error
    except PictureError:
        raise
    except _BROKEN as error:
        raise PictureError(f"the picture is broken: {type(error).__name__}: {str(error)[:120]}") from error


def normalise(source: Path, target: Path, max_pixels: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Write the picture `source` as an RGB PNG `target` of at most `max_pixels`, which `look` accepts; (width, height) before
    and after.

    Raises PictureError as `decode` does."""
    picture = decode(source, max_pixels)
    before = picture.size
    after = scaled(before, min(max_pixels, SAFE_PIXELS))
    if after != before:
        picture = picture.resize(after, Image.Resampling.LANCZOS)
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    picture.save(beside, format="PNG")
    os.replace(beside, target)
    return before, picture.size


def scaled(size: tuple[int, int], max_pixels: int) -> tuple[int, int]:
    """(width, height) of a picture of `size` in a budget of pixels. Rounding may not make it narrower than MAX_ASPECT: then the
    longer side is cut to MAX_ASPECT times the shorter."""
    width, height = size
    if width * height <= max_pixels:
        return size
    scale = math.sqrt(max_pixels / (width * height))
    width, height = max(1, int(width * scale)), max(1, int(height * scale))
    longest = MAX_ASPECT * min(width, height)
    return min(width, longest), min(height, longest)


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
    pixels = opened(path)
    return hashlib.sha256(repr(pixels.size).encode() + pixels.tobytes()).hexdigest()


def _check_size(width: int, height: int, limit: int) -> None:
    if width * height > limit:
        raise PictureError(f"the picture is too large: {width} x {height} pixels, over {limit}")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise PictureError(f"the picture is too narrow: {width} x {height} pixels, over {MAX_ASPECT} to 1")
