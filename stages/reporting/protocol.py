"""How the numbers came about: settings, seeds, commit, data hashes, machine."""

import os
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from stages.data.files import DataError
from stages.reporting.evaluations import Evaluation


def facts(evaluations: Mapping[str, Evaluation], seed: int, seconds: Mapping[str, float]) -> dict[str, dict[str, str]]:
    """Tables of the page's protocol: caption -> name -> value. An empty table is left out."""
    counts = dict.fromkeys(f"n={run.overall.n:,}, k={run.overall.k}" for run in evaluations.values())
    found = {
        "Run": {"seed of all random streams": str(seed), "commit": commit(Path()), **machine()},
        "How responses were drawn and judged": shared_settings(evaluations),
        "Size of the evaluation": {
            "all stand-in suites": "; ".join(counts),
            "intervals": "95%, over problems, as the evaluation files give them",
        },
        "What became of the responses, all stand-in suites": {name: _fates(run) for name, run in evaluations.items()},
        "Content hashes of data and models (dvc.lock)": _of_this_run(data_hashes(Path("dvc.lock")), evaluations),
        "Seconds by stage (last time each was run)": {name: f"{value:.1f}" for name, value in seconds.items()},
    }
    return {caption: table for caption, table in found.items() if table}


def _fates(run: Evaluation) -> str:
    score = run.overall
    words = f"{score.truncated:.1%} cut at the limit, {score.unparsed:.1%} without an answer"
    asked = f"{len(score.excluded)} questions could not be asked and count as wrong"
    return f"{words}, {score.errors:.1%} that the verifier could not decide; {asked}"


def shared_settings(evaluations: Mapping[str, Evaluation]) -> dict[str, str]:
    """Every evaluation setting as text; where checkpoints differ, each value with the checkpoints that have it."""
    names = list(dict.fromkeys(name for run in evaluations.values() for name in _flat(run.settings)))
    found = {}
    for name in names:
        by_value: dict[str, list[str]] = {}
        for checkpoint, run in evaluations.items():
            by_value.setdefault(str(_flat(run.settings).get(name, "not given")), []).append(checkpoint)
        found[name] = (
            next(iter(by_value))
            if len(by_value) == 1
            else "; ".join(f"{value} ({', '.join(who)})" for value, who in by_value.items())
        )
    return found


def _of_this_run(hashes: Mapping[str, str], evaluations: Mapping[str, Evaluation]) -> dict[str, str]:
    """Without the evaluations of other checkpoints, which dvc.lock keeps."""
    folders = (Path("artifacts/generations"), Path("results/evaluations"))
    return {path: found for path, found in hashes.items() if Path(path).parent not in folders or Path(path).stem in evaluations}


def data_hashes(lock: Path) -> dict[str, str]:
    """Content hash of every output that dvc.lock knows, by path; {} without the file. DataError when it is broken."""
    if not lock.exists():
        return {}
    try:
        stages = yaml.safe_load(lock.read_text(encoding="utf-8"))["stages"]
        outs = [out for stage in stages.values() for out in stage.get("outs", [])]
        return {out["path"]: out["md5"] for out in sorted(outs, key=lambda out: str(out["path"])) if "md5" in out}
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{lock}: not a lock file of DVC ({error!r}); git checkout dvc.lock, then dvc repro") from error


def commit(root: Path) -> str:
    """The commit that is checked out, and whether tracked files other than results differ from it."""
    head = _git(root, "rev-parse", "HEAD")
    if head is None:
        return "not a git checkout"
    changed = _git(root, "status", "--porcelain", "--untracked-files=no", "--", ".", ":!results", ":!*dvc.lock")
    return f"{head}, with uncommitted changes" if changed else head


def machine() -> dict[str, str]:
    """The machine that wrote the report."""
    gibibytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": f"{_processor()}, {len(os.sched_getaffinity(0))} of {os.cpu_count()} cores usable",
        "memory": f"{gibibytes:.0f} GiB",
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in settings.items():
        found.update(_flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value})
    return found


def _git(root: Path, *arguments: str) -> str | None:
    try:
        words = ["git", "-C", str(root), *arguments]
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10, check=False)
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
