"""LiveCodeBench, code generation (§3.1): contest problems by date, programs in Python judged by hidden tests.

The report's windows: table 2 has the 64 problems of release v5 that are dated 2024-11-30 or later (its cells are 64ths, and the
published verdicts of o1-mini give its 53.1 there); table 3 has 2024-08 to 2024-11. Judged in the sandbox by the harness' rules
(stages/verifiers/sandboxed_tests.py, code_tests.py): those of January 2025, with which the published verdicts were made, or
of May."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.benchmarks.benchmark import Item, Loaded, folder_of, read_items
from stages.benchmarks.coding_tests import NEEDED, read, rows
from stages.data.files import DataError
from stages.rollout.engine import Prompt
from stages.verifiers.code_tests import judge
from stages.verifiers.languages import missing
from stages.verifiers.programs import Harness
from stages.verifiers.sandbox import why_unavailable
from stages.verifiers.verdict import Verdict

STATEMENTS = "questions_release_v5_880.jsonl"
FILES = ("test*.jsonl", STATEMENTS)
FENCE = "```"
NO_PROGRAM = "fewer than two lines with three backticks"
PROMPT_SOURCE = "the authors' generic prompt (github.com/LiveCodeBench/LiveCodeBench, lcb_runner/prompts/code_generation.py)"
SYSTEM = (
    "You are an expert Python programmer. You will be given a question (problem specification) and will generate a correct "
    "Python program that matches the specification and passes all tests."
)
WITH_STARTER = (
    "You will use the following starter code to write the solution to the problem and enclose your code within delimiters."
)
WITHOUT_STARTER = (
    "Read the inputs from stdin solve the problem and write the answer to stdout (do not directly test on the sample inputs). "
    "Enclose your code within delimiters as follows. Ensure that when the python program runs, it reads the inputs, runs the "
    "algorithm and writes output to STDOUT."
)


@dataclass(frozen=True)
class Window:
    """Problems by the day of their contest, both ends included; None is open."""

    first: str | None
    last: str | None
    size: int

    def holds(self, date: str) -> bool:
        day = date[:10]
        return (self.first is None or day >= self.first) and (self.last is None or day <= self.last)

    def __str__(self) -> str:
        return f"{self.first or 'the first'} to {self.last or 'the last'}"


LONG = Window("2024-11-30", None, 64)
"""Of table 2; the report writes 2412-2502, release v5."""
SHORT = Window("2024-08-01", "2024-11-30", 223)
"""Of table 3; the report writes 2408-2411."""
ALL = Window(None, None, 880)


def loader(window: Window, tested: bool) -> Callable[[Path], Loaded]:
    """Reads the problems of a window: with `tested`, DataError where hidden tests are missing."""

    def load(path: Path) -> Loaded:
        folder = folder_of(path)
        items, files = _statements(path, window)
        absent = [item.id for item in items if "at" not in item.data]
        if tested and absent:
            raise DataError(_missing(folder, len(absent), len(items)))
        if not items:
            raise DataError(f"{folder}: no problem is dated {window}; LiveCodeBench needs release v5; put {NEEDED} there")
        part = None if len(items) == window.size else f"{len(items)} problems of {window}, expected {window.size}"
        return Loaded(items, part, files)

    return load


def prompt(item: Item) -> Prompt:
    """The generic prompt: system message, question, format, answer."""
    starter = item.data["starter"]
    asked = WITH_STARTER if starter else WITHOUT_STARTER
    code = starter or "# YOUR CODE HERE"
    text = (
        f"{SYSTEM}\n\n### Question:\n{item.question}\n\n### Format: {asked}\n{FENCE}python\n{code}\n{FENCE}\n\n"
        "### Answer: (use the provided format with backticks)\n\n"
    )
    return Prompt(text, None, instruction="")


def extracted(response: str) -> str:
    """What stands between the last two lines that hold three backticks; "" without two such lines."""
    lines = response.split("\n")
    fences = [number for number, line in enumerate(lines) if FENCE in line]
    return "\n".join(lines[fences[-2] + 1 : fences[-1]]) if len(fences) >= 2 else ""


def unavailable() -> str | None:
    """What is missing of the sandbox and of Python in it."""
    return why_unavailable() or missing("python")


def score(pairs: Sequence[tuple[Item, str]], workers: int, _: float) -> list[Verdict]:
    """Right when the program passes all tests by the harness of January 2025, whose verdicts table 2 repeats. DataError
    where a program cannot be run or has no tests.

    Where an item brings verdicts of its responses ("graded", in order), they stand, and nothing is run."""
    return scored("lcb-2025-01", pairs, workers)


def score_later(pairs: Sequence[tuple[Item, str]], workers: int, _: float) -> list[Verdict]:
    """As `score`, by the harness of May 2025."""
    return scored("lcb-2025-05", pairs, workers)


def scored(harness: Harness, pairs: Sequence[tuple[Item, str]], workers: int) -> list[Verdict]:
    """The verdicts by one of the two harnesses."""
    if pairs and all("graded" in item.data for item, _ in pairs):
        return as_graded(pairs)
    reason = unavailable()
    if reason is not None:
        raise DataError(f"LiveCodeBench: {reason}")
    without = {item.id for item, _ in pairs if "at" not in item.data}
    if without:
        folder = next(Path(item.data["folder"]) for item, _ in pairs if item.id in without)
        raise DataError(_missing(folder, len(without), len({item.id for item, _ in pairs})))
    with ThreadPoolExecutor(max(1, workers)) as pool:
        return list(pool.map(lambda pair: judged(pair[0], pair[1], harness), pairs))


def as_graded(pairs: Sequence[tuple[Item, str]]) -> list[Verdict]:
    """The verdicts that the items bring, with the program taken out of each response: "" where there is none, as the authors
    publish it."""
    left = {item.id: iter(item.data["graded"]) for item, _ in pairs}
    found = [(next(left[item.id]), extracted(response)) for item, response in pairs]
    return [Verdict(given, program, "as given" if program else f"as given; {NO_PROGRAM}") for given, program in found]


def judged(item: Item, response: str, harness: Harness = "lcb-2025-01") -> Verdict:
    """The verdict of one response."""
    program = extracted(response)
    if not program:
        return Verdict("wrong", None, NO_PROGRAM)
    return judge(program, read(*item.data["at"]), harness=harness)


def _missing(folder: Path, absent: int, wanted: int) -> str:
    return f"LiveCodeBench: hidden tests missing for {absent} of {wanted} problems; put {NEEDED} in {folder}"


def _statements(path: Path, window: Window) -> tuple[list[Item], tuple[Path, ...]]:
    """The problems of the window and the files that were read.

    Of a folder: the statement file where it is, else the files with tests. Of a file: that file; where it has no tests of its
    own, those of the files with tests beside it."""
    folder = folder_of(path)
    beside = sorted(folder.glob(FILES[0]))
    whole = path if path.is_file() else folder / STATEMENTS if (folder / STATEMENTS).exists() else None
    own = list(rows([whole])) if whole is not None else []
    found = [(row, at) for row, at in own or rows(beside) if window.holds(str(row.get("contest_date")))]
    places = {str(row.get("question_id")): at for row, at in found}

    def item(row: Mapping[str, Any]) -> Item:
        name = str(row["question_id"])
        data = {"date": str(row["contest_date"]), "starter": row["starter_code"], "folder": str(folder)}
        if name in places:
            data["at"] = places[name]
        return Item(name, row["question_content"], None, "its tests", str(row["difficulty"]), (), data)

    if own or whole is None:
        try:
            return [item(row) for row, _ in found], (whole,) if whole is not None else tuple(beside)
        except KeyError as error:
            raise DataError(f"{whole or folder}: a row has no {error}; fetch {NEEDED}") from None
    items = [one for one in read_items(whole, item) if window.holds(one.data["date"])]
    return items, tuple(sorted({whole, *beside}))
