"""Seconds, tokens and money of stages, worked by hand, and the rates of this machine kept between calls."""

from pathlib import Path
from typing import Any

import pytest
from toy_repository import PROJECT

from flows import measured_rates, workload
from flows.architecture import Model
from flows.costs import cost_of, duration, table
from flows.machine import GIB, Gpu, Machine
from flows.measured_rates import CORE, MFU, PEAKS, Measured, Rates, keep, rates_of
from flows.plan import changed
from flows.workload import Work, of_stage
from stages.run.params import Hardware, Params, load, parsed

CPU = Machine(2, 16 * GIB, (), 100 * GIB)
MODEL = Model(1_000_000, "test", layers=4)
RATES = Rates(operations=6e9, tokens=50.0, disk=1e6, source="test")


@pytest.fixture(autouse=True)
def no_measurements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.fixture(scope="module")
def params() -> Params:
    return load(PROJECT / "params.yaml")


def hardware(**changed: Any) -> Hardware:
    return load(PROJECT / "params.yaml").hardware.model_copy(update=changed)


def test_seconds_by_hand() -> None:
    """6 x 1e6 x 2000 / 6e9 = 2 s, 2 x 1e6 x 3000 / 6e9 = 1 s, 100 / 50 = 2 s, 4 bytes a weight at 1 MB/s = 4 s."""
    work = Work(trained=2000, generated=100, read=3000, saved=1)
    assert cost_of("x", work, MODEL, hardware(), RATES, 4).seconds == pytest.approx(2 + 1 + 2 + 4)
    two = cost_of("x", work, MODEL, hardware(processes=2, gradient_checkpointing=True), RATES, 4)
    assert two.seconds == pytest.approx((2 * 4 / 3 + 1 + 2) / 2 + 4)


def test_the_price_is_that_of_all_gpus() -> None:
    costs = [cost_of("rl@long", Work(generated=50 * 3600), MODEL, hardware(), RATES, 4)]
    assert table(costs, gpus=8, price=2.5) == [
        "rl@long     1.0 h, 180.0k tokens generated, 20.00",
        "all         1.0 h, 180.0k tokens generated, 20.00",
    ]


def test_work_of_reinforcement_learning(params: Params) -> None:
    """24 iterations of 256 responses of 80 tokens at prompts of 64; 2 passes and a reference; 8 validations of 192 problems."""
    work = of_stage("rl@long", params)
    assert work.trained == pytest.approx((2 + 1 / 3) * 24 * 256 * (64 + 80))
    assert work.generated == pytest.approx((24 * 256 + 8 * 192) * 80)
    assert work.saved == 1


def test_a_phase_that_is_off_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)
    off = parsed(changed(PROJECT, dict.fromkeys(("sft.short", "sft.long", "sft.shortest", "sft.merged_rs", "rl.short", "dpo"))))
    for name in ("sft@short", "sft@long", "rl@short", "dpo", "collect", "report"):
        assert of_stage(name, off) == Work()
    assert of_stage("rl@long", off).trained


def test_counted_demonstrations_replace_the_expected(params: Params, tmp_path: Path) -> None:
    path = tmp_path / workload.SETS["short"]
    path.parent.mkdir(parents=True)
    path.write_text("{}\n" * 10)
    assert of_stage("sft@short", params, tmp_path).trained == 3 * 10 * (64 + 80)


def test_without_a_measurement_the_assumption_is_named() -> None:
    rates = rates_of(MODEL, hardware(), CPU, False, "float32")
    assert rates.operations == 2 * CORE
    assert rates.source.startswith("assumed: 70 GFLOP/s a core")
    assert "--measure" in rates.source
    h200 = Machine(16, GIB, (Gpu("NVIDIA H200", 140 * GIB),), GIB)
    assert rates_of(MODEL, hardware(), h200, True, "bfloat16").operations == MFU * PEAKS["H200"]
    unnamed = Machine(16, GIB, (Gpu("assumed, 80 GiB", 80 * GIB),), GIB, assumed=True)
    assert "A100" in rates_of(MODEL, hardware(), unnamed, True, "bfloat16").source


def measured(**changed: Any) -> Measured:
    fields = {"model": "m", "weights": 1_000_000, "device": "cpu", "dtype": "float32", "engine": "transformers"}
    return Measured(**{**fields, "matmul": 1e9, "trained": 1000.0, "generated": 200.0, "rows": 8, "disk": 5e8, **changed})


def test_measured_rates_are_kept_by_machine_and_the_nearest_model_counts() -> None:
    keep(measured(), CPU)
    keep(measured(model="large", weights=100_000_000, trained=10.0), CPU)
    path = keep(measured(trained=2000.0), CPU)  # in the place of the first
    assert len(measured_rates.kept(CPU)) == 2
    rates = rates_of(MODEL, hardware(), CPU, False, "float32")
    assert (rates.operations, rates.tokens, rates.disk) == (6e6 * 2000, 200.0, 5e8)
    assert rates.source == "measured here with m (1,000,000 weights)"
    twice = rates_of(Model(2_000_000, "test"), hardware(), CPU, False, "float32")
    assert (twice.operations, twice.tokens) == (6e6 * 2000, 100.0)
    assert "scaled" in twice.source
    assert "large" in rates_of(Model(90_000_000, "test"), hardware(), CPU, False, "float32").source
    assert rates_of(MODEL, hardware(), CPU, False, "bfloat16").source.startswith("assumed")
    assert rates_of(MODEL, hardware(), Machine(3, GIB, (), GIB), False, "float32").source.startswith("assumed")
    path.write_text("[{}]")
    assert measured_rates.kept(CPU) == []


@pytest.mark.parametrize("seconds, text", [(0.4, "0 s"), (59, "59 s"), (90, "1.5 min"), (5400, "1.5 h"), (130_000, "1.5 d")])
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
