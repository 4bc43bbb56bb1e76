"""Pictures from outside never crash a stage and never pass unseen."""

import contextlib
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from stages.data.images import PictureError, decode, fault, normalise, pixel_digest


def png(path, size=(40, 20), color="red"):
    Image.new("RGB", size, color).save(path)
    return path


def test_a_picture_within_the_budget_keeps_its_pixels(tmp_path):
    source = png(tmp_path / "a.png")
    assert normalise(source, tmp_path / "out" / "a.png", 800) == ((40, 20), (40, 20))
    assert pixel_digest(source) == pixel_digest(tmp_path / "out" / "a.png")


def test_a_larger_one_is_scaled_to_the_budget_in_its_own_shape(tmp_path):
    before, after = normalise(png(tmp_path / "a.png", (400, 100)), tmp_path / "b.png", 10_000)
    assert before == (400, 100)
    assert after == (200, 50)


def test_transparency_becomes_white(tmp_path):
    Image.new("RGBA", (4, 4), (255, 0, 0, 0)).save(tmp_path / "a.png")
    assert decode(tmp_path / "a.png", 100).getpixel((0, 0)) == (255, 255, 255)


def test_grey_and_palette_pictures_become_rgb(tmp_path):
    for mode in ("L", "P", "1", "LA"):
        Image.new(mode, (4, 4)).save(tmp_path / "a.png")
        assert decode(tmp_path / "a.png", 100).mode == "RGB"


def test_a_decompression_bomb_is_refused_by_its_header(tmp_path):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0))
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", b"") + chunk(b"IEND", b""))
    for budget in (1_000, 1 << 40):
        with pytest.raises(PictureError, match="too large"):
            decode(tmp_path / "bomb.png", budget)
    assert "too large" in fault(tmp_path / "bomb.png")


def test_only_sixteen_times_the_budget_is_decoded(tmp_path):
    assert decode(png(tmp_path / "a.png", (160, 100)), 1_000).size == (160, 100)
    with pytest.raises(PictureError, match="too large: 161 x 100 pixels, over 16000"):
        decode(png(tmp_path / "b.png", (161, 100)), 1_000)


def test_a_thread_of_a_picture_is_refused(tmp_path):
    with pytest.raises(PictureError, match="too narrow: 500 x 1"):
        decode(png(tmp_path / "a.png", (500, 1)), 10_000)


def test_missing_folder_and_text_are_no_pictures(tmp_path):
    (tmp_path / "a.png").write_text("not a picture")
    assert "broken" in fault(tmp_path / "a.png")
    assert "does not exist" in fault(tmp_path / "b.png")
    assert "does not exist" in fault(tmp_path)
    assert fault(png(tmp_path / "c.png")) is None


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(0, 2000), flip=st.integers(0, 2000), kind=st.sampled_from(["PNG", "JPEG", "GIF", "BMP"]))
def test_damaged_files_raise_nothing_but_picture_errors(tmp_path_factory, cut, flip, kind):
    folder = tmp_path_factory.mktemp("damage")
    path = folder / "a"
    Image.effect_noise((30, 20), 50).convert("RGB").save(path, format=kind)
    data = bytearray(path.read_bytes())
    data[flip % len(data)] ^= 0xFF
    path.write_bytes(data[: len(data) - cut % len(data)])
    with contextlib.suppress(PictureError):
        assert decode(path, 10_000).mode == "RGB"
