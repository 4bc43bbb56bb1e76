"""Language models and an image-text model learn on two ranks what they learn on one, for every ZeRO stage; one of them is asked to
read pictures and one is not, and no filler is made for the second."""

from pathlib import Path

import architectures
import family_ranks
import pytest
from programs import ended, ranks
from tiny import Tiny, largest_gap, weights

FAMILIES = ("llama", "gemma2", "qwen3_vl")
"""An untied head; a tied and soft-capped one over sliding windows; pictures."""
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
