"""Which checkpoint of RL long2short RL starts from: kept ones, and the rule by hand."""

import json
from pathlib import Path

import pytest
from tiny import CPU, Tiny, hardware

from stages.data.files import DataError
from stages.models.loading import load_model, load_processor
from stages.policy.candidates import Candidates, balanced
from stages.training.engine import start


def candidate(checkpoint: Path, iteration: int, accuracy: float, tokens: float) -> None:
    folder = checkpoint / f"candidates/iteration-{iteration:06d}"
    folder.mkdir(parents=True)
    values = {"iteration": iteration, "accuracy": accuracy, "mean_tokens": tokens, "problems": 100}
    (folder / "candidate.json").write_text(json.dumps(values))


def test_without_candidates_it_is_the_checkpoint_itself(tmp_path: Path) -> None:
    assert balanced(tmp_path) == tmp_path


def test_the_shortest_within_one_standard_error_of_the_best(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The best has 0.80 of 100 problems: sqrt(0.8 * 0.2 / 100) = 0.04, so that 0.76 counts as equal and 0.75 does not."""
    candidate(tmp_path, 6, 0.75, 40.0)
    candidate(tmp_path, 9, 0.77, 50.0)
    candidate(tmp_path, 12, 0.80, 70.0)
    candidate(tmp_path, 15, 0.79, 60.0)
    assert balanced(tmp_path).name == "iteration-000009"
    told = (
        "starts from iteration 9: accuracy 0.770 at 50.0 tokens, the shortest of 4 candidates within one standard error (0.040) of"
    )
    assert capsys.readouterr().out == f"{told} the best, 0.800\n"
    candidate(tmp_path, 18, 0.77, 50.0)
    assert balanced(tmp_path).name == "iteration-000018", "of equals the later one, which had more training"


def test_a_broken_candidate_is_named(tmp_path: Path) -> None:
    candidate(tmp_path, 3, 1.5, 40.0)
    with pytest.raises(DataError, match=r"iteration-000003/candidate.json: Input should be less than or equal to 1; run `dvc"):
        balanced(tmp_path)


def test_the_last_ones_are_kept_and_handed_over_as_checkpoints(tiny: Tiny, tmp_path: Path) -> None:
    trainer = start(tiny.model(), hardware(), CPU, 1.0)
    kept = Candidates(trainer, load_processor(tiny.folder), tmp_path / "state", 2, 12)
    for iteration in (0, 3, 6):
        kept.keep(iteration, {"validation_accuracy": 0.5, "validation_mean_tokens": 10.0 + iteration})
    kept.keep(9, {})
    kept.hand_over(tmp_path / "out")
    assert [path.name for path in sorted((tmp_path / "out/candidates").iterdir())] == ["iteration-000003", "iteration-000006"]
    folder = balanced(tmp_path / "out")
    assert folder.name == "iteration-000003"
    assert sum(p.numel() for p in load_model(folder, CPU).parameters()) == sum(p.numel() for p in trainer.model.parameters())


def test_candidates_need_a_validation(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="candidates = 2 of this phase of rl, and no validation problem to choose by"):
        Candidates(None, None, tmp_path, 2, 0)  # type: ignore[arg-type]


def test_none_are_kept_by_default(tiny: Tiny, tmp_path: Path) -> None:
    trainer = start(tiny.model(), hardware(), CPU, 1.0)
    kept = Candidates(trainer, load_processor(tiny.folder), tmp_path / "state", 0, 12)
    kept.keep(3, {"validation_accuracy": 0.5, "validation_mean_tokens": 10.0})
    kept.hand_over(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
