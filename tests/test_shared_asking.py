"""curate and sample on two ranks: what the model answers is shared out, and what comes out is that of one rank, byte for byte."""

import sys
from pathlib import Path

import pytest
from programs import ended, ranks
from tiny import Tiny, write_params

from stages.data.files import write_records
from stages.data.records import CuratedProblem
from stages.problems.procedural import generate

PROBLEMS = 280


def project(tiny: Tiny, folder: Path) -> Path:
    """A folder with the model, parameters, and more problems than a chunk holds."""
    folder.mkdir()
    rules = {"samples": 2, "guesses": 1, "guess_probe": 0.2, "min_rows": 2, "max_dropped_share": 1.0, "limits": {}}
    drawing = {"prompts": 150, "samples": 2, "max_tokens": 12, "min_length_ratio": 1.0}
    write_params(
        folder,
        **{f"curate__{name}": value for name, value in rules.items()},
        **{f"sample__{name}": value for name, value in drawing.items()},
        evaluate__root="nothing",
    )
    (folder / "model").symlink_to(tiny.folder)
    (folder / "nothing").mkdir()
    problems = [generate("word_problem", split, count, 0, folder) for split, count in (("train", PROBLEMS), ("heldout", 2))]
    write_records(folder / "problems/train.jsonl", problems[0])
    write_records(folder / "problems/heldout.jsonl", problems[1])
    write_records(folder / "problems/validation.jsonl", [])
    write_records(folder / "prompts.jsonl", [CuratedProblem(**row.model_dump(), pass_rate=0.5) for row in problems[0]])
    return folder


def curate() -> None:
    from stages import curate as stage
    from stages.run.program import run

    sys.argv = ["curate", "--problems", "problems", "--model", "model", "--out", "out", "--report", "report", "--docs", "docs"]
    run(stage.main)


def sample() -> None:
    """The random model is never right: here a response is, by its length."""
    from stages import sample as stage
    from stages.long2short import sampling
    from stages.run.program import run
    from stages.verifiers.claims import Verdict

    def by_length(claims, *_, **__):  # type: ignore[no-untyped-def]
        return [Verdict("right" if len(claim.response) % 2 else "wrong", None, "") for claim in claims]

    sampling.verify_all = by_length
    sys.argv = ["sample", "long", "--model", "model", "--prompt-set", "prompts.jsonl", "--out", "out"]
    run(stage.main)


@pytest.mark.parametrize("stage", [curate, sample], ids=["curate", "sample"])
def test_two_ranks_hand_over_what_one_does(tiny: Tiny, tmp_path: Path, stage) -> None:  # type: ignore[no-untyped-def]
    files = []
    for count in (1, 2):
        folder = project(tiny, tmp_path / str(count))
        for number, process in enumerate(ranks(count, stage, folder, OMP_NUM_THREADS="1")):
            assert ended(process) == 0, (folder / f"rank{number}.txt").read_text()[-2000:]
        found = {
            path.relative_to(folder): path.read_bytes() for top in ("out", "report") for path in (folder / top).rglob("*.json*")
        }
        files.append(found)
        assert list((folder / "artifacts/state").rglob("*.json")) == [], "nothing is left to go on with"
    assert files[0] == files[1]
    assert len(files[0]) > 1
    assert any(path.suffix == ".jsonl" and content for path, content in files[0].items())
