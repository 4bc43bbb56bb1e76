"""Stage warm_up (§2.2): long demonstrations with planning, evaluation, reflection and exploration, kept only when
right.

Writes OUT/demonstrations.jsonl, REPORT/funnel.json and REPORT/validation.json. A set that fails its expectations is
not handed over. Problems without a worked solution are solved by the model itself, on all ranks; a killed run goes on."""

import argparse
from pathlib import Path

from stages.data.files import write_json, write_records, write_text
from stages.run.phases import idle
from stages.run.program import run
from stages.run.ranks import rank


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the verified long-CoT demonstrations")
    parser.add_argument("--prompt-set", type=Path, required=True, help="folder that curate wrote")
    parser.add_argument("--model", type=Path, required=True, help="checkpoint that solves what nobody has solved")
    parser.add_argument("--needed", type=Path, help="whether a phase learns from them (stage phases); without it: yes")
    parser.add_argument("--out", type=Path, required=True, help="folder of the demonstrations")
    parser.add_argument("--report", type=Path, required=True, help="folder of the funnel and the validation")
    parser.add_argument("--docs", type=Path, required=True, help="folder of Great Expectations' Data Docs")
    args = parser.parse_args()
    reason = idle(args.needed)
    if reason is None:
        from stages.problems.long_demonstrations import warm_up  # with torch: seconds

        warm_up(args)
    elif rank() == 0:
        (args.report / "validation.json").unlink(missing_ok=True)
        write_records(args.out / "demonstrations.jsonl", [])
        write_json(args.report / "funnel.json", {"steps": []})
        write_text(
            args.docs / "index.html", f"<!doctype html><title>No demonstrations</title><p>No demonstrations: {reason}.</p>\n"
        )
        print(f"no demonstrations: {reason}")


if __name__ == "__main__":
    run(main)
