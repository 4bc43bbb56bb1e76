"""What stands against a run with these parameters on this machine: what cannot work, and what will be missing."""

import importlib.util
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from flows import fitting, launch, server, value_checks
from flows.architecture import Model
from flows.estimate import Memory, disk_of, width_of
from flows.fitting import on_gpu
from flows.machine import Machine, size
from flows.model_sources import model_of
from flows.workload import problems
from stages.benchmarks.registry import BENCHMARKS
from stages.data.files import DataError
from stages.models.registry_package import cache_folder, cached_file, is_package
from stages.rollout.endpoint import Endpoint
from stages.run.params import Params
from stages.run.secrets import hidden
from stages.verifiers.sandbox import why_unavailable


@dataclass(frozen=True)
class Finding:
    """Something that stands in the way; `fatal` when the run cannot work."""

    fatal: bool
    text: str


def findings(params: Params, machine: Machine, root: Path, checkpoints: int) -> list[Finding]:
    """Everything found, what cannot work first. `checkpoints` is the number of models that the run will write."""
    found = [finding for check in _CHECKS for finding in check(params, machine, root)]
    found += _room(params, machine, root, checkpoints)
    return sorted(found, key=lambda finding: not finding.fatal)


def _processes(params: Params, machine: Machine, _root: Path) -> Iterator[Finding]:
    hardware, here = params.hardware, len(machine.gpus)
    elsewhere = bool(os.environ.get("K15_HOSTFILE") or os.environ.get("K15_LAUNCHER"))
    if hardware.device == "cuda" and not here:
        yield Finding(True, "hardware.device is cuda, but nvidia-smi shows no GPU here; set hardware.device=auto or cpu")
    if on_gpu(hardware, machine) and here and hardware.processes > here and not elsewhere and not machine.assumed:
        yield Finding(
            True,
            f"hardware.processes is {hardware.processes}, but {here} GPU(s) are here; lower it, or name more hosts by K15_HOSTFILE",
        )
    if hardware.engine == "vllm" and importlib.util.find_spec("vllm") is None:
        absent = "hardware.engine is vllm, which is not installed; `make vllm` does that, or set hardware.engine=transformers"
        yield Finding(not machine.assumed, absent)
    if hardware.engine == "vllm" and hardware.processes % hardware.vllm.tensor_parallel:
        yield Finding(True, "hardware.processes is no multiple of hardware.vllm.tensor_parallel")
    if hardware.processes > 1:
        try:
            launch.command("stages.rl", [], hardware.processes)
        except launch.LaunchError as error:
            yield Finding(True, str(error))
    if not on_gpu(hardware, machine) and hardware.processes * 2 > max(2, machine.cores):
        yield Finding(False, f"{hardware.processes} ranks share {machine.cores} cores: each waits for the others")


def _sets(params: Params, _machine: Machine, _root: Path) -> Iterator[Finding]:
    there = problems(params)
    for phase, rl in params.rl:
        if rl is None:
            continue
        if rl.prompts > there["train"]:
            yield Finding(True, f"rl.{phase}.prompts is {rl.prompts}, but collect.sources ask for {there['train']} problems only")
        if rl.prompts < params.hardware.processes:
            yield Finding(True, f"rl.{phase}.prompts is {rl.prompts}: each of {params.hardware.processes} ranks needs one")
        if rl.max_tokens >= params.model.context:
            yield Finding(
                True, f"rl.{phase}.max_tokens is {rl.max_tokens}: no room for a prompt in model.context = {params.model.context}"
            )
    for name in ("validation", "heldout"):
        if not there[name]:
            yield Finding(True, f"no source of collect.sources has {name} problems; RL and evaluation need them")
    if params.model.source == "scratch" and params.base.hidden % params.base.heads:
        yield Finding(True, f"base.hidden = {params.base.hidden} is no multiple of base.heads = {params.base.heads}")


def _sources(params: Params, _machine: Machine, root: Path) -> Iterator[Finding]:
    for key, folder in (
        ("collect.root", params.collect.root),
        ("evaluate.root", params.evaluate.root),
        ("report.columns", params.report.columns),
    ):
        if not (root / folder).exists():
            yield Finding(True, f"{key}: no folder {folder}; correct the path")
        elif root.resolve().is_relative_to((root / folder).resolve()):
            yield Finding(
                True, f"{key}: {folder} holds the project, so that its outputs would lie in its input; choose a folder of its own"
            )
    for source in params.collect.sources:
        if source.kind != "procedural" and source.path is None:
            yield Finding(True, f"collect.sources: kind {source.kind} needs a path")
        elif source.path is None:
            continue
        elif source.kind == "hub":
            if source.revision is None and not (root / params.collect.root / source.path).is_dir():
                yield Finding(True, f"collect.sources: {source.path} is no folder, and a data set of the hub needs a revision")
        elif not (path := root / params.collect.root / source.path).is_file():
            yield Finding(True, f"collect.sources: no file {path}; name your folder by DATA=..., --data, or correct the path")
        elif _asks_for_code(source.kind, path) and (reason := why_unavailable()):
            yield Finding(True, f"{path} has problems with the verifier code: {reason}")


