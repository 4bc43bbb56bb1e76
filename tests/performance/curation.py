"""Curation at scale: a file of generated problems through `stages.collect`, then the rules of `stages.curate` that ask no model,
then the gate of Great Expectations; each a process of its own. Ours alone: no comparable program does the same.

The problems are sentences of random words with numbers; of a hundred about one repeats another, one repeats another in almost the
same words, one is multiple choice, one has an answer that cannot be read, two have a fraction as answer (which algebra compares
with itself), and one in a thousand is a benchmark's item. Memory is the largest sum over the process and its workers, sampled every
fifth of a second. Every size is run once, whatever --repeats says: `python tests/performance/curation.py all 1000000` runs one."""

import json
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import yaml
from measure import ROOT, Alone

SIZES = (10_000, 100_000, 1_000_000)
PARTS = ("collect", "rules", "gate")
ITEMS = 5_000
"""Of the benchmark."""
TARGET = {"seconds": 600, "memory_gib": 4}
"""Issue 5: a million problems through collect and the rules, on two cores."""


def run(repeats: int) -> list[Alone]:  # noqa: ARG001 - every benchmark is called alike
    """Three rows a size."""
    return [row for size in SIZES for row in measured(size)]


def measured(size: int) -> list[Alone]:
    """Seconds and peak memory of each part on `size` problems."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder, size)
        for part in PARTS:
            before = cpu_seconds()
            seconds, memory, told = timed(part, folder)
            cpu = round(cpu_seconds() - before, 1)
            notes = {"seconds": round(seconds, 1), "cpu_seconds": cpu, "peak_memory_gib": round(memory / 2**30, 2)}
            notes |= {"told": told, "target_at_a_million": TARGET}
            rows.append(Alone(f"curation {part} ({size:,})", "problems/s", [size / seconds], {"problems": size}, notes))
            print(f"{part} of {size:,}: {seconds:.1f} s ({cpu} s of a processor), {memory / 2**30:.2f} GiB; {told}", flush=True)
    return rows


def prepare(folder: Path, size: int) -> None:
    """params.yaml, the file of problems, the benchmark."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    mine = {
        "kind": "jsonl",
        "families": ["mine"],
        "train": size,
        "validation": size // 100,
        "heldout": size // 100,
        "path": "mine.jsonl",
    }
    params["collect"] |= {"root": str(folder), "sources": [mine]}
    (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    items = [sentence(random.Random(f"item {number}")) for number in range(ITEMS)]
    (folder / "bench/math500").mkdir(parents=True)
    (folder / "bench/math500/test.jsonl").write_text("".join(json.dumps({"problem": item}) + "\n" for item in items))
    with (folder / "mine.jsonl").open("w", encoding="utf-8") as file:
        for row in rows(size, items):
            file.write(json.dumps(row) + "\n")


def rows(size: int, items: list[str]) -> Iterator[dict[str, Any]]:
    """The generated problems."""
    rng = random.Random(size)
    question, answer = sentence(rng), 1
    for number in range(size):
        kind = rng.random()
        if kind < 0.01:
            yield row(number, question, answer)
            continue
        if kind < 0.02:
            yield row(number, f"Now, {question}", answer)
            continue
        question, answer = sentence(rng), rng.randrange(10**6)
        given: object = answer
        if kind < 0.03:
            question += "\n(A) 12 (B) 15"
        elif kind < 0.04:
            given = "\\frac{"
        elif kind < 0.06:
            given = f"\\frac{{{answer + 1}}}{{{rng.randrange(2, 99)}}}"
        elif kind < 0.061:
            question = rng.choice(items)
        yield row(number, question, given)


def row(number: int, question: str, answer: object) -> dict[str, Any]:
    return {"id": str(number), "question": question, "answer": str(answer), "domain": f"d{number % 7}", "licence": "MIT"}


def sentence(rng: random.Random) -> str:
    """About forty words, two of them numbers."""
    words = rng.choices(WORDS, k=38)
    return f"{' '.join(words[:20])} {rng.randrange(1000)} {' '.join(words[20:])} {rng.randrange(1000)}?"


WORDS = ["".join(random.Random(number).choices("bdfgklmnprstvz", k=2)) + f"a{chr(97 + number % 26)}e" for number in range(4000)]


def timed(part: str, folder: Path) -> tuple[float, int, str]:
    """Wall-clock seconds and most bytes of a part's process and those that it starts, and the last line that it printed."""
    module = ["-m", "stages.collect", "--out", "problems"] if part == "collect" else [str(Path(__file__).resolve()), part]
    begun, done = time.perf_counter(), threading.Event()
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, *module], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)
    largest = [0]

    def watch() -> None:
        while not done.wait(0.2):
            largest[0] = max(largest[0], memory_of(process.pid))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    told, _ = process.communicate()
    seconds = time.perf_counter() - begun
    done.set()
    watcher.join()
    if process.returncode:
        raise RuntimeError(f"{part} ended with status {process.returncode}")
    return seconds, largest[0], told.strip().splitlines()[-1]


def cpu_seconds() -> float:
    """Of all processes that have ended."""
    found = resource.getrusage(resource.RUSAGE_CHILDREN)
    return found.ru_utime + found.ru_stime


def memory_of(pid: int) -> int:
    """Resident bytes of a process and all below it."""
    total = 0
    try:
        leader = psutil.Process(pid)
        members = [leader, *leader.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for member in members:
        try:
            total += member.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def rules() -> None:
    """What `stages.curate` does before it asks a model."""
    from stages.curation.funnel import Funnel
    from stages.curation.rules import without_model
    from stages.data.files import read_records, write_records
    from stages.data.records import Problem

    funnel = Funnel()
    held_out = [row for name in ("validation", "heldout") for row in read_records(Path(f"problems/{name}.jsonl"), Problem)]
    kept = without_model(funnel, read_records(Path("problems/train.jsonl"), Problem), held_out, Path("bench"), 2, judged=False)
    write_records(Path("excluded.jsonl"), funnel.findings)
    write_records(Path("kept.jsonl"), kept)
    print(f"{len(kept)} kept; " + "; ".join(funnel.text().splitlines()))


def gate() -> None:
    """The gate of curate on what the rules left, with a made-up pass rate."""
    from stages.data import expectations, profiles, suites
    from stages.data.files import read_records
    from stages.data.records import CuratedProblem, Problem

    problems = [CuratedProblem(**row.model_dump(), pass_rate=0.5) for row in read_records(Path("kept.jsonl"), Problem)]
    table = profiles.prompt_set_table(problems, {}, 0.1)
    expectations.check(table, suites.prompt_set_suite(64, 0.9, ["text"]), Path("report"), Path("docs"))
    print(f"{len(table)} rows passed")


if __name__ == "__main__":
    if sys.argv[1] == "all":
        measured(int(sys.argv[2]))
    else:
        {"rules": rules, "gate": gate}[sys.argv[1]]()
