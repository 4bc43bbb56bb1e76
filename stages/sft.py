"""sft (§2.2, §2.4, §2.5.2): supervised fine-tuning on demonstrations - short answers, long chains of thought, shortest samples."""

import argparse
from pathlib import Path

from stages.data.files import write_json
from stages.run.params import SFT, read_or_null
from stages.run.phases import hand_on
from stages.run.program import run
from stages.run.ranks import rank


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("phase", choices=["short", "long", "shortest", "merged_rs"])
    arguments.add_argument("--init", type=Path, required=True, help="checkpoint to start from")
    arguments.add_argument("--demonstrations", type=Path, required=True)
    arguments.add_argument("--out", type=Path, required=True)
    arguments.add_argument("--curves", type=Path, required=True)
    arguments.add_argument("--left-out", type=Path, required=True, help="JSON of the demonstrations that exceed the context")
    options = arguments.parse_args()
    sft = read_or_null(f"sft.{options.phase}", SFT)
    if sft is not None:
        from stages.training.supervised import tuned  # with torch: seconds that a null phase saves

        tuned(options, sft)
    elif rank() == 0:
        hand_on(options.init, options.out, f"sft.{options.phase}", options.curves)
        write_json(options.left_out, {"demonstrations": 0, "left_out": []})


if __name__ == "__main__":
    run(main)
