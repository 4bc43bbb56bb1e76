"""`k15 plan`: what a run would do, before anything runs - stages with reasons, sizes, memory, disk, and what stands against it."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from flows import environment, feasible, graph, outlook, overrides, sizes
from flows.machine import Machine, size, this_machine
from stages.data.files import DataError
from stages.run.params import Params, load, parsed

DESCRIPTION = """\
Say what `make run` with the same preset, data and values would do, and change nothing: which stages would run and why, which DVC
has already, the sizes that follow from params.yaml, the memory of a rank, the disk, and what is missing. The exit code is 1 when
something cannot work.
"""
EPILOG = """\
  runs      the stage will be executed
  follows   an input is made anew: it will be executed, unless the input comes out equal
  restored  DVC has the outputs of these very inputs and values from before
  cached    nothing that it reads has changed

examples:
  k15 plan
  k15 plan -S rl.long.tau=0.2 evaluate
  k15 plan --preset eight-gpus --gpus 8x80
"""


def add_command(commands: Any) -> None:
    """Add the command to the subparsers of `k15`."""
    parser = commands.add_parser(
        "plan",
        help="what a run would do, its sizes, and what stands against it",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--preset", metavar="NAME", help=f"of {', '.join(overrides.presets())}; several with commas")
    parser.add_argument("--data", metavar="DIR", type=Path, help="your files: DIR/train and DIR/bench")
    parser.add_argument("-S", dest="values", metavar="key=value", action="append", default=[], help="one parameter")
    parser.add_argument(
        "--gpus", metavar="COUNTxGIB", help="plan for these GPUs instead of those found here, for example 8x80, or 0"
    )
    parser.add_argument("targets", nargs="*", help="stages of dvc.yaml (sft means each sft@...); default: all")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the plan; 1 when something cannot work."""
    root = Path.cwd()
    environment.prepare(root)
    values = overrides.chosen(args.preset, args.data, args.values)
    tree = changed(root, values)
    params = parsed(tree)
    try:
        wanted = [node for node in graph.nodes(root, args.targets) if _evaluated(node.name, params)]
        stages = outlook.outlook(root, wanted, tree)
    except graph.GraphError as error:
        raise DataError(str(error)) from error
    machine = this_machine(root, args.gpus)
    active = [one.name for one in stages if one.does != "cached"]
    checkpoints = sum(name.split("@")[0] in sizes.CHECKPOINTS for name in active)
    found = feasible.findings(params, machine, root, checkpoints)
    print("\n".join([*_stages(stages), "", *_sizes(params, machine, root, active, checkpoints)]))
    if found:
        print("\n".join(["", *(f"{'cannot work: ' if one.fatal else 'note: '}{one.text}" for one in found)]))
    return int(any(one.fatal for one in found))


def _evaluated(stage: str, params: Params) -> bool:
    """False for the evaluation of a checkpoint that the planned values do not list."""
    name, _, item = stage.partition("@")
    return name != "evaluate" or item in params.evaluate.checkpoints


def changed(root: Path, values: Mapping[str, Any]) -> dict[str, Any]:
    """What params.yaml holds with the dotted `values`, as DVC would read it; on the disk nothing changes. Raises ParamsError as
    `overrides.apply`."""
    path = Path("params.yaml") if root == Path.cwd() else root / "params.yaml"
    load(path)
    tree: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    overrides.put(values, tree, path)
    parsed(tree, path)
    return tree


def _stages(stages: Sequence[outlook.Outlook]) -> list[str]:
    counts = {kind: sum(one.does == kind for one in stages) for kind in ("runs", "follows", "restored", "cached")}
    width = max(len(one.name) for one in stages)
    lines = [f"{one.name:<{width}}  {one.does:<8}  {one.reason}" for one in stages]
    return [f"{len(stages)} stages: " + ", ".join(f"{count} {kind}" for kind, count in counts.items() if count), "", *lines]


def _sizes(params: Params, machine: Machine, root: Path, active: Sequence[str], checkpoints: int) -> list[str]:
    lines = [f"{name:<16}{text}" for name, text in sizes.by_stage(params, root).items() if _concerns(name, active)]
    hardware, gpu = params.hardware, feasible.on_gpu(params.hardware, machine)
    place = f"{len(machine.gpus)} x {machine.gpus[0].name}" if machine.gpus else "no GPU"
    lines.append(f"{'machine':<16}{machine.cores} cores, {size(machine.memory)}, {place}, {size(machine.free_disk)} of disk free")
    model = sizes.model_of(params, root)
    if model.weights is None:
        return [*lines, f"{'model':<16}weights: {model.source}"]
    need = sizes.memory_of(model, hardware, params.model.context, gpu)
    lines.append(f"{'model':<16}{model.weights:,} weights ({model.source})")
    parts = {
        "weights, gradients, moments": need.states,
        "second copy": need.copies,
        "activations": need.activations,
        "cache": need.cache,
    }
    shown = ", ".join(f"{name} {size(count)}" for name, count in parts.items() if count)
    lines.append(f"{'memory':<16}about {size(need.total)} on each of {hardware.processes} rank(s): {shown}")
    if checkpoints:
        lines.append(
            f"{'disk':<16}{size(sizes.disk_of(model, checkpoints, gpu))} for {checkpoints} checkpoints and the state to resume"
        )
    return lines


def _concerns(name: str, active: Sequence[str]) -> bool:
    return any(stage == name or stage.split("@")[0] == name for stage in active)
