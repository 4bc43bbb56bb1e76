"""One reading of a picture for training, evaluation and endpoints: golden pixels of every kind of file."""

import base64
import io

import numpy
import pytest
from PIL import Image, ImageDraw, ImageOps

from stages.data.images import MAX_ASPECT, PictureError, decode, look, normalise, opened, pixel_digest
from stages.prompts.messages import data_url
from stages.prompts.prompt import Prompt
from stages.prompts.render import pictures

WHITE, BLACK, RED, CYAN = (255, 255, 255), (0, 0, 0), (255, 0, 0), (0, 255, 255)


def grey_ramp(dtype, step):
    """Of shape (4, 256): 256 levels from left to right, `step` apart."""
    return numpy.tile(numpy.arange(256) * step, (4, 1)).astype(dtype)


def saved(path, picture, **how):
    picture.save(path, **how)
    return path


def cornered():
    picture = Image.new("RGB", (24, 16), "white")
    ImageDraw.Draw(picture).rectangle((0, 0, 11, 7), fill="red")
    return picture


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tiff"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_stands_as_viewers_show_it(name, orientation, tmp_path):
    exif = Image.Exif()
    exif[274] = orientation
    path = saved(tmp_path / name, cornered(), exif=exif)
    found = decode(path, 65536)
    assert found.size == ((24, 16) if orientation < 5 else (16, 24)), "5 to 8 lie on their side"
    red = {1: (2, 2), 2: (-3, 2), 3: (-3, -3), 4: (2, -3), 5: (2, 2), 6: (-3, 2), 7: (-3, -3), 8: (2, -3)}[orientation]
    place = tuple(at % size for at, size in zip(red, found.size, strict=True))
    assert numpy.abs(numpy.subtract(found.getpixel(place), RED)).max() < 40, "the red corner, JPEG's error allowed for"
    with Image.open(path) as plain:
        assert numpy.array_equal(numpy.asarray(ImageOps.exif_transpose(plain).convert("RGB")), numpy.asarray(found))


def test_exif_data_that_nobody_can_read_is_no_reason_to_refuse(tmp_path):
    path = saved(tmp_path / "a.jpg", cornered(), exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert decode(path, 65536).size == (24, 16)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("words.png", grey_ramp(numpy.uint16, 257)),
        ("words.tiff", grey_ramp(numpy.uint16, 257)),
        ("long.tiff", grey_ramp(numpy.int32, 257)),
        ("bytes.tiff", grey_ramp(numpy.int32, 1)),
        ("unit.tiff", grey_ramp(numpy.float32, 1 / 255)),
        ("bytes_as_floats.tiff", grey_ramp(numpy.float32, 1)),
        ("words_as_floats.tiff", grey_ramp(numpy.float32, 257)),
        ("signed.tiff", grey_ramp(numpy.float32, 2) - 255),
        ("large.tiff", grey_ramp(numpy.int32, 1 << 20)),
    ],
)
def test_greys_of_more_than_eight_bits_keep_all_levels(name, values, tmp_path):
    found = numpy.asarray(decode(saved(tmp_path / name, Image.fromarray(values)), 65536))
    assert found.shape == (4, 256, 3)
    assert numpy.array_equal(found[0, :, 0], numpy.arange(256))
    assert numpy.array_equal(found[..., 0], found[..., 2])


def test_greys_that_are_no_numbers_are_refused(tmp_path):
    values = grey_ramp(numpy.float32, 1)
    values[0, 0] = numpy.nan
    with pytest.raises(PictureError, match="no number"):
        decode(saved(tmp_path / "a.tiff", Image.fromarray(values)), 65536)


def test_an_even_dark_picture_of_sixteen_bits_stays_dark(tmp_path):
    values = numpy.full((4, 4), 200, numpy.uint16)
    assert decode(saved(tmp_path / "a.png", Image.fromarray(values)), 64).getpixel((0, 0)) == BLACK, "200 of 65535"


def transparent(mode):
    """Left half black and opaque, right half transparent (and black below)."""
    picture = Image.new("RGBA", (8, 4), (0, 0, 0, 0))
    picture.paste((0, 0, 0, 255), (0, 0, 4, 4))
    return picture.convert(mode)


def palette():
    picture = Image.new("P", (8, 4), 1)
    picture.putpalette([*BLACK, *RED])
    picture.paste(0, (0, 0, 4, 4))
    return picture


