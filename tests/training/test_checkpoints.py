"""Resumable state: exact, whole or absent, and refused with a clear error when it is foreign or broken."""

import errno
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny import CPU, Tiny, hardware, largest_gap, weights

from stages.data.files import DataError
from stages.training import checkpoints
from stages.training.batches import TrainingSample, pack
from stages.training.checkpoints import SaveClock, drop_state, load_state, save_state
from stages.training.engine import Engine, optimizer_step, start
from stages.training.loop import mean_token_loss


@pytest.fixture
def samples(tiny: Tiny) -> list[TrainingSample]:
    return tiny.samples(tiny.model())[1:2]


@pytest.fixture
def step(samples: list[TrainingSample]) -> Callable[[Engine], float]:
    batches, loss = pack(samples, 1024, 0), mean_token_loss([0], samples)
    return lambda engine: optimizer_step(engine, batches, loss, 1e-3).loss


def engine(tiny: Tiny, **changed: Any) -> Engine:
    return start(tiny.model(), hardware(**changed), CPU, 1.0)


@pytest.mark.parametrize("zero_stage", [0, 2])
def test_a_state_brings_back_weights_moments_and_random_streams(
    tiny: Tiny, step: Callable[[Engine], float], zero_stage: int, tmp_path: Path
) -> None:
    first = engine(tiny, zero_stage=zero_stage)
    step(first)
    step(first)
    save_state(first, tmp_path / "state", 2, {"success": {"p1": 0.25}})
    numbers = [random.random(), np.random.rand(), float(torch.rand(1))]
    losses = [step(first), step(first)]
    second = engine(tiny, zero_stage=zero_stage)
    assert load_state(second, tmp_path / "state") == (2, {"success": {"p1": 0.25}})
    assert [random.random(), np.random.rand(), float(torch.rand(1))] == numbers
    assert [step(second), step(second)] == losses, "equal to the last bit"
    assert largest_gap(weights(first.model), weights(second.model)) == 0


