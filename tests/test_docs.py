"""The pages in docs say the truth: their commands are known to the tools, links and pictures exist, names are the code's, and the
changes that docs/extending.md shows work."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import test_readme as readme
from imports import PROJECT

from stages.benchmarks.registry import BENCHMARKS

PAGES = {path.name: path.read_text(encoding="utf-8") for path in sorted((PROJECT / "docs").glob("*.md"))}
by_page = pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)


def fences(page: str, kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)


COMMANDS = [
    words
    for page in PAGES.values()
    for fence in fences(page, "sh")
    for line in fence.splitlines()
    if (words := shlex.split(line, comments=True))
]


def prefect(words: list[str], _params: Path) -> None:
    """The command exists and its help names each option."""
    command = [word for word in words if re.fullmatch(r"[a-z-]+", word)][:2]
    done = subprocess.run([sys.executable, "-m", "prefect", *command, "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [word for word in words if word.startswith("--") and word not in done.stdout] == []


PROGRAMS = {**readme.PROGRAMS, "prefect": prefect}


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_each_command_is_known(words: list[str], tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text((PROJECT / "params.yaml").read_text(encoding="utf-8"))
    assert words[0] in PROGRAMS
    PROGRAMS[words[0]](words[1:], tmp_path / "params.yaml")  # asserts that the words after it are known


@by_page
def test_each_link_leads_to_a_file(page: str) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", page)
    assert [link for link in links if "://" not in link and not (PROJECT / "docs" / link).is_file()] == []


def test_pictures_are_small_described_and_all_used() -> None:
    found = [re.findall(r"!\[([^\]]*)\]\((img/[^)]+)\)", page) for page in PAGES.values()]
    shown = {path: text for page in found for text, path in page}
    pictures = {f"img/{path.name}": path for path in (PROJECT / "docs/img").iterdir()}
    assert all(len(text.split()) > 3 for text in shown.values())
    assert set(shown) == set(pictures)
    assert [name for name, path in pictures.items() if path.stat().st_size >= 200_000] == []


@by_page
def test_names_are_the_codes(page: str) -> None:
    """Variables, folders and files in the running text."""
    quoted = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", page, flags=re.DOTALL))
    assert [word for word in quoted if re.fullmatch(r"[A-Z0-9]+(_[A-Z0-9]+)+", word) and word != "CUDA_VISIBLE_DEVICES"
            and not readme.known_variable(word)] == []  # fmt: skip
    made = {out for outs in readme.stages().values() for out in outs}
    paths = [word for word in quoted if re.match(r"(results|docs|stages|tests|flows|\.dvc|\.ci)/", word)]
    paths += [word for word in quoted if word.endswith((".yaml", ".lock"))]
    assert [path for path in paths if not (PROJECT / path).exists() and path not in made] == []


def test_the_files_of_the_benchmarks_are_those_that_are_read() -> None:
    rows = [row for row in PAGES["benchmarks.md"].splitlines() if row.startswith("| `")]
    told = {cells[0]: tuple(cells[1:]) for row in rows if (cells := re.findall(r"`([^`]+)`", row))}
    assert told == {name: benchmark.files for name, benchmark in BENCHMARKS.items()}
    assert [row for row, benchmark in zip(rows, BENCHMARKS.values(), strict=True) if benchmark.title not in row] == []
    unpinned = {name for name, benchmark in BENCHMARKS.items() if benchmark.revision is None}
    assert unpinned == {"cluewsc", "codeforces", "mathvision"}, "the page names those without a pinned commit"


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the stages with everything that docs/extending.md adds."""
    folder = tmp_path_factory.mktemp("extended")
    shutil.copytree(PROJECT / "stages", folder / "stages", ignore=shutil.ignore_patterns("__pycache__"))
    for module in fences(PAGES["extending.md"], "python"):
        first, _, rest = module.partition("\n")
        (folder / first.removeprefix("# ")).write_text(rest, encoding="utf-8")
    for change in fences(PAGES["extending.md"], "diff"):
        for part in re.split(r"^\+\+\+ ", change, flags=re.MULTILINE)[1:]:
            name, *hunks = re.split(r"\n@@\n", part)
            path = folder / name
            for hunk in hunks:
                lines = hunk.splitlines()
                old, new = ("".join(f"{line[1:]}\n" for line in lines if line[:1] in (" ", sign)) for sign in "-+")
                text = path.read_text(encoding="utf-8")
                assert text.count(old) == 1, f"docs/extending.md: {name} does not hold\n{old}"
                path.write_text(text.replace(old, new), encoding="utf-8")
    return folder


def run(folder: Path, program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_verifier_of_the_page_works(extended: Path) -> None:
    program = """
from stages.prompts.prompt import BOXED
from stages.verifiers.verdict import answerable, verify
print([verify("tolerance", "9.81 0.05", text).outcome for text in (r"\\boxed{9.80}", r"\\boxed{9.7}", "9.81")])
print(verify("tolerance", "about 10", r"\\boxed{10}").outcome, answerable("tolerance", "9 1"), answerable("tolerance", "1 -1"))
print(verify("integer", "5", r"\\boxed{5}").outcome, "tolerance" in BOXED)
"""
    assert run(extended, program).splitlines() == [
        "['right', 'wrong', 'wrong']",
        "error None the tolerance -1 is negative",
        "right True",
    ]


def test_the_source_of_the_page_works(extended: Path, tmp_path: Path) -> None:
    rows = [{"q": f"How long is a rope of {n} and 1 m? [m]", "a": f"{n + 1} m"} for n in range(40)]
    rows.append({"q": "How long? [m]", "a": "4 km"})
    (tmp_path / "quiz.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    program = f"""
from pathlib import Path
from stages.problems.sources import Setting, load
from stages.run.collecting import Source
source = Source(kind="jsonl", adapter="quiz", families=["quiz"], path="quiz.jsonl", train=20, validation=0, heldout=0)
found = load(source, Setting(Path({str(tmp_path)!r}), Path({str(tmp_path / "images")!r}), 10**6, 0, 1))
one = next(problem for problem in found.problems if problem.answer == "1")
print(len(found.problems), one.question, one.verifier)
print(found.excluded[0].rule, found.excluded[0].where[-2:])
"""
    assert run(extended, program).splitlines() == [
        "20 How long is a rope of 0 and 1 m? Answer in m. integer",
        "unparseable answer 41",
    ]


def test_the_benchmark_of_the_page_works(extended: Path, tmp_path: Path) -> None:
    (tmp_path / "gsm8k").mkdir()
    rows = [{"question": "1 + 1?", "answer": "One more.\n#### 2"}, {"question": "1000 + 1?", "answer": "#### 1,001"}]
    (tmp_path / "gsm8k/test.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    (tmp_path / "given.jsonl").write_text('{"id": 0, "response": "\\\\boxed{2}"}\n{"id": 1, "response": "\\\\boxed{1001}"}\n')
    program = f"""
from pathlib import Path
from stages.benchmarks.registry import BENCHMARKS
from stages.benchmarks.scoring import score_file
from stages.run.sections import BenchmarkName
found = score_file(BENCHMARKS["gsm8k"], Path({str(tmp_path)!r}), Path({str(tmp_path / "given.jsonl")!r}), 1)
print(found.result["score"], found.result["n"], "gsm8k" in BenchmarkName.__args__)
"""
    assert run(extended, program).strip() == "100.0 2 True"
