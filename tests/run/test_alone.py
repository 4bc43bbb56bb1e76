"""Which rank a process takes itself for."""

import os

import pytest

from stages.run import ranks


def test_alone_is_one_of_one_and_afterwards_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "3")
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.delenv("MASTER_PORT", raising=False)
    with ranks.alone():
        assert (ranks.rank(), ranks.world_size(), os.environ["LOCAL_RANK"]) == (0, 1, "1")
        assert int(os.environ["MASTER_PORT"]) > 0
    assert (ranks.rank(), ranks.world_size(), os.environ["LOCAL_RANK"]) == (3, 4, "1")
    assert "MASTER_PORT" not in os.environ
