"""Micro-batches and their pictures are made when they are read, a step ahead in a thread."""

import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from PIL import Image
from tiny import Tiny

from stages.data.files import DataError
from stages.prompts import pixels
from stages.prompts.pixels import Held, kept
from stages.training.ahead import Lazily, one_ahead
from stages.training.batches import pack
from stages.training.samples import demonstration_samples

SECONDS = 20.0


@dataclass
class Made:
    """A thing that notes where it was made."""

    number: int
    cheap: bool
    where: list[str]

    def make(self) -> int:
        self.where.append(threading.current_thread().name)
        return self.number


def test_the_next_one_is_made_in_a_thread() -> None:
    recipes = [Made(number, False, []) for number in range(3)]
    items = Lazily(recipes)
    assert items[0] == 0
    waited = time.monotonic()
    while not recipes[1].where and time.monotonic() < waited + SECONDS:
        time.sleep(0.01)
    assert recipes[0].where == ["MainThread"], "nothing was begun before"
    assert recipes[1].where[0].startswith("ahead")
    assert recipes[2].where == []
    assert (items[1], items[-1], items[:]) == (1, 2, [0, 1, 2])


def test_cheap_ones_are_made_once_and_by_the_caller() -> None:
    recipes = [Made(number, True, []) for number in range(2)]
    items = Lazily(recipes)
    assert [*items, *items] == [0, 1, 0, 1]
    assert [recipe.where for recipe in recipes] == [["MainThread"]] * 2
    with pytest.raises(IndexError):
        items[2]


def test_sequences_are_begun_one_ahead() -> None:
    recipes = [Made(number, False, []) for number in range(3)]
    seen = []
    for name, items in one_ahead((recipe.number, Lazily([recipe])) for recipe in recipes):
        seen.append((name, items[0]))
    assert seen == [(0, 0), (1, 1), (2, 2)]
    assert [recipe.where[0][:5] for recipe in recipes] == ["MainT", "ahead", "ahead"]
    assert [*one_ahead([])] == []


@pytest.fixture
def no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixels, "HELD", 0)
    monkeypatch.setattr(pixels, "_HELD", Held())


@pytest.mark.usefixtures("no_room")
def test_batches_are_those_of_pictures_that_are_kept(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bit for bit, twice, and less than a tenth is held meanwhile."""
    model = tiny.model()
    remade = tiny.samples(model)
    monkeypatch.setattr(pixels, "HELD", 2**30)
    held = tiny.samples(model)
    pictures = [(one.prompt.pixels, other.prompt.pixels) for one, other in zip(held, remade, strict=True) if one.prompt.pixels]
    assert len(pictures) > 10
    assert all(kept(one) and not kept(other) for one, other in pictures)
    bytes_of = [sum(value.nbytes for pair in pictures for value in pair[side]._values.values()) for side in (0, 1)]
    assert bytes_of[1] < bytes_of[0] / 10
    ours, theirs = pack(remade, 500, 0), pack(held, 500, 0)
    assert len(ours) == len(theirs) > 3
    for _ in range(2):
        for one, other in zip(ours, theirs, strict=True):
            assert one.inputs.keys() == other.inputs.keys()
            assert all(torch.equal(one.inputs[name], other.inputs[name]) for name in one.inputs)
            assert torch.equal(one.targets, other.targets)


@pytest.mark.usefixtures("no_room")
def test_a_picture_that_is_gone_is_named(tiny: Tiny, tmp_path: Path) -> None:
    path = str(tmp_path / "there.png")
    Image.new("RGB", (64, 64)).save(path)
    row = next(row for row in tiny.demonstrations() if row.image).model_copy(update={"image": path})
    samples, _ = demonstration_samples([row, row], tiny.renderer(), tiny.model())
    batches = pack(samples, 64, 0)
    batches.begin(1)
    assert batches[0].tokens
    (tmp_path / "there.png").unlink()
    with pytest.raises(DataError, match=r"there\.png: cannot be read as a picture"):
        pack(samples, 10_000, 0)[0]
