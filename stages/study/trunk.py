"""What all variants of one seed share, computed once: problems, base model, short and long SFT, prompt set, demonstrations, and the
evaluation of the model that RL starts from."""

import argparse
from pathlib import Path

from stages.run.program import run
from stages.study.settings import parameters, read_settings
from stages.study.steps import CHECKPOINTS, DATA, TRUNK
from stages.study.workspace import Workspace


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m stages.study.trunk", description=__doc__)
    arguments.add_argument("seed", type=int)
    arguments.add_argument("--settings", type=Path, required=True, help="study/params.yaml")
    arguments.add_argument("--out", type=Path, required=True)
    options = arguments.parse_args()
    settings = read_settings(options.settings)
    params = parameters(Path("params.yaml"), options.seed, settings.changes, options.settings)
    workspace = Workspace(f"trunk-{options.seed}", [], params)
    workspace.run(TRUNK)
    workspace.hand_over(options.out, [*DATA, *CHECKPOINTS, "results", "artifacts/generations"])


if __name__ == "__main__":
    run(main)
