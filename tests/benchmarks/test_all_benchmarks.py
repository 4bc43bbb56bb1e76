"""All twelve benchmarks, from their published files to a column, by a tiny random model: pictures shown, programs run."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tiny import Tiny

from flows import k15
from stages.benchmarks.registry import BENCHMARKS
from stages.prompts.prompt import Prompt
from stages.reporting.evaluations import Benchmark, Missing

BENCH = Path("../shared/bench")
pytestmark = pytest.mark.skipif(not BENCH.exists(), reason=f"{BENCH} is not here (published benchmark files)")
NOT_IN_THE_FILES = {
    "livecodebench": r"hidden tests missing for 64 of 64 problems; put test\*.jsonl",
    "codeforces": r"no problems are there; put contests.jsonl and problems.jsonl in",
    "mathvista": r"1000 of 1000 pictures are absent, for example .*; put the pictures of the hub's images.zip there",
}


def asked(name: str) -> list[Prompt]:
    """The prompts of two items."""
    items = BENCHMARKS[name].read(BENCH).items
    return [BENCHMARKS[name].prompt(items[index * len(items) // 2]) for index in range(2)]


@pytest.mark.slow
def test_each_benchmark_ends_in_a_score_or_a_reason(tiny: Tiny, tmp_path: Path) -> None:
    words = ["generate", "all", "--data", BENCH, "--out", tmp_path, "--model", tiny.folder, "--name", "tiny"]
    words += ["--limit", "2", "--samples", "1", "--context", "4096", "--max-tokens", "16"]
    args = k15.parser().parse_args(list(map(str, words)))
    assert args.run(args) == 0
    cells: dict[str, dict[str, Any]] = json.loads((tmp_path / "scores.json").read_text())["benchmarks"]
    assert set(cells) == set(BENCHMARKS)
    for name, cell in cells.items():
        rows = (
            [json.loads(line) for line in found.read_text().splitlines()] if (found := tmp_path / f"{name}.jsonl").exists() else []
        )
        why = NOT_IN_THE_FILES.get(name) or BENCHMARKS[name].unavailable()
        if why is not None:
            assert re.search(why, Missing.model_validate(cell).missing) or cell["missing"] == why
        else:
            score = Benchmark.model_validate(cell)
            assert (score.n, score.k, score.limited, score.excluded) == (2, 1, True, [])
        if name not in NOT_IN_THE_FILES:
            rows = [json.loads(line) for line in (tmp_path / f"{name}.jsonl").read_text().splitlines()]
            assert [row["finish"] in ("stop", "length") for row in rows] == [True, True]
            shown = sum(row["prompt_tokens"] for row in rows)
            assert shown > (64 if BENCHMARKS[name].modality == "image" else 20), "pictures are at least some tokens"


@pytest.mark.parametrize("name", sorted(set(BENCHMARKS) - set(NOT_IN_THE_FILES)))
def test_pictures_are_part_of_the_prompts_of_the_benchmarks_that_have_them(name: str) -> None:
    for prompt in asked(name):
        assert bool(prompt.images) is (BENCHMARKS[name].modality == "image")
        assert all(Path(path).is_file() for path in prompt.images)


def test_the_pictures_of_mmmu_stand_where_its_marks_are() -> None:
    """Each of up to five pictures once or more, no mark left over."""
    prompts = [BENCHMARKS["mmmu"].prompt(item) for item in BENCHMARKS["mmmu"].read(BENCH).items]
    assert {len(prompt.images) for prompt in prompts} == {1, 2, 3, 4, 5}
    for prompt in prompts:
        turn = prompt.turn("")
        assert {part.path for part in turn if not isinstance(part, str)} == set(prompt.images)
        assert not re.search(r"<image \d>", "".join(part for part in turn if isinstance(part, str)))
