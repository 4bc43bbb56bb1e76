"""Power cuts and flipped bits: whatever the disk holds, training goes on from a whole state, or says that there is none.

K15_POWER_CUTS (random disks after each call) and K15_BIT_FLIPS make the tests longer; K15_TEST_SEED repeats one."""

import os
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from power_cuts import Cut, Recorder
from tiny import CPU, ROOT, Tiny, hardware

from flows import overrides
from stages.data.files import DataError, append_lines, write_text
from stages.training import checkpoints
from stages.training.batches import pack
from stages.training.checkpoints import load_state, save_state
from stages.training.engine import Engine, optimizer_step, start
from stages.training.loop import mean_token_loss

SEED = int(os.environ.get("K15_TEST_SEED") or random.randrange(1 << 30))
VARIANTS = int(os.environ.get("K15_POWER_CUTS") or 3)
FLIPS = int(os.environ.get("K15_BIT_FLIPS") or 30)
SAVES = 4
STATE = "artifacts/state/sft-long/key"


@dataclass
class Run:
    """A training of SAVES steps; each is saved, and what it was then is known."""

    engine: Engine
    step: Callable[[], None]
    known: dict[int, list[torch.Tensor]]

    def go(self, state: Path, saved: Callable[[int], None] = lambda _: None) -> None:
        for number in range(1, SAVES + 1):
            self.step()
            self.known[number] = moment(self.engine)
            save_state(self.engine, state, number, {"n": number})
            saved(number)

    def resumed(self, state: Path) -> int:
        """The step that training goes on from, 0 for none; everything is as it was then."""
        found = load_state(self.engine, state)
        if found is None:
            return 0
        step, extra = found
        assert extra == {"n": step}
        assert all(torch.equal(left, right) for left, right in zip(moment(self.engine), self.known[step], strict=True))
        return step


def moment(engine: Engine) -> list[torch.Tensor]:
    """Weights, moments of AdamW, and the random stream."""
    optimizer = engine.deepspeed.optimizer
    parts = [value for group in optimizer.state.values() for value in group.values() if isinstance(value, torch.Tensor)]
    weights = [value.detach().clone() for value in engine.model.parameters()]
    return [*weights, *(part.clone() for part in parts), torch.get_rng_state()]


@pytest.fixture
def run(tiny: Tiny) -> Run:
    engine = start(tiny.model(), hardware(), CPU, 1.0)
    samples = tiny.samples(tiny.model())[1:2]
    batches, loss = pack(samples, 1024, 0), mean_token_loss([0], samples)

    def step() -> None:
        torch.rand(1)
        optimizer_step(engine, batches, loss, 1e-3)

    return Run(engine, step, {})


def recorded(run: Run, tmp_path: Path) -> list[Cut]:
    """Possible disks after a power cut at any moment of all saves."""
    disk = tmp_path / "disk"
    disk.mkdir()
    recorder = Recorder(disk, VARIANTS, SEED, returned=0)
    with recorder.recording():
        run.go(disk / STATE, lambda number: setattr(recorder, "returned", number))
    return recorder.cuts


def lost(run: Run, cuts: list[Cut], tmp_path: Path) -> Iterator[str]:
    """Cuts after which training does not go on from the state that was saved last, or the one in
    the making."""
    for number, cut in enumerate(cuts):
        place = tmp_path / f"cut{number}"
        cut.put(place)
        try:
            step = run.resumed(place / STATE)
        except DataError as error:
            yield f"K15_TEST_SEED={SEED}: {cut.call}: {error}"
        else:
            if step not in (cut.returned, cut.returned + 1):
                yield f"K15_TEST_SEED={SEED}: {cut.call}: {step} after {cut.returned}"
        shutil.rmtree(place)


def test_a_power_cut_at_any_moment_leaves_a_whole_state(run: Run, tmp_path: Path) -> None:
    cuts = recorded(run, tmp_path)
    assert list(lost(run, cuts, tmp_path)) == []
    assert len(cuts) >= 100
    print(f"{len(cuts)} power cuts, none lost (K15_TEST_SEED={SEED})")


