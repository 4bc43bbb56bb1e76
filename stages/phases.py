"""phases: which phases of the recipe this run leaves out (their sections of params.yaml are null), and which stages then have
nothing to do. Other stages read that here, and not the sections themselves: a learning rate of DPO changes no sampling."""

import argparse
from pathlib import Path

from stages.run.params import RLPhases, SFTPhases, read, read_or_null
from stages.run.phases import idle_stages, passed_through, write_phases
from stages.run.program import run
from stages.run.sections import DPO, Merge


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--out", type=Path, required=True, help="folder of what is handed on and of what has nothing to do")
    options = arguments.parse_args()
    sft, rl = read("sft", SFTPhases), read("rl", RLPhases)
    values = {"merge": read_or_null("merge", Merge), "dpo": read_or_null("dpo", DPO)}
    values |= {f"{name}.{phase}": value for name, part in (("sft", sft), ("rl", rl)) for phase, value in part}
    null = [section for section, value in values.items() if value is None]
    write_phases(options.out, null)
    lines = [f"{name} is {one['same_as']}: {one['because']}" for name, one in passed_through(null).items()]
    lines += [f"{stage} has nothing to do: {reason}" for stage, reason in idle_stages(null).items() if reason]
    print("\n".join(lines or ["every phase of the recipe"]))


if __name__ == "__main__":
    run(main)
