"""Pictures that are made again when they are read."""

from typing import Any

import pytest
import torch

from stages.prompts import pixels
from stages.prompts.pixels import SMALL, Held, Remade, kept, whole

LARGE = SMALL + 4


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Held:
    """Room for two pictures."""
    monkeypatch.setattr(pixels, "HELD", 2 * LARGE)
    found = Held()
    monkeypatch.setattr(pixels, "_HELD", found)
    return found


def picture(calls: list[int]) -> Remade:
    def make() -> dict[str, torch.Tensor]:
        calls.append(1)
        return {"pixel_values": torch.ones(LARGE // 4), "image_grid_thw": torch.tensor([[1, 2, 3]])}

    return Remade(make(), make)


def test_the_first_are_kept_the_others_made_when_they_are_read(room: Held) -> None:
    calls: list[int] = []
    found = [picture(calls) for _ in range(3)]
    assert [kept(one) for one in found] == [True, True, False]
    assert [len(one) for one in found] == [2, 2, 2]
    calls.clear()
    assert all(one["image_grid_thw"].tolist() == [[1, 2, 3]] for one in found)
    assert calls == [], "grids are kept"
    for one in found:
        assert torch.equal(whole(one)["pixel_values"], torch.ones(LARGE // 4))
        assert dict(one).keys() == {"pixel_values", "image_grid_thw"}
    assert calls, "the third was made"
    assert room.bytes == 2 * LARGE


def test_what_goes_makes_room(room: Held) -> None:
    calls: list[int] = []
    found: list[Any] = [picture(calls) for _ in range(3)]
    del found[0]
    assert room.bytes == LARGE
    assert kept(picture(calls))


def test_plain_inputs_are_as_they_are() -> None:
    plain = {"pixel_values": torch.ones(3)}
    assert whole(plain) is plain
    assert kept({})