BREAKS: dict[str, Callable[..., Any]] = {
    "no fsync of files": lambda beside, place: (os.replace(beside, place), checkpoints.sync(place.parent)),
    "no fsync of the folder": lambda beside, place: (checkpoints.sync_tree(beside), os.replace(beside, place)),
}


@pytest.mark.parametrize("name", BREAKS)
def test_the_replay_finds_what_is_not_synced(run: Run, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from stages.data import files

    for function in ("sync", "sync_tree"):
        monkeypatch.setattr(checkpoints, function, getattr(files, function), raising=False)
    monkeypatch.setattr(checkpoints, "put_in_place", BREAKS[name])
    assert next(lost(run, recorded(run, tmp_path), tmp_path))


def test_a_flipped_bit_is_noticed_or_harmless(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Half of the bits fall into files drawn evenly, half into files drawn by their size."""
    chance, state = random.Random(SEED), tmp_path / "state"
    run.go(state)
    files = sorted(path for path in (state / f"step-{SAVES:08d}").rglob("*") if path.is_file())
    sizes, noticed = [path.stat().st_size for path in files], 0
    for number in range(FLIPS):
        copy = tmp_path / "copy"
        shutil.copytree(state, copy)
        path = chance.choice(files) if number % 2 else chance.choices(files, sizes)[0]
        bit = chance.randrange(8 * path.stat().st_size)
        broken = bytearray(path.read_bytes())
        broken[bit // 8] ^= 1 << bit % 8
        (copy / path.relative_to(state)).write_bytes(broken)
        assert run.resumed(copy) in (SAVES - 1, SAVES), f"K15_TEST_SEED={SEED}: bit {bit} of {path.name}"
        noticed += not (copy / f"step-{SAVES:08d}").exists()
        shutil.rmtree(copy)
    capsys.readouterr()
    print(f"{FLIPS} bits flipped in {len(files)} files, {noticed} noticed (K15_TEST_SEED={SEED})")
    assert noticed == FLIPS


Writer = Callable[[Path, int], None]


def appended(path: Path, number: int) -> None:
    append_lines(path, f"line {number}\n".encode() * 3)


def replaced(path: Path, number: int) -> None:
    write_text(path, f"line {number}\n" * 3)


def small_cuts(write: Writer, name: str, tmp_path: Path) -> list[tuple[int, Path]]:
    disk = tmp_path / "disk"
    disk.mkdir()
    recorder = Recorder(disk, 8, SEED, returned=0)
    with recorder.recording():
        for number in (1, 2, 3):
            write(disk / name, number)
            recorder.returned = number
    found = []
    for number, cut in enumerate(recorder.cuts):
        cut.put(tmp_path / f"cut{number}")
        found.append((cut.returned, tmp_path / f"cut{number}" / name))
    return found


def test_a_file_is_the_old_or_the_new_one(tmp_path: Path) -> None:
    cuts = small_cuts(replaced, "deep/er/file", tmp_path)
    assert len(cuts) > 10
    for returned, path in cuts:
        content = path.read_text() if path.exists() else ""
        assert content in ([f"line {number}\n" * 3 for number in (returned, returned + 1) if number] + [""] * (not returned))


def test_an_appended_file_keeps_what_was_there(tmp_path: Path) -> None:
    cuts = small_cuts(appended, "deep/er/journal", tmp_path)
    assert len(cuts) > 5
    for returned, path in cuts:
        sure = "".join(f"line {number}\n" * 3 for number in range(1, returned + 1))
        assert (path.read_text() if path.exists() else "").startswith(sure)


def test_params_yaml_is_the_old_or_the_new_one(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    shutil.copy(ROOT / "params.yaml", disk)
    old = (disk / "params.yaml").read_text()
    recorder = Recorder(disk, 8, SEED, returned=False)
    with recorder.recording():
        overrides.apply({"seed": 4321}, disk / "params.yaml")
        recorder.returned = True
    new = (disk / "params.yaml").read_text()
    assert yaml.safe_load(new)["seed"] == 4321
    texts = [(cut.returned, (cut.tree["params.yaml"] or b"").decode()) for cut in recorder.cuts]
    assert len(texts) > 3
    assert all(text == new or (text == old and not returned) for returned, text in texts)
