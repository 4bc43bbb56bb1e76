"""Stage collect (§2.3.5): every source of params.yaml becomes problems of three disjoint splits, with their pictures.

Writes OUT/{train,validation,heldout}.jsonl, OUT/images/, OUT/short.jsonl (verified short demonstrations of the
training problems), OUT/excluded.jsonl and OUT/resized.jsonl (row by row, with file and line) and OUT/funnel.json (the
counts)."""

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stages.data.files import write_json, write_records
from stages.data.records import Demonstration, Finding, Problem
from stages.problems.published import Loaded
from stages.problems.short import short_demonstrations
from stages.problems.sources import SPLITS, Setting, check_splits, judgeable, load, title, without_repeats
from stages.run.params import Collect, Source, read
from stages.run.program import run
from stages.run.sections import Judging
from stages.run.spool import stage_spool


def main() -> None:
    parser = argparse.ArgumentParser(description="Collect problems from the sources of params.yaml")
    parser.add_argument("--out", type=Path, required=True, help="folder of the problems")
    out = parser.parse_args().out
    seed, collect, workers = read("seed", int), read("collect", Collect), read("hardware.workers", int)

    spool = stage_spool("collect")
    setting = Setting(Path(collect.root), out / "images", collect.max_image_pixels, seed, workers)
    loads = []
    for number, source in enumerate(collect.sources, 1):
        loads.append(load(source, setting))
        spool.progress(number, len(collect.sources), "sources")

    has_judge = read("judge", Judging).model is not None
    judged, unjudged = judgeable([problem for loaded in loads for problem in loaded.problems], has_judge)
    problems, repeats = without_repeats(judged)
    check_splits(problems, collect.sources)
    short, unverified = short_demonstrations(problems, workers)
    excluded = [*(finding for loaded in loads for finding in loaded.excluded), *unjudged, *repeats, *unverified]

    for split in SPLITS:
        write_records(out / f"{split}.jsonl", [problem for problem in problems if problem.split == split])
    write_records(out / "short.jsonl", short)
    write_records(out / "excluded.jsonl", excluded)
    write_records(out / "resized.jsonl", [finding for loaded in loads for finding in loaded.resized])
    summary = funnel(collect.sources, loads, problems, excluded, short)
    write_json(out / "funnel.json", summary)
    for row in summary["sources"]:
        for split, lacking in row["missing"].items():
            print(f"{row['source']}: {lacking} of the wanted {split} problems are missing; the source has no more of them")
    print(f"{len(problems)} problems {summary['splits']}, {len(short)} short demonstrations, {len(excluded)} exclusions")


def funnel(
    sources: Sequence[Source],
    loads: Sequence[Loaded],
    problems: Sequence[Problem],
    excluded: Sequence[Finding],
    short: Sequence[Demonstration],
) -> dict[str, Any]:
    """Counts of all that was read, kept, removed and changed; the rows are in excluded.jsonl and resized.jsonl."""
    return {
        "sources": [
            {
                "source": title(source),
                "rows": loaded.rows,
                "kept": dict(Counter(problem.split for problem in loaded.problems)),
                "missing": missing(source, loaded.problems),
                "removed": dict(Counter(finding.rule for finding in loaded.excluded)),
                "beyond_quota": loaded.beyond_quota,
                "resized": len(loaded.resized),
                "licences": dict(Counter(problem.licence for problem in loaded.problems)),
            }
            for source, loaded in zip(sources, loads, strict=True)
        ],
        "splits": dict(Counter(problem.split for problem in problems)),
        "removed": dict(Counter(finding.rule for finding in excluded)),
        "short_demonstrations": len(short),
    }


def missing(source: Source, problems: Sequence[Problem]) -> dict[str, int]:
    """How many problems of each split the source did not give; splits that are full are left out."""
    kept = Counter(problem.split for problem in problems)
    return {split: lacking for split in SPLITS if (lacking := getattr(source, split) * len(source.families) - kept[split]) > 0}


if __name__ == "__main__":
    run(main)
