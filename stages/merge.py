"""merge (§2.4): the plain average of the long-CoT and the short-CoT model."""

import argparse
from pathlib import Path

from stages.run.params import read_or_null
from stages.run.phases import clear, hand_on
from stages.run.program import run
from stages.run.sections import Merge


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--long", type=Path, required=True)
    arguments.add_argument("--short", type=Path, required=True)
    arguments.add_argument("--out", type=Path, required=True)
    options = arguments.parse_args()
    merge = read_or_null("merge", Merge)
    if merge is None:
        hand_on(options.long, options.out, "merge")
        return
    from stages.long2short.merging import merge_folders  # with torch: seconds

    clear(options.out)
    weight = merge.weight
    tensors = merge_folders(options.long, options.short, options.out, weight)
    print(f"merged {tensors} tensors: {weight} x {options.long.name} + {1 - weight} x {options.short.name}")


if __name__ == "__main__":
    run(main)
