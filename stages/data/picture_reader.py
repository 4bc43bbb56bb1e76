"""The one reading of a picture's pixels: as viewers show it, in RGB of 8 bits, for training, evaluation and endpoints alike."""

import struct
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageOps

if TYPE_CHECKING:
    import numpy

_ORIENTATION = 274
"""EXIF 2.3, tag 0x0112: 1 is upright."""
_UPRIGHT = 1
_PLAIN = frozenset({"1", "L", "P", "RGB"})
_ALPHA = frozenset({"RGBA", "LA", "PA", "RGBa", "La"})
_BYTE, _WORD = 255, 65535


def rgb(picture: Image.Image) -> Image.Image:
    """A copy of an open picture in RGB: turned as its EXIF orientation says, the first frame of several, transparency on white,
    greys of more than 8 bits scaled to 8 (`_levels`), CMYK by Pillow's rule (255 - ink, the key taken off).

    Raises what Pillow raises for a broken picture, and ValueError for a grey that is no number and for a mode without RGB."""
    picture.load()
    transparent = picture.info.get("transparency")
    picture = _turned(picture)
    if picture.mode.startswith("I") or picture.mode == "F":
        return _from_greys(picture, transparent if isinstance(transparent, int) else None)
    if picture.mode not in _ALPHA and transparent is None:
        return picture.convert("RGB")
    for mode in ("RGBA",) if picture.mode != "La" else ("LA", "RGBA"):  # Pillow has no way from La to RGBA at once
        picture = picture.convert(mode)
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")


def plain(picture: Image.Image) -> bool:
    """Whether any viewer shows an open picture as `rgb` does: upright, opaque, of 8 bits, one frame."""
    opaque = picture.mode in _PLAIN and "transparency" not in picture.info
    return opaque and getattr(picture, "n_frames", 1) == 1 and _orientation(picture) == _UPRIGHT


def _orientation(picture: Image.Image) -> int:
    """The EXIF tag; 1 where there is none, or EXIF data that nobody can read."""
    try:
        return int(picture.getexif().get(_ORIENTATION, _UPRIGHT))
    except (OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, struct.error):
        return _UPRIGHT


def _turned(picture: Image.Image) -> Image.Image:
    return picture if _orientation(picture) == _UPRIGHT else ImageOps.exif_transpose(picture)


def _from_greys(picture: Image.Image, transparent: int | None) -> Image.Image:
    """A grey of 16 or 32 bits or of floats; where it has the value `transparent`, white."""
    import numpy

    values = numpy.asarray(picture)
    levels = _levels(values, words=picture.mode.startswith("I;16"))
    if transparent is not None:
        levels = numpy.where(values == transparent, _BYTE, levels)
    return Image.fromarray(levels.astype(numpy.uint8)).convert("RGB")


def _levels(values: "numpy.ndarray[Any, Any]", words: bool) -> "numpy.ndarray[Any, Any]":
    """Greys from 0 to 255. Black is 0; white is 65535 in `words`, else, as no file says it, the least of 1 (floats), 255 and 65535
    that no value is over. Values below 0 or above 65535 are stretched from the least to the largest."""
    import numpy

    if not numpy.isfinite(values).all():
        raise ValueError("a grey of the picture is no number")
    low, high = float(values.min()), float(values.max())
    if words or (low >= 0 and _BYTE < high <= _WORD):
        return values.astype(numpy.int64) >> 8
    if low < 0 or high > _WORD:
        return (values.astype(numpy.float64) - low) * (_BYTE / (high - low)) if high > low else numpy.zeros(values.shape)
    white = 1 if numpy.issubdtype(values.dtype, numpy.floating) and high <= 1 else _BYTE
    return numpy.rint(values.astype(numpy.float64) * (_BYTE / white))
