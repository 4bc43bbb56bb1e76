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

from flows import environment, measured_rates, overrides, server, tracking
from flows.feasible import variables
from flows.machine import GIB, size, this_machine
from flows.plan import changed
from stages.data.files import DataError
from stages.models.broken_torchvision import WHY_NOT, picture_path
from stages.run.params import Params, parsed
from stages.run.secrets import hidden
from stages.verifiers.languages import LANGUAGES, missing
from stages.verifiers.sandbox import bounds, why_unavailable

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

With --measure it measures instead how fast this machine multiplies, trains, generates and writes with a model (under a minute for a
small one) and keeps that in the user's cache folder, where `k15 plan` takes its seconds from.
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
    parser.add_argument("--measure", action="store_true", help="measure the rates that `k15 plan` takes its seconds from")
    parser.add_argument(
        "--model", metavar="FOLDER", type=Path, help="with --measure: a checkpoint; default: artifacts/models/base, else a tiny one"
    )
    parser.add_argument("--preset", metavar="NAME", help="with --measure: values of hardware and context as `k15 plan` takes them")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print all lines; 1 when something is lacking."""
    root = Path.cwd()
    environment.prepare(root)
    if args.measure:
        return _measure(root, args.model, args.preset)
    if args.model or args.preset:
        raise DataError("--model and --preset say what --measure measures with; add it")
    lines = [line for check in _CHECKS for line in check(root)]
    width = max(len(line.what) for line in lines)
    for line in lines:
        print(f"{line.state:<6} {line.what:<{width}}  {line.text}")
    lacking = sum(line.state == "lacks" for line in lines)
    print(f"{lacking} things are lacking" if lacking else "nothing is lacking; `k15 plan` says what a run would do")
    return int(bool(lacking))


def _measure(root: Path, folder: Path | None, preset: str | None) -> int:
    """Measure, print and keep the rates of this machine."""
    from flows.measuring import measure

    params, machine = parsed(changed(root, overrides.chosen(preset, None, []))), this_machine(root)
    made = root / "artifacts/models/base"
    with tempfile.TemporaryDirectory(dir=root, prefix=".measure-") as scratch:
        if folder is None and (made / "config.json").is_file():
            folder = made
        name = str(folder) if folder else "a tiny model of params.yaml's shape"
        found = measure(params, folder or _tiny(Path(scratch), params), name, Path(scratch))
    path = measured_rates.keep(found, machine)
    print(f"{found.model}, {found.weights:,} weights, {found.dtype} on {found.device}, one process:")
    print(f"  matrix product {found.matmul / 1e9:,.0f} GFLOP/s, disk {found.disk / 1e6:,.0f} MB/s")
    print(f"  training {found.trained:,.0f} tokens/s, generation {found.generated:,.0f} tokens/s, {found.rows} rows")
    print(f"kept in {path}; `k15 plan` takes its seconds from there")
    return 0


def _tiny(folder: Path, params: Params) -> Path:
    """A checkpoint of random numbers of the shape in params.yaml's section base."""
    from stages.models.scratch import TinyShape, build_model, build_processor, save, train_tokenizer

    base = params.base
    tokenizer = train_tokenizer(["What is 17 + 25? Answer in \\boxed{}."], base.vocabulary)
    shape = TinyShape(base.hidden, base.layers, base.heads, params.model.context, base.initializer_range)
    save(folder / "tiny", build_model(tokenizer, shape, 0), build_processor(tokenizer, 1 << 16))
    return folder / "tiny"


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


def _pictures(_root: Path) -> Iterator[Line]:
    yield Line("note" if WHY_NOT.startswith("torchvision is installed") else "ok", "pictures", f"become pixels {picture_path()}")


def _code(_root: Path) -> Iterator[Line]:
    reason = why_unavailable()
    yield Line("note", "sandbox", reason) if reason else Line("ok", "sandbox", "model-written code can be run")
    if reason is None:
        by_kernel, told = bounds()
        yield Line("ok" if by_kernel else "note", "sandbox limits", told)
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


_CHECKS: tuple[Callable[[Path], Iterator[Line]], ...] = (_python, _tools, _size, _disk, _pictures, _code, _servers)
