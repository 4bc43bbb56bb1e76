"""dpo (§2.4): direct preference optimisation towards the shortest right response of the long-CoT model."""

import argparse
from pathlib import Path

from stages.run.params import read_or_null
from stages.run.phases import hand_on
from stages.run.program import run
from stages.run.ranks import rank
from stages.run.sections import DPO


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    for name in ("init", "samples", "out", "curves"):
        arguments.add_argument(f"--{name}", type=Path, required=True)
    options = arguments.parse_args()
    dpo = read_or_null("dpo", DPO)
    if dpo is not None:
        from stages.long2short.direct_preference import preferred  # with torch: seconds

        preferred(options, dpo)
    elif rank() == 0:
        hand_on(options.init, options.out, "dpo", options.curves)


if __name__ == "__main__":
    run(main)
