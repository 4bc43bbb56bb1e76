"""`k15 plan`: what a run would do, before anything runs - stages with reasons, sizes, memory, disk, and what stands against it."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from flows import environment, feasible, fitting, graph, outlook, overrides, sizes, value_checks
from flows.costs import cost_of, table
from flows.estimate import Memory, disk_of, width_of
from flows.machine import Machine, size, this_machine
from flows.measured_rates import rates_of
from flows.model_sources import model_of
from flows.workload import CHECKPOINTS, of_stage, prompt_tokens
from stages.data.files import DataError
from stages.run.params import Params, load, parsed

DESCRIPTION = """\
Say what `make run` with the same preset, data and values would do, and change nothing: which stages would run and why, which DVC
has already, the sizes that follow from params.yaml, the memory of a rank by part, the disk, the seconds and tokens of each stage,
with --price the money, and what is missing or looks wrong. The exit code is 1 when something cannot work.
"""
EPILOG = """\
  runs      the stage will be executed
  follows   an input is made anew: it will be executed, unless the input comes out equal
  restored  DVC has the outputs of these very inputs and values from before
  cached    nothing that it reads has changed

examples:
  k15 plan
  k15 plan -S rl.long.tau=0.2 evaluate
  k15 plan --preset eight-gpus --gpus 8x80 --price 2.5
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
    parser.add_argument("--preset", metavar="NAME", help=overrides.PRESET_HELP)
    parser.add_argument("--data", metavar="DIR", type=Path, help="your files: DIR/train and DIR/bench")
    parser.add_argument("-S", dest="values", metavar="key=value", action="append", default=[], help="one parameter")
    parser.add_argument(
        "--gpus", metavar="COUNTxGIB", help="plan for these GPUs instead of those found here, for example 8x80, or 0"
    )
    parser.add_argument("--price", metavar="PER_GPU_HOUR", type=float, help="what an hour of one GPU costs: shows the cost")
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
    checkpoints = sum(name.split("@")[0] in CHECKPOINTS for name in active)
    found = feasible.findings(params, machine, root, checkpoints)
    lines = [*_stages(stages), "", *_sizes(params, machine, root, active, checkpoints)]
    print("\n".join([*lines, *_costs(params, machine, root, active, args.price)]))
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
    place = f"{len(machine.gpus)} x {machine.gpus[0].name}" if machine.gpus else "no GPU"
    lines.append(f"{'machine':<16}{machine.cores} cores, {size(machine.memory)}, {place}, {size(machine.free_disk)} of disk free")
    model = model_of(params, root)
    if model.weights is None:
        return [*lines, f"{'model':<16}weights: {model.source}"]
    lines.append(f"{'model':<16}{model.weights:,} weights ({model.source})")
    where = fitting.place_of(params, machine)
    lines += _memory(fitting.needed(model, params.hardware, where), params.hardware.processes)
    if checkpoints:
        disk = disk_of(model, checkpoints, width_of(params.hardware, where.gpu))
        lines.append(f"{'disk':<16}{size(disk)} for {checkpoints} checkpoints and the state to resume")
    return lines


def _memory(need: Memory, ranks: int) -> list[str]:
    """The two peaks of a rank, and the parts that they are made of."""
    shown = ", ".join(f"{name} {size(count)}" for name, count in need.parts().items())
    peaks = f"training {size(need.training)}, generating in RL {size(need.generation)}"
    return [
        f"{'memory':<16}about {size(need.total)} on each of {ranks} rank(s): {peaks}",
        f"{'':<16}of these: {shown}",
    ]


def _costs(params: Params, machine: Machine, root: Path, active: Sequence[str], price: float | None) -> list[str]:
    """Seconds and tokens of the stages that would run, and where the rates come from."""
    model, gpu = model_of(params, root), fitting.on_gpu(params.hardware, machine)
    if model.weights is None or not active:
        return []
    width = width_of(params.hardware, gpu)
    rates = rates_of(model, params.hardware, machine, gpu, "bfloat16" if width == 2 else "float32")
    unsolved = value_checks.unsolved_share(params, root)
    costs = [cost_of(name, of_stage(name, params, root, unsolved), model, params.hardware, rates, width) for name in active]
    head = f"time of {len(active)} stages" + ("" if price is None else f", and cost at {price:g} a GPU-hour")
    assumed = f"{head}, prompts of {prompt_tokens(params)} tokens, responses of half their limit"
    gpus = params.hardware.processes if gpu else 1
    return ["", f"{assumed}:", *table(costs, gpus, price), f"rates: {rates.source}"]


def _concerns(name: str, active: Sequence[str]) -> bool:
    return any(stage == name or stage.split("@")[0] == name for stage in active)
