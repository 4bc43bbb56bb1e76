"""A model of every family learns on two ranks what it learns on one, for every ZeRO stage, by SFT, and goes through an iteration
of RL. Image-text models are asked to read pictures; no filler is made for language models."""

import json
from pathlib import Path

import architectures
import family_ranks
import pytest
from programs import ended, ranks
from tiny import Tiny, largest_gap, weights

FAMILIES = tuple(architectures.BUILDERS)
ROUNDING = 5e-4  # wide initial weights, three Adam steps of 1e-3


@pytest.fixture(scope="module")
def trained(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of what one rank and two ranks left."""
    root = tmp_path_factory.mktemp("families")
    folders = [root / name for name in FAMILIES]
    for folder in folders:
        architectures.save(folder.name, [f"{p.question}\n{p.solution_long}" for p in tiny.problems], folder)
    for count, stages in ((1, (0,)), (2, (0, 1, 2, 3))):
        out = root / f"ranks-{count}"
        out.mkdir()
        for process in ranks(count, family_ranks.fit, out, folders, tiny.problems, out, stages):
            assert ended(process) == 0, "".join(path.read_text()[-2000:] for path in out.glob("rank*.txt"))
    return root


@pytest.mark.parametrize("zero_stage", [0, 1, 2, 3])
@pytest.mark.parametrize("name", FAMILIES)
def test_two_ranks_learn_what_one_learns(name: str, zero_stage: int, tiny: Tiny, trained: Path) -> None:
    before, one, two = (
        weights(Tiny(folder, tiny.problems).model())
        for folder in (trained / name, trained / f"ranks-1/{name}-0", trained / f"ranks-2/{name}-{zero_stage}")
    )
    assert largest_gap(before, one) > 1e-3, "nothing was learned"
    assert largest_gap(one, two) < ROUNDING


@pytest.mark.parametrize("name", FAMILIES)
def test_two_ranks_go_through_an_iteration_of_rl(name: str, tiny: Tiny, trained: Path) -> None:
    """Under ZeRO-3: the engine has the trainer's weights, which are saved and load again, changed."""
    figures = json.loads((trained / f"ranks-2/{name}-rl.json").read_text(encoding="utf-8"))
    assert abs(figures["kl_rollout_trainer"]) < 1e-4
    before, after = (weights(Tiny(folder, tiny.problems).model()) for folder in (trained / name, trained / f"ranks-2/{name}-rl"))
    assert largest_gap(before, after) > 1e-4 or figures["zero_signal"] == 1.0
