"""sample (§2.4): n responses of a model for each prompt; `long` feeds shortest rejection sampling and DPO, `merged` the rejection
sampling of the merged model (figure 7). A run that was killed goes on; several ranks share the prompts."""

import argparse
from pathlib import Path

from stages.data.files import write_records
from stages.run.phases import idle
from stages.run.program import run
from stages.run.ranks import rank


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("which", choices=["long", "merged"])
    arguments.add_argument("--model", type=Path, required=True)
    arguments.add_argument("--prompt-set", type=Path, required=True)
    arguments.add_argument("--needed", type=Path, help="whether a phase learns from them (stage phases); without it: yes")
    arguments.add_argument("--out", type=Path, required=True)
    options = arguments.parse_args()
    reason = idle(options.needed)
    if reason is None:
        from stages.long2short.sampling import sample  # with torch: seconds

        sample(options)
    elif rank() == 0:
        for name in ("groups.jsonl", "shortest.jsonl"):
            write_records(options.out / name, [])
        print(f"nothing is sampled: {reason}")


if __name__ == "__main__":
    run(main)