SEE_THROUGH = {
    "rgba.png": (transparent("RGBA"), {}),
    "la.png": (transparent("LA"), {}),
    "rgba.webp": (transparent("RGBA"), {"lossless": True}),
    "palette_index.png": (palette(), {"transparency": 1}),
    "palette_table.png": (palette(), {"transparency": bytes([255, 0])}),
    "palette.gif": (palette(), {"transparency": 1}),
    "grey_key.png": (Image.fromarray(numpy.repeat([[0] * 4 + [9] * 4], 4, 0).astype(numpy.uint8)), {"transparency": 9}),
    "word_key.png": (Image.fromarray(numpy.repeat([[0] * 4 + [900] * 4], 4, 0).astype(numpy.uint16)), {"transparency": 900}),
}


@pytest.mark.parametrize("name", SEE_THROUGH)
def test_transparency_is_white_for_training_evaluation_and_endpoints(name, tmp_path):
    picture, how = SEE_THROUGH[name]
    path = saved(tmp_path / name, picture, **how)
    sent = Image.open(io.BytesIO(base64.b64decode(data_url(str(path)).partition(",")[2])))
    assert sent.mode == "RGB", "nothing is left to the endpoint's reader"
    for found in (decode(path, 64), *pictures(Prompt("Which?", str(path))), sent):
        assert (found.getpixel((0, 0)), found.getpixel((7, 3))) == (BLACK, WHITE)


@pytest.mark.parametrize(
    ("name", "picture", "pixel"),
    [
        ("cyan.jpg", Image.new("CMYK", (8, 8), (255, 0, 0, 0)), CYAN),
        ("key.tiff", Image.new("CMYK", (8, 8), (0, 0, 0, 255)), BLACK),
        ("paper.tiff", Image.new("CMYK", (8, 8), (0, 0, 0, 0)), WHITE),
        ("bit.png", Image.new("1", (8, 8), 1), WHITE),
        ("palette.png", palette(), BLACK),
        ("half.png", Image.new("RGBA", (8, 8), (255, 0, 0, 128)), (255, 127, 127)),
    ],
)
def test_other_modes(name, picture, pixel, tmp_path):
    found = opened(saved(tmp_path / name, picture))
    assert found.mode == "RGB"
    assert numpy.abs(numpy.subtract(found.getpixel((0, 0)), pixel)).max() <= 2


def test_the_first_frame_of_several_is_shown_and_sent(tmp_path):
    path = tmp_path / "a.gif"
    Image.new("RGB", (4, 4), "red").save(path, save_all=True, append_images=[Image.new("RGB", (4, 4), "blue")])
    assert opened(path).getpixel((0, 0)) == RED
    assert data_url(str(path)).startswith("data:image/png;")


def test_a_turned_photograph_is_sent_upright_and_a_plain_one_as_it_is(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    turned, plain = saved(tmp_path / "a.jpg", cornered(), exif=exif), saved(tmp_path / "b.jpg", cornered())
    sent = Image.open(io.BytesIO(base64.b64decode(data_url(str(turned)).partition(",")[2])))
    assert sent.size == (16, 24)
    assert data_url(str(plain)) == f"data:image/jpeg;base64,{base64.b64encode(plain.read_bytes()).decode()}"


@pytest.mark.parametrize(
    ("size", "budget"),
    [
        ((10, 1000), 4096),
        ((100, 10000), 65536),
        ((9, 900), 4096),
        ((5, 500), 1024),
        ((1000, 10), 4096),
        ((7, 699), 1),
        ((3, 300), 899),
    ],
)
def test_what_collect_writes_passes_the_gate_of_curate(size, budget, tmp_path):
    before, after = normalise(
        saved(tmp_path / "a.png", Image.new("RGB", size)), tmp_path / "b.png", max(budget, -(-size[0] * size[1] // 16))
    )
    seen = look(tmp_path / "b.png")
    assert before == size
    assert (seen.fault, seen.mode) == (None, "RGB")
    assert seen.aspect <= MAX_ASPECT
    assert after[0] * after[1] <= max(budget, -(-size[0] * size[1] // 16))


def test_equal_pixels_are_equal_in_any_file(tmp_path):
    exif = Image.Exif()
    exif[274] = 3
    one = saved(tmp_path / "a.png", cornered())
    other = saved(tmp_path / "b.png", cornered().rotate(180), exif=exif)
    assert pixel_digest(one) == pixel_digest(other)
