"""`k15 doctor`: does this machine have what a run needs - packages, tools, disk, GPUs, the sandbox, tool chains, servers."""

import argparse
import fcntl
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from flows import environment, server, tracking
from flows.feasible import variables
from flows.machine import GIB, size, this_machine
from stages.run.secrets import hidden
from stages.verifiers.languages import LANGUAGES, missing
from stages.verifiers.sandbox import why_unavailable

State = Literal["ok", "note", "lacks"]
LEAST_DISK, LEAST_MEMORY = 3 * GIB, 3 * GIB
"""Of the default run: 2 GiB of artifacts and cache; three processes of torch."""
SECRETS = {
    "OPENAI_API_KEY": "the key of endpoints",
    "HF_TOKEN": "the hub's key",
    "PREFECT_API_KEY": "the key of a Prefect server",
    "MLFLOW_TRACKING_PASSWORD": "of a tracking server",
}
"""Names only: no value is ever printed."""
DESCRIPTION = """\
Check this machine. Lines begin with ok, with note (something optional is not there: what it is for, and how to get it), or with
lacks (a run cannot work without it); the exit code is 1 when there is one of these.
"""


@dataclass(frozen=True)
class Line:
    """One thing that was looked at."""

    state: State
    what: str
    text: str


def add_command(commands: Any) -> None:
    """Add the command to the subparsers of `k15`."""
    parser = commands.add_parser(
        "doctor",
        help="check this machine",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)


def run(_args: argparse.Namespace) -> int:
    """Print all lines; 1 when something is lacking."""
    root = Path.cwd()
    environment.prepare(root)
    lines = [line for check in _CHECKS for line in check(root)]
    width = max(len(line.what) for line in lines)
    for line in lines:
        print(f"{line.state:<6} {line.what:<{width}}  {line.text}")
    lacking = sum(line.state == "lacks" for line in lines)
    print(f"{lacking} things are lacking" if lacking else "nothing is lacking; `k15 plan` says what a run would do")
    return int(bool(lacking))


def _python(_root: Path) -> Iterator[Line]:
    found = ".".join(map(str, sys.version_info[:3]))
    yield Line("ok" if sys.version_info >= (3, 11) else "lacks", "python", f"{found}, 3.11 or newer is needed")
    absent, other = [], []
    for name, pinned in _pins(_root).items():
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            absent.append(name)
            continue
        if version.split("+")[0] != pinned:
            other.append(f"{name} {version} (tested: {pinned})")
    if absent:
        yield Line("lacks", "packages", f"{', '.join(absent)} not installed; run `make install`")
    elif other:
        yield Line("note", "packages", f"other versions than were tested together: {', '.join(other)}")
    else:
        yield Line("ok", "packages", "the versions that were tested together")


def _pins(root: Path) -> dict[str, str]:
    """Versions of constraints.txt for the direct dependencies of this package."""
    direct = {
        re.split(r"[<>=!~;\[ ]", word, maxsplit=1)[0].lower() for word in metadata.requires("k15") or () if "extra ==" not in word
    }
    path = root / "constraints.txt"
    rows = re.findall(r"^([\w.-]+)==([\w.]+)", path.read_text(encoding="utf-8") if path.is_file() else "", flags=re.MULTILINE)
    return {name: version for name, version in rows if name.lower() in direct}


def _tools(root: Path) -> Iterator[Line]:
    for name, why, state in (
        ("git", "DVC and experiments", "lacks"),
        ("make", "the commands of the README", "note"),
        ("gcc", "DeepSpeed's own operators", "note"),
    ):
        path = shutil.which(name)
        yield Line("ok", name, path) if path else Line("lacks" if state == "lacks" else "note", name, f"not installed; for {why}")
    for folder, why in ((".git", "run `git init`, or clone the repository"), (".dvc", "run `dvc init`")):
        there = (root / folder).exists()
        yield Line(
            "ok" if there else "lacks", folder, "is here" if there else f"not in {root}; {why}, or call k15 from the project's root"
        )


def _size(root: Path) -> Iterator[Line]:
    machine = this_machine(root)
    yield Line("ok", "cores", str(machine.cores))
    yield Line(
        "ok" if machine.memory >= LEAST_MEMORY else "note",
        "memory",
        f"{size(machine.memory)}; the default run takes {size(LEAST_MEMORY)}",
    )
    yield Line(
        "ok" if machine.free_disk >= LEAST_DISK else "lacks",
        "disk",
        f"{size(machine.free_disk)} free; the default run takes {size(LEAST_DISK)}",
    )
    for number, one in enumerate(machine.gpus):
        yield Line("ok", f"gpu {number}", f"{one.name}, {size(one.memory)}")
    if not machine.gpus:
        yield Line("note", "gpu", "none; the default run needs none")
    elif "+cpu" in metadata.version("torch"):
        yield Line(
            "note",
            "torch",
            f"{metadata.version('torch')} is a CPU build: the GPUs stay unused; install torch from the index for CUDA",
        )


def _disk(root: Path) -> Iterator[Line]:
    """Locks and hard links, which network file systems may lack."""
    cache = root / ".dvc"
    if not cache.is_dir() or not os.access(cache, os.W_OK):
        return
    with tempfile.TemporaryDirectory(dir=cache, prefix="doctor-") as folder:
        first = Path(folder, "a")
        first.touch()
        try:
            os.link(first, Path(folder, "b"))
            yield Line("ok", "hard links", "models in DVC's cache and in artifacts share their disk")
        except OSError as error:
            yield Line("note", "hard links", f"{error.strerror}: each model takes its disk twice; see cache.type in .dvc/config")
        try:
            with first.open("w") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield Line("ok", "file locks", "work here")
        except OSError as error:
            yield Line(
                "lacks", "file locks", f"{error.strerror}: two runs at once could meet; put the project on another file system"
            )


def _code(_root: Path) -> Iterator[Line]:
    reason = why_unavailable()
    yield Line("note", "sandbox", reason) if reason else Line("ok", "sandbox", "model-written code can be run")
    absent = [line for name in LANGUAGES if (line := missing(name))]
    yield from (Line("note", "tool chain", f"{line}; HumanEval leaves it out") for line in absent)
    if not absent:
        yield Line("ok", "tool chains", f"of {len(LANGUAGES)} languages")


def _servers(root: Path) -> Iterator[Line]:
    url, named = server.answering(root, timeout=1), os.environ.get("PREFECT_API_URL")
    if named and not url:
        yield Line("lacks", "prefect", f"no server answers at PREFECT_API_URL={hidden(named)}; start it, or unset the variable")
    else:
        yield Line("ok", "prefect", f"{hidden(url)} answers" if url else "no server is up; `make run` starts one on this machine")
    store = hidden(tracking.store(root))
    yield Line("ok", "mlflow", f"runs go to {store}" if tracking.available() else "off (K15_TRACKING=off, or not installed)")
    for line in variables(SECRETS):
        yield Line("ok", "key", line)


_CHECKS: tuple[Callable[[Path], Iterator[Line]], ...] = (_python, _tools, _size, _disk, _code, _servers)
