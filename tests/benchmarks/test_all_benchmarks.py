"""All twelve benchmarks, 20 items of each, from their published files to a column, by a tiny random model: pictures shown, programs
run. The same as the README's `k15 generate all --limit 20`."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tiny import Tiny

from flows import k15
from stages.benchmarks import coding_livecodebench
from stages.benchmarks.columns import benchmark_suites
from stages.benchmarks.registry import BENCHMARKS
from stages.prompts.prompt import Prompt
from stages.reporting.evaluations import Benchmark, Missing

BENCH = Path("../shared/bench")
pytestmark = pytest.mark.skipif(not BENCH.exists(), reason=f"{BENCH} is not here (published benchmark files)")
LIMIT = 20
NOT_IN_THE_FILES = {
    "livecodebench": r"hidden tests missing for 64 of 64 problems; put test\*.jsonl",
    "codeforces": r"no problems are there; put contests.jsonl and problems.jsonl in",
    "mathvista": r"1000 of 1000 pictures are absent, for example .*; put the pictures of the hub's images.zip there",
}


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def asked(name: str) -> list[Prompt]:
    """The prompts of two items."""
    items = BENCHMARKS[name].read(BENCH).items
    return [BENCHMARKS[name].prompt(items[index * len(items) // 2]) for index in range(2)]


@pytest.fixture
def everything(tmp_path: Path) -> Path:
    """The published files by links, and in place of what they lack: LiveCodeBench's sample tests as its tests, one contest of
    Codeforces with made participants, one grey picture for all of MathVista. Scores on it mean nothing."""
    root = tmp_path / "bench"
    root.mkdir()
    for name in BENCHMARKS:
        if name not in ("livecodebench", "codeforces", "mathvista"):
            (root / name).symlink_to((BENCH / name).resolve())  # whole: a link within it to a picture elsewhere is refused
            continue
        (root / name).mkdir()
        for path in (BENCH / name).iterdir():
            if path.name != coding_livecodebench.STATEMENTS:
                (root / name / path.name).symlink_to(path.resolve())
    samples = {row["question_id"]: row["tests"] for row in rows_of(BENCH / "livecodebench/sample_tests_atcoder.jsonl")}
    known = [row for row in rows_of(BENCH / "livecodebench" / coding_livecodebench.STATEMENTS) if row["question_id"] in samples]
    tests = [{**row, "public_test_cases": json.dumps(samples[row["question_id"]]), "metadata": "{}"} for row in known]
    write_rows(root / "livecodebench/test.jsonl", tests)
    humans = [[index, 0, 800 + 10 * index] for index in range(210)]
    points = {str(number): 500 for number in range(20)}
    write_rows(root / "codeforces/contests.jsonl", [{"contest_id": 1, "icpc": False, "points": points, "rows": humans}])
    problems = [
        {"contest_id": 1, "index": index, "statement": "Print 1.", "tests": [{"input": "", "output": "1"}]} for index in points
    ]
    write_rows(root / "codeforces/problems.jsonl", problems)
    (root / "mathvista/images").mkdir()
    Image.new("RGB", (64, 48), (120, 120, 120)).save(root / "mathvista/grey.png")
    for pid in json.loads((BENCH / "mathvista/testmini.json").read_text()):
        (root / f"mathvista/images/{pid}.jpg").symlink_to(root / "mathvista/grey.png")
    return root


@pytest.mark.slow
def test_one_run_gives_a_score_on_each_of_the_twelve(tiny: Tiny, everything: Path, tmp_path: Path) -> None:
    """Where a tool chain is missing, its one reason."""
    words = ["generate", "all", "--data", everything, "--out", tmp_path / "out", "--model", tiny.folder, "--name", "tiny"]
    words += ["--limit", LIMIT, "--samples", "1", "--context", "4096", "--max-tokens", "16"]
    args = k15.parser().parse_args(list(map(str, words)))
    assert args.run(args) == 0
    cells: dict[str, dict[str, Any]] = json.loads((tmp_path / "out/scores.json").read_text())["benchmarks"]
    assert set(cells) == set(BENCHMARKS)
    for name, cell in cells.items():
        written = rows_of(tmp_path / f"out/{name}.jsonl")
        assert [row["finish"] in ("stop", "length") for row in written] == [True] * LIMIT, name
        shown = sum(row["prompt_tokens"] for row in written)
        assert shown > (16 * LIMIT if BENCHMARKS[name].modality == "image" else 10 * LIMIT), "pictures are at least some tokens"
        why = BENCHMARKS[name].unavailable()
        if why is not None:
            assert cell["missing"] == why
        else:
            score = Benchmark.model_validate(cell)
            assert (score.n, score.k, score.limited or name == "codeforces", score.excluded) == (LIMIT, 1, True, []), name


def test_what_the_published_files_lack_is_one_clear_reason_each() -> None:
    names = list(NOT_IN_THE_FILES)
    suites, cells = benchmark_suites(names, BENCH, LIMIT, lambda one: one.short_cot, lambda one: one.for_table(2), 1, unscored=True)
    assert suites == []
    for name, why in NOT_IN_THE_FILES.items():
        assert re.search(why, Missing.model_validate(cells[name]).missing)
        assert "\n" not in cells[name]["missing"]


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
