"""One variant with one seed: RL with one thing changed, and the evaluation of what comes out, on the trunk of that seed."""

import argparse
from pathlib import Path

from stages.data.files import DataError
from stages.run.program import run
from stages.study.settings import parameters, read_settings
from stages.study.steps import steps_of
from stages.study.workspace import Workspace


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m stages.study.ablation", description=__doc__)
    arguments.add_argument("variant")
    arguments.add_argument("--seed", type=int, required=True)
    arguments.add_argument("--trunk", type=Path, required=True, help="what stages.study.trunk made of this seed")
    arguments.add_argument("--settings", type=Path, required=True, help="study/params.yaml")
    arguments.add_argument("--out", type=Path, required=True)
    options = arguments.parse_args()
    settings = read_settings(options.settings)
    if options.variant not in settings.variants:
        raise DataError(f"{options.settings}: no variant {options.variant!r}; there are: {', '.join(settings.variants)}")
    changes = settings.variants[options.variant]
    params = parameters(Path("params.yaml"), options.seed, {**settings.changes, **changes}, options.settings)
    steps, used = steps_of(changes)
    workspace = Workspace(f"{options.variant}-{options.seed}", [options.trunk / path for path in used], params)
    workspace.link(options.trunk, used)
    workspace.run(steps)
    workspace.hand_over(options.out, ["results", "artifacts/generations"])


if __name__ == "__main__":
    run(main)
