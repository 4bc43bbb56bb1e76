"""`k15 init`: writes the values for your model, your data and your machine into a file for `make run PRESET=FILE`; asks nothing."""

import argparse
import json
import shlex
from pathlib import Path
from typing import Any

from flows import environment, feasible, init_data
from flows.init_values import INSTRUCTION, Asked, Chosen, choose
from flows.machine import Machine, this_machine
from flows.model_sources import model_of, named
from flows.plan import changed
from stages.data.files import DataError, write_text
from stages.run.params import load, parsed

DESCRIPTION = """\
Write the values for your model, your data and your machine into one file: context and response lengths by the tokenised rows,
learning rates by the model's size, micro-batch, ZeRO stage, gradient checkpointing and engine by the memory estimate. The model is
not loaded: its config, or the headers of its files, are read. `make run PRESET=FILE` runs it, `k15 plan --preset FILE` looks first.
"""
EPILOG = """\
examples:
  k15 init --model models/mine --data rows.jsonl --out mine.yaml
  k15 init --model Qwen/Qwen2.5-VL-3B-Instruct --revision COMMIT --data path --gpus 1x80 --out mine.yaml
"""


def add_command(commands: Any) -> None:
    """Add the command to the subparsers of `k15`."""
    parser = commands.add_parser(
        "init",
        help="write the values for your model, data and machine",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", required=True, help="a checkpoint folder, a .gguf file, or a hub id")
    parser.add_argument("--revision", metavar="COMMIT", help="commit of a hub id")
    parser.add_argument(
        "--data",
        type=Path,
        metavar="PATH",
        help="a file of problems, or a folder (DIR/train, DIR/bench); default: procedural",
    )
    parser.add_argument("--gpus", metavar="COUNTxGIB", help="GPUs to write for, for example 8x80, or 0; default: those found here")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.yaml", help="the file that is written")
    parser.add_argument("--force", action="store_true", help="write over a file that is there")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the file and say what stands against it; 1 when it cannot work here."""
    root = Path.cwd()
    environment.prepare(root)
    if args.out.suffix not in (".yaml", ".yml"):
        raise DataError(f"--out {args.out}: expected a name that ends in .yaml, by which `make run PRESET=` knows a file")
    if args.out.exists() and not args.force:
        raise DataError(f"--out {args.out}: is there already; choose another name, or write over it with --force")
    machine = this_machine(root, args.gpus)
    text, chosen = composed(args, machine)
    params = parsed(changed(root, chosen.values))
    found = feasible.findings(params, machine, root, 0)
    write_text(args.out, text)
    print(f"{args.out}: {model_of(params, root).weights:,} weights, context {params.model.context:,}, {_place(machine)}")
    print("\n".join(f"{'cannot work: ' if one.fatal else 'note: '}{one.text}" for one in found))
    print(f"look: k15 plan --preset {args.out}\nrun:  make run PRESET={args.out}")
    return int(any(one.fatal for one in found))


def composed(args: argparse.Namespace, machine: Machine) -> tuple[str, Chosen]:
    """The text of the file, and its values. Raises DataError where the model's size cannot be known or it does not fit."""
    model = named(args.model, args.revision)
    if model.weights is None:
        raise DataError(f"--model {args.model}: its number of weights is {model.source}; correct the name, or download it first")
    if args.revision is None and not Path(args.model).exists() and "/" in args.model:
        raise DataError(f"--model {args.model} is no folder here, and a hub id needs the commit that pins it: --revision COMMIT")
    data = init_data.read(args.data) if args.data else None
    lengths = init_data.lengths(data, args.model, args.revision, INSTRUCTION) if data else None
    asked = Asked(args.model, args.revision, model, data, lengths, machine)
    chosen = choose(asked, load())
    return written(chosen, _head(args, asked)), chosen


def _head(args: argparse.Namespace, asked: Asked) -> list[str]:
    words = ["k15", "init", "--model", args.model]
    for name in ("revision", "data", "gpus", "out"):
        words += [f"--{name}", str(value)] if (value := getattr(args, name)) is not None else []
    about = f"{asked.model.weights:,} weights ({asked.model.source})"
    rows = f"{asked.data.rows:,} rows" if asked.data else "the procedural problems"
    return [f"Written by `{shlex.join(words)}`:", f"{about}, {rows}, {_place(asked.machine)}."]


def _place(machine: Machine) -> str:
    count = len(machine.gpus)
    return f"{count} x {machine.gpus[0].memory / 2**30:g} GiB" if count else f"{machine.cores} cores"


def written(chosen: Chosen, head: list[str]) -> str:
    """The lines of the file: comments first, a value a line, its source beside it."""
    lines = [f"# {line}" for line in head]
    for key, value in chosen.values.items():
        comment = f"  # {chosen.comments[key]}" if key in chosen.comments else ""
        if key == "collect.sources":
            lines.append(f"{key}:{comment}")
            lines += [f"  - {_flow(source)}" for source in value]
        else:
            lines.append(f"{key}: {_flow(value)}{comment}")
    return "\n".join(lines) + "\n"


def _flow(value: Any) -> str:
    """YAML on one line. JSON is YAML; numbers as YAML 1.1 reads them."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, float):
        text = repr(value)
        return text if "." in text else text.replace("e", ".0e")
    return json.dumps(value, ensure_ascii=False)
