"""Two ranks (processes that talk over gloo) learn what one rank learns, for every ZeRO stage, on text and pictures."""

import json
from pathlib import Path
from typing import Any

import pytest
import two_ranks
from programs import ended, ranks
from tiny import Tiny, largest_gap, weights

from stages.run.program import run

ROUNDING = 5e-5  # float32 sums in another order, after three Adam steps of 1e-3
SECONDS = 500


@pytest.fixture(scope="module")
def two(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of what two ranks left."""
    folder = tmp_path_factory.mktemp("two")
    started = ranks(2, two_ranks.play, folder, tiny.folder, tiny.problems, folder)
    try:
        for process in started:
            process.join(SECONDS)
    finally:
        for process in started:
            process.kill()
    return folder


@pytest.fixture(scope="module")
def one(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one rank leaves, below ZeRO."""
    folder = tmp_path_factory.mktemp("one")
    (process,) = ranks(1, play_alone, folder, tiny.folder, tiny.problems, folder)
    assert ended(process) == 0, (folder / "rank0.txt").read_text()
    return folder


def play_alone(checkpoint: Path, problems: list[Any], folder: Path) -> None:
    for name in ("sft", "heads", "unlike", "policy", "partial"):
        place = folder / name
        place.mkdir()
        two_ranks.SCENARIOS[name](Tiny(checkpoint, problems), 0, place)


def finished(two: Path, name: str, zero_stage: int) -> Path:
    place = two / f"{name}-{zero_stage}"
    for rank in (0, 1):
        told = (two / f"rank{rank}.txt").read_text()[-3000:]
        assert (place / f"done-{rank}").exists(), f"rank {rank} did not finish {place.name}:\n{told}"
    return place


def saved(tiny: Tiny, folder: Path) -> Any:
    return weights(Tiny(folder / "model", tiny.problems).model())


@pytest.mark.parametrize("zero_stage", [0, 1, 2, 3])
def test_sft_ends_with_the_losses_and_weights_of_one_rank(tiny: Tiny, one: Path, two: Path, zero_stage: int) -> None:
    place = finished(two, "sft", zero_stage)
    left, right = (json.loads((folder / "rows.json").read_text()) for folder in (one / "sft", place))
    assert len(left) == len(right) == 3
    for alone, together in zip(left, right, strict=True):
        assert together == pytest.approx(alone, rel=1e-4)
    assert largest_gap(saved(tiny, one / "sft"), saved(tiny, place)) < ROUNDING


@pytest.mark.parametrize("zero_stage", [0, 1, 2, 3])
def test_an_output_layer_of_its_own_or_with_a_cap_learns_the_same(one: Path, two: Path, zero_stage: int) -> None:
    """Its weights are read in chunks, outside the layer, whose pieces ZeRO-3 gathers."""
    place = finished(two, "heads", zero_stage)
    left, right = (json.loads((folder / "told.json").read_text()) for folder in (one / "heads", place))
    assert len(left) == 4
    for alone, together in zip(left, right, strict=True):
        assert together == pytest.approx(alone, rel=1e-4)


@pytest.mark.parametrize("zero_stage", [0, 1, 2, 3])
def test_ranks_may_hold_text_or_pictures_or_nothing(tiny: Tiny, one: Path, two: Path, zero_stage: int) -> None:
    place = finished(two, "unlike", zero_stage)
    left, right = (json.loads((folder / "losses.json").read_text()) for folder in (one / "unlike", place))
    assert right == pytest.approx(left, rel=1e-4)
    assert largest_gap(saved(tiny, one / "unlike"), saved(tiny, place)) < ROUNDING


@pytest.mark.parametrize("zero_stage", [0, 2, 3])
def test_the_policy_learns_the_same_from_the_same_responses(tiny: Tiny, one: Path, two: Path, zero_stage: int) -> None:
    place = finished(two, "policy", zero_stage)
    left, right = (json.loads((folder / "losses.json").read_text()) for folder in (one / "policy", place))
    assert right == pytest.approx(left, rel=1e-4, abs=1e-5)
    assert largest_gap(saved(tiny, one / "policy"), saved(tiny, place)) < 5 * ROUNDING, (
        "small gradients, whose rounding Adam blows up"
    )


@pytest.mark.parametrize("zero_stage", [0, 2, 3])
def test_an_rl_iteration_is_known_to_all_ranks_and_reaches_the_engine(two: Path, zero_stage: int) -> None:
    first, second = json.loads((finished(two, "iteration", zero_stage) / "ranks.json").read_text())
    assert len(first[0]) == 3
    assert first[0] == second[0], "success rates of all problems on every rank"
    assert first[1] == second[1], "figures over all ranks on every rank"
    for _, figures, gap, moved in (first, second):
        assert figures["mean_tokens"] <= 8
        assert gap == 0, "the engine generates with the trained weights"
        assert moved > 1e-5


@pytest.mark.parametrize("zero_stage", [0, 2, 3])
def test_partial_rollouts_draw_the_same_on_one_rank_and_two(one: Path, two: Path, zero_stage: int) -> None:
    (alone,) = json.loads((one / "partial/told.json").read_text())
    first, second = json.loads((finished(two, "partial", zero_stage) / "told.json").read_text())
    assert first == second, "the buffer is the same on every rank"
    assert sum(len(state["members"]) > 0 for _, _, state in alone) >= 2, "nothing waits in the buffer: this test shows nothing"
    for (rates, figures, state), (other_rates, other_figures, other_state) in zip(alone, first, strict=True):
        assert other_rates == rates
        assert tokens(other_state) == tokens(state)
        assert other_figures == pytest.approx(figures, rel=1e-3, abs=1e-5)


def tokens(state: dict[str, Any]) -> dict[str, Any]:
    """Everything of a saved buffer but the log-probabilities, which differ in rounding."""
    found: dict[str, Any] = json.loads(json.dumps(state))
    for member in found["members"]:
        for segment in member["segments"]:
            del segment["logprobs"]
    return found


def test_all_ranks_save_at_the_same_step(two: Path) -> None:
    """Were each to ask its own clock, one would wait at a barrier for ever."""
    place = finished(two, "clock", 0)
    for rank in (0, 1):
        assert json.loads((place / f"answers-{rank}.json").read_text()) == [True, False]


def test_a_rank_that_waits_in_vain_says_where_and_gives_up(tiny: Tiny, tmp_path: Path) -> None:
    waiting, late = ranks(2, program, tmp_path, two_ranks.late, tiny.folder, tiny.problems, K15_COLLECTIVE_MINUTES="0.1")
    try:
        assert ended(waiting, two_ranks.LATE / 2) == 1
        assert late.exitcode is None
    finally:
        late.kill()
    told = (tmp_path / "rank0.txt").read_text().splitlines()
    assert told[-1].startswith("error: rank 0 of 2, rl iteration 2, counting micro-batches: ")
    assert "Timed out waiting 6000ms" in told[-1]


def test_a_save_that_waits_for_a_dead_rank_names_rank_and_step(tiny: Tiny, tmp_path: Path) -> None:
    """It is no matter of disk space, and the last good state stays."""
    waiting, dead = ranks(2, program, tmp_path, two_ranks.gone, tiny.folder, tiny.problems, tmp_path, K15_COLLECTIVE_MINUTES="1")
    assert ended(dead) == 9
    assert ended(waiting) == 1
    told = (tmp_path / "rank0.txt").read_text().splitlines()
    assert told[-1].startswith("error: rank 0 of 2, saving the state of step 2, ")
    assert [path.name for path in (tmp_path / "state").glob("step-*")] == ["step-00000001"]


def test_ranks_pass_over_a_damaged_state_together(tiny: Tiny, tmp_path: Path) -> None:
    both = ranks(2, program, tmp_path, two_ranks.damaged, tiny.folder, tiny.problems, tmp_path)
    assert [ended(one) for one in both] == [0, 0], (tmp_path / "rank0.txt").read_text()[-2000:]
    assert [(tmp_path / f"found-{number}").read_text() for number in (0, 1)] == ["(1, {'n': 1})"] * 2
    told = [(tmp_path / f"rank{number}.txt").read_text().count("random-1.pt is not what was written") for number in (0, 1)]
    assert told == [1, 0]


def program(function: Any, *arguments: Any) -> None:
    run(lambda: function(*arguments))
