"""`k15 doctor --measure` on a tiny model: rates that can be, kept where `k15 plan` finds them."""

from pathlib import Path
from typing import Any

import pytest
import tiny as tinies
from tiny import Tiny
from toy_repository import Toy

from flows import measuring
from stages.run.params import parsed


def test_the_rates_of_a_tiny_model(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "SECONDS", 0.05)
    monkeypatch.setattr(measuring, "SIDE", {"cpu": 128})
    monkeypatch.setattr(measuring, "WRITTEN", 2**20)
    params = parsed(tinies.params(hardware__micro_batch_tokens=320, hardware__generation_batch=4))
    found = measuring.measure(params, tiny.folder, "tiny", tmp_path)
    assert (found.model, found.device, found.dtype, found.rows) == ("tiny", "cpu", "float32", 4)
    assert found.weights == sum(weight.numel() for weight in tiny.model().parameters())
    assert 1e6 < found.matmul < 1e13
    assert 1e5 < found.disk < 1e11
    assert 1 < found.generated < 1e6
    assert 1 < found.trained < 1e6
    assert list(tmp_path.iterdir()) == []


def test_a_rate_is_the_amount_over_the_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls of 2 s each by a clock of our own: three until 5 s have passed, one before is not counted."""
    now = [0.0]
    calls: list[Any] = []
    monkeypatch.setattr(measuring, "SECONDS", 5.0)
    monkeypatch.setattr(measuring.time, "monotonic", lambda: now[0])

    def call() -> None:
        calls.append(None)
        now[0] += 2.0

    assert measuring._rate(10.0, call) == pytest.approx(30 / 6)
    assert len(calls) == 4


def test_model_without_measure_is_a_mistake(toy: Toy) -> None:
    done = toy.call("-m", "flows.k15", "doctor", "--model", "x")
    assert done.returncode == 2
    assert done.stderr.startswith("error: --model and --preset say what --measure measures with")
