"""Errors that name the rank and what it was doing; the time-out of collective operations."""

import datetime

import pytest

from stages.data.files import DataError
from stages.run.ranks import COLLECTIVE_MINUTES, collective_time_out, during, where


def failing() -> None:
    with during("rl iteration 3"):
        try:
            with during("validation"):
                raise KeyError("caught")
        except KeyError:
            pass
        with during("gradient reduction"):
            raise RuntimeError("Timed out")


def test_an_error_is_noted_where_it_came_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(RuntimeError, match="Timed out") as caught, during("stage"):
        failing()
    assert caught.value.__notes__ == ["rank 1 of 2, stage, rl iteration 3, gradient reduction"]
    assert where(caught.value) == "rank 1 of 2, stage, rl iteration 3, gradient reduction"
    assert where(RuntimeError()) == ""


def test_the_time_out_is_ten_minutes_unless_the_environment_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(COLLECTIVE_MINUTES, raising=False)
    assert collective_time_out() == datetime.timedelta(minutes=10)
    monkeypatch.setenv(COLLECTIVE_MINUTES, "0.5")
    assert collective_time_out() == datetime.timedelta(seconds=30)
    for wrong in ("0", "-1", "nan", "inf", "ten", ""):
        monkeypatch.setenv(COLLECTIVE_MINUTES, wrong)
        with pytest.raises(DataError, match=f"{COLLECTIVE_MINUTES}={wrong}: expected a number of minutes above 0"):
            collective_time_out()
