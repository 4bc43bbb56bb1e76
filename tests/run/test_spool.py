"""The spool: what a reader sees, what a resumed run drops, the CSV."""

import json
from pathlib import Path

import pytest

from stages.run.spool import Spool, stage_spool


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    made = Spool(tmp_path / "deep/metrics.jsonl")
    for step in range(4):
        made.log(step, {"loss": 4.0 - step} | ({"accuracy": 0.5} if step == 2 else {}))
        made.log_speed(step, {"tokens_per_second": 100.0})
        made.progress(step + 1, 4, "steps")
    return made


def test_rows_are_metrics_only(spool: Spool) -> None:
    assert [(row["step"], row["loss"]) for row in spool.rows()] == [(0, 4.0), (1, 3.0), (2, 2.0), (3, 1.0)]
    kinds = [set(json.loads(line)) for line in spool.path.read_text().splitlines()[:3]]
    assert kinds == [{"step", "time", "loss"}, {"step", "time", "speed"}, {"time", "progress"}]


@pytest.mark.parametrize(
    "half", ['{"step": 4, "ti', '{"time": 1.0, "progress": {"done": 4, "total": 4}', '{"step": 4, "x": {"a": 1}']
)
def test_a_half_line_of_a_killed_writer_is_no_row(spool: Spool, half: str) -> None:
    with spool.path.open("a") as file:
        file.write(half)
    assert [row["step"] for row in spool.rows()] == [0, 1, 2, 3]
    spool.restore(spool.rows()[:3])
    spool.log(3, {"loss": 0.5})
    assert [(row["step"], row["loss"]) for row in spool.rows()] == [(0, 4.0), (1, 3.0), (2, 2.0), (3, 0.5)]
    assert spool.path.read_text().endswith("\n")


def test_restoring_is_whole_or_absent(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is killed while it restores loses nothing: the file changes by a rename."""

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    before = spool.path.read_text()
    monkeypatch.setattr("os.replace", killed)
    with pytest.raises(KeyboardInterrupt):
        spool.restore(spool.rows()[:2])
    assert spool.path.read_text() == before


def test_the_csv_has_no_times_and_no_speeds(spool: Spool, tmp_path: Path) -> None:
    spool.write_csv(tmp_path / "curves/loss.csv", "iteration")
    assert (tmp_path / "curves/loss.csv").read_text().splitlines() == [
        "iteration,accuracy,loss",
        "0,,4.0",
        "1,,3.0",
        "2,0.5,2.0",
        "3,,1.0",
    ]
    assert [path.name for path in (tmp_path / "curves").iterdir()] == ["loss.csv"], "nothing beside it"


def test_a_launcher_chooses_the_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("K15_SPOOL", raising=False)
    assert stage_spool("sft@long").path == Path("artifacts/spool/sft@long.jsonl")
    monkeypatch.setenv("K15_SPOOL", str(tmp_path / "there.jsonl"))
    assert stage_spool("sft@long").path == tmp_path / "there.jsonl"


def test_a_half_line_is_ended_before_the_next_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a power cut leaves it; a stage that restores nothing must not lose its next row in it."""
    monkeypatch.setenv("K15_SPOOL", str(tmp_path / "spool.jsonl"))
    for half in ('{"step": 0, "ti', ""):
        (tmp_path / "spool.jsonl").write_text(half)
        for step in (1, 2):
            stage_spool("evaluate").log(step, {"accuracy": 0.5})
        assert [row["step"] for row in stage_spool("evaluate").rows()] == [1, 2]


def test_an_empty_spool_has_no_rows(tmp_path: Path) -> None:
    assert Spool(tmp_path / "none.jsonl").rows() == []