def states(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_last_two_states_stay(tiny: Tiny, tmp_path: Path) -> None:
    made = engine(tiny)
    assert load_state(made, tmp_path / "state") is None
    for number in (1, 2, 3):
        save_state(made, tmp_path / "state", number, {})
    assert states(tmp_path / "state") == ["step-00000002", "step-00000003"]
    drop_state(tmp_path / "state")
    assert not (tmp_path / "state").exists()


def test_left_overs_of_a_run_killed_while_saving_do_not_matter(tiny: Tiny, tmp_path: Path) -> None:
    made, state = engine(tiny), tmp_path / "state"
    save_state(made, state, 1, {"n": 1})
    (state / ".step-00000002").mkdir()
    (state / ".step-00000002/half").write_text("half")
    assert load_state(made, state) == (1, {"n": 1})
    save_state(made, state, 2, {"n": 2})
    assert load_state(made, state) == (2, {"n": 2})
    assert states(state) == ["step-00000001", "step-00000002"]


def torn_digests(state: Path) -> None:
    path = state / "digests.json"
    path.write_text(path.read_text()[:40])


def digests_of_another_kind(state: Path) -> None:
    (state / "digests.json").write_text("[1]")


def no_digests(state: Path) -> None:
    (state / "digests.json").unlink()


def digests_of_nothing(state: Path) -> None:
    (state / "digests.json").write_text("{}")


def no_weights(state: Path) -> None:
    for path in (state / "state").iterdir():
        path.unlink()


def torn_weights(state: Path) -> None:
    for path in (state / "state").iterdir():
        path.write_bytes(path.read_bytes()[:1000])


def no_streams(state: Path) -> None:
    (state / "random-0.pt").unlink()


def torn_streams(state: Path) -> None:
    (state / "random-0.pt").write_bytes(b"PK")


def one_more_file(state: Path) -> None:
    """DeepSpeed reads whatever has the right name."""
    (state / "state/zero_pp_rank_1_mp_rank_00_optim_states.pt").write_bytes(b"")


def nothing(state: Path) -> None:
    shutil.rmtree(state)
    state.mkdir()


BREAKS = [torn_digests, digests_of_another_kind, no_digests, digests_of_nothing, no_weights, torn_weights]
BREAKS += [no_streams, torn_streams, one_more_file, nothing]


@pytest.mark.parametrize("damage", BREAKS, ids=lambda damage: damage.__name__)
def test_a_damaged_state_is_passed_over_or_refused(
    tiny: Tiny,
    step: Callable[[Engine], float],
    damage: Callable[[Path], None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    made, state = engine(tiny), tmp_path / "state"
    save_state(made, state, 3, {"n": 3})
    good = weights(made.model)
    step(made)
    save_state(made, state, 5, {"n": 5})
    damage(state / "step-00000005")
    assert load_state(made, state) == (3, {"n": 3})
    assert largest_gap(weights(made.model), good) == 0
    (told,) = [line for line in capsys.readouterr().out.splitlines() if "step-00000005" in line]
    assert told.startswith(f"{state}/step-00000005/")
    assert told.endswith("this state is removed, and training goes on from step-00000003")
    assert states(state) == ["step-00000003"]
    damage(state / "step-00000003")
    with pytest.raises(DataError, match=rf"no whole training state \(.*step-00000003/.*delete {state} to start afresh"):
        load_state(made, state)
    assert states(state) == ["step-00000003"], "what cannot be replaced is not removed"


def test_a_state_of_another_model_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    """The folder's key keeps them apart; one that was copied by hand is told, too."""
    from stages.models.loading import load_model, load_processor
    from stages.models.scratch import TinyShape, build_model

    save_state(engine(tiny), tmp_path / "state", 3, {})
    other = build_model(load_processor(tiny.folder).tokenizer, TinyShape(48, 2, 2, 320, 0.09), 1)
    with pytest.raises(DataError, match=r"a broken training state .*size mismatch"):
        load_state(start(other, hardware(), CPU, 1.0), tmp_path / "state")
    assert load_model(tiny.folder, CPU) is not None


@pytest.mark.parametrize("where", ["weights", "streams"])
def test_a_full_disk_leaves_the_last_good_state(tiny: Tiny, where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, state = engine(tiny), tmp_path / "state"
    save_state(made, state, 1, {"n": 1})
    real = torch.save

    def full(value: Any, path: Any, **options: Any) -> None:
        if ("random" in str(path)) == (where == "streams"):
            Path(path).write_bytes(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        real(value, path, **options)

    with monkeypatch.context() as patch:
        patch.setattr("torch.save", full)
        with pytest.raises(DataError, match=r"cannot save the training state .*No space left on device.*free disk space"):
            save_state(made, state, 2, {"n": 2})
    assert states(state) == ["step-00000001"]
    assert load_state(made, state) == (1, {"n": 1})


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_disk_that_is_really_full(tiny: Tiny, tmp_path: Path) -> None:
    import subprocess

    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("this machine mounts no tmpfs")
    try:
        made, state = engine(tiny), disk / "state"
        save_state(made, state, 1, {"n": 1})
        (disk / "filler").write_bytes(b"0" * (shutil.disk_usage(disk).free - 200_000))
        with pytest.raises(DataError, match="cannot save the training state"):
            save_state(made, state, 2, {"n": 2})
        assert load_state(made, state) == (1, {"n": 1})
        (disk / "filler").unlink()
        save_state(made, state, 2, {"n": 2})
        assert load_state(made, state) == (2, {"n": 2})
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def shares(monkeypatch: pytest.MonkeyPatch, every: float, step: float, save: float, steps: int) -> tuple[int, float]:
    """Saves, and the share of the time since the first that they took, in a simulated run of `steps` steps; times in seconds."""
    now, ends = [100.0], list[float]()
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: now[0])

    def write() -> None:
        now[0] += save
        ends.append(now[0])

    clock = SaveClock(every)
    for _ in range(steps):
        now[0] += step
        if clock.due():
            clock.save(write)
    return len(ends), (len(ends) - 1) * save / (now[0] - ends[0])


def test_the_interval_begins_when_a_save_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of 1 s, an interval of 10 s: a save of 0.5 s comes after 10 steps, 20 times in 200. Counted from its start a save of
    10 s would be due again at once."""
    assert shares(monkeypatch, 10.0, 1.0, 0.5, 200)[0] == 20
    now = [0.0]
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: now[0])
    clock = SaveClock(10.0)
    now[0] = 9.9
    assert not clock.due()
    now[0] = 10.0
    assert clock.due()
    clock.save(lambda: now.__setitem__(0, now[0] + 0.4))
    now[0] = 20.3
    assert not clock.due()
    now[0] = 20.4
    assert clock.due()


@pytest.mark.parametrize(
    ("step", "save", "steps"),
    [(2.0, 38.7, 20_000), (30.0, 38.7, 2_000), (180.0, 77.0, 500)],
    ids=["SFT of 7B at 3 GB/s", "SFT, long steps", "RL of 7B at 1.5 GB/s"],
)
def test_saving_takes_a_twentieth_of_the_time(monkeypatch: pytest.MonkeyPatch, step: float, save: float, steps: int) -> None:
    """The state of 7B is 116 GB. With an interval of 60 s by the clock saving took 65% of the time of SFT, and 30% of RL's."""
    saves, share = shares(monkeypatch, 60.0, step, save, steps)
    assert saves > 5
    assert 0.03 < share <= 0.05


def test_a_quick_save_keeps_its_interval_and_zero_saves_after_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    saves, share = shares(monkeypatch, 60.0, 1.0, 0.1, 6000)
    assert (saves, round(share, 4)) == (100, 0.0017)
    assert shares(monkeypatch, 0.0, 1.0, 50.0, 7)[0] == 7
