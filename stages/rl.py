"""rl (§2.3, §2.4): vision-text joint reinforcement learning by online policy mirror descent; `short` is long2short RL."""

import argparse
from pathlib import Path

from stages.run.params import RL, read_or_null
from stages.run.phases import hand_on
from stages.run.program import run
from stages.run.ranks import rank


def main() -> None:
    options = _arguments()
    rl = read_or_null(f"rl.{options.phase}", RL)
    if rl is not None:
        from stages.policy.phase import improved  # with torch: seconds that a null phase saves

        improved(options, rl)
    elif rank() == 0:
        hand_on(options.init, options.out, f"rl.{options.phase}", options.curves, "iteration,reward")


def _arguments() -> argparse.Namespace:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("phase", choices=["long", "short"])
    arguments.add_argument("--init", type=Path, required=True, help="checkpoint to start from")
    arguments.add_argument("--prompt-set", type=Path, required=True)
    arguments.add_argument("--validation", type=Path, required=True, help="problems of figure 5; never trained on")
    arguments.add_argument("--out", type=Path, required=True)
    arguments.add_argument("--curves", type=Path, required=True)
    return arguments.parse_args()


if __name__ == "__main__":
    run(main)
