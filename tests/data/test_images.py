"""Pictures from outside never crash a stage and never pass unseen."""

import contextlib
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from stages.data.images import PictureError, decode, fault, inside, normalise, pixel_digest


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


def linked(root: Path) -> Path:
    """A folder of data with links of every kind, and what they lead to."""
    (root / "outside/deep").mkdir(parents=True)
    (root / "data/sub").mkdir(parents=True)
    for path in (root / "outside/a.png", root / "outside/deep/a.png", root / "data/a.png", root / "data/sub/a.png"):
        Image.new("RGB", (8, 8)).save(path)
    links = {
        "file.png": root / "outside/a.png", "folder": root / "outside", "relative.png": Path("../outside/a.png"),
        "twice.png": Path("file.png"), "sub/up": Path("../.."), "proc": Path("/proc/self"), "gone.png": root / "outside/none.png",
        "loop.png": Path("loop.png"), "good.png": Path("sub/a.png"), "sub/back.png": Path("../a.png"), "here": Path("."),
    }  # fmt: skip
    for name, target in links.items():
        (root / "data" / name).symlink_to(target)
    (root / "entry").symlink_to("data")
    return root / "data"


LEAVING = ["file.png", "folder/a.png", "folder/deep/a.png", "relative.png", "twice.png", "sub/up/outside/a.png", "proc/environ",
           "gone.png", "loop.png", "../outside/a.png", "sub/../../outside/a.png", "/etc/passwd", "a\0.png", "x" * 5000]  # fmt: skip


@pytest.mark.parametrize("name", LEAVING)
def test_a_name_that_leaves_the_folder_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(PictureError, match=r"leaves the folder of its data|leads nowhere"):
        inside(linked(tmp_path), name)


@pytest.mark.parametrize(
    "name", ["a.png", "sub/a.png", "good.png", "sub/back.png", "here/a.png", "here/here/sub/a.png", "none.png"]
)
def test_links_within_the_folder_and_to_it_are_followed(name: str, tmp_path: Path) -> None:
    folder = linked(tmp_path)
    assert inside(folder, name) == folder / name
    assert inside(tmp_path / "entry", name) == tmp_path / "entry" / name


def test_a_snapshot_of_the_hub_leads_into_its_own_cache(tmp_path: Path) -> None:
    snapshot = tmp_path / "hub/datasets--a--b/snapshots/123"
    snapshot.mkdir(parents=True)
    (snapshot.parents[1] / "blobs").mkdir()
    (snapshot / "a.png").symlink_to("../../blobs/0f")
    (snapshot / "b.png").symlink_to("../../../datasets--c--d/blobs/0f")
    assert inside(snapshot, "a.png") == snapshot / "a.png"
    with pytest.raises(PictureError, match="by a link"):
        inside(snapshot, "b.png")