def _asks_for_code(kind: str, path: Path) -> bool:
    """Whether a source has code problems: by its kind, or a row of JSON that names the verifier. Rows that are no JSON are for
    `collect` to name."""
    if kind != "jsonl":
        return kind in ("mbpp", "leetcode")
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if '"code"' in line:
                try:
                    row = json.loads(line)
                except ValueError:
                    continue
                if isinstance(row, dict) and row.get("verifier") == "code":
                    return True
    return False


def _model(params: Params, _machine: Machine, _root: Path) -> Iterator[Finding]:
    source, folder = params.model.source, Path(params.model.source)
    if source == "scratch":
        return
    if is_package(source):
        if cached_file(source, str(params.model.revision)) is None:
            yield Finding(False, f"{source} is not in the cache {cache_folder()}; `base` downloads it")
    elif folder.is_dir():
        for pattern in ("config.json", "*.safetensors"):
            if not any(folder.glob(pattern)):
                yield Finding(True, f"model.source {source}: no {pattern} there, so no transformers checkpoint")
    elif params.model.revision is None:
        yield Finding(True, f"model.source {source}: no such folder; correct the path")
    elif not _downloaded(source, params.model.revision):
        offline = os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "TRUE", "YES", "ON")
        yield Finding(
            offline,
            f"{source} is not in the hub's cache here; "
            + ("HF_HUB_OFFLINE forbids to download it" if offline else "`base` downloads it"),
        )


def _downloaded(source: str, revision: str) -> bool:
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(source, "config.json", revision=revision), str)


def _benchmarks(params: Params, _machine: Machine, root: Path) -> Iterator[Finding]:
    for name in params.evaluate.benchmarks:
        one, folder = BENCHMARKS[name], root / params.evaluate.root / name
        if not any(any(folder.glob(pattern)) for pattern in one.files):
            yield Finding(
                False, f"{one.title} will have no score: no {' or '.join(one.files)} in {folder}; {one.how_to_get(folder)}"
            )
        elif reason := one.unavailable():
            yield Finding(False, f"{one.title} will have no score: {reason}")


def _judge(params: Params, _machine: Machine, root: Path) -> Iterator[Finding]:
    judge = params.judge
    if judge.model is None:
        return
    if judge.endpoint is None:
        if not (root / judge.model / "config.json").is_file():
            yield Finding(True, f"judge.model {judge.model}: no config.json there, so no checkpoint; or set judge.endpoint")
        return
    try:
        Endpoint(judge.endpoint, judge.model, concurrency=1)
    except DataError as error:
        yield Finding(True, f"judge: {error}")


def _values(params: Params, _machine: Machine, root: Path) -> Iterator[Finding]:
    yield from (Finding(False, text) for check in value_checks.CHECKS for text in check(params, root))


def _servers(_params: Params, _machine: Machine, _root: Path) -> Iterator[Finding]:
    if (url := os.environ.get("PREFECT_API_URL")) and not server.alive(url, timeout=1):
        yield Finding(True, f"PREFECT_API_URL={hidden(url)}: no Prefect server answers there; start it, or unset the variable")


_CHECKS: tuple[Callable[[Params, Machine, Path], Iterator[Finding]], ...] = (
    _processes, _sets, _sources, _model, _benchmarks, _judge, _values, _servers,
)  # fmt: skip


def _room(params: Params, machine: Machine, root: Path, checkpoints: int) -> Iterator[Finding]:
    """Memory of a rank and disk, where the number of weights is known."""
    model, place = model_of(params, root), fitting.place_of(params, machine)
    if model.weights is None:
        yield Finding(False, f"memory and disk are not checked: the number of weights is {model.source}")
        return
    need = fitting.needed(model, params.hardware, place)
    if place.gpu and not place.there:
        yield Finding(False, f"a rank needs about {size(need.total)} of a GPU's memory; none is here to compare it with")
    elif need.total > place.there:
        yield Finding(True, f"{_lacking(need, place)}; {_remedy(model, params, place)}")
    elif not fitting.fits(model, params.hardware, place):
        yield Finding(False, f"{_lacking(need, place)}, little is left; {_remedy(model, params, place)}")
    disk, free = disk_of(model, checkpoints, width_of(params.hardware, place.gpu)), machine.free_disk
    if checkpoints and disk > free:
        yield Finding(
            not machine.assumed,
            f"{checkpoints} checkpoints and the state to resume take {size(disk)}, {size(free)} are free; free some",
        )


def _lacking(need: Memory, place: fitting.Place) -> str:
    """Says how much memory a rank needs, its largest parts, and how much the machine has."""
    largest = sorted(need.parts().items(), key=lambda part: -part[1])[:4]
    parts = ", ".join(f"{name} {size(count)}" for name, count in largest)
    when = "training" if need.training >= need.generation else "generating"
    return f"a rank needs about {size(need.total)} while {when} ({parts}); {place.name} memory is {size(place.there)}"


def _remedy(model: Model, params: Params, place: fitting.Place) -> str:
    """The values to lower, and to what."""
    better = fitting.fitted(model, params.hardware, place)
    if better is None:
        return "no micro-batch is small enough: more GPUs, larger ones, a shorter model.context or a smaller model"
    values = fitting.differences(params.hardware, better)
    return "set " + " ".join(f"{key}={str(value).lower()}" for key, value in values.items())


def variables(names: Mapping[str, str]) -> list[str]:
    """Which of the environment variables are set, their values never shown."""
    return [f"{name} is set ({what})" for name, what in names.items() if os.environ.get(name)]
