"""Stage collect (§2.3.5): every source of params.yaml becomes problems of three disjoint splits, with their pictures.

Writes OUT/{train,validation,heldout}.jsonl, OUT/images/, OUT/short.jsonl (verified short demonstrations of the
training problems), OUT/excluded.jsonl and OUT/changed.jsonl (row by row, with file and line) and OUT/funnel.json (the
counts)."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from stages.data.files import write_json, write_records
from stages.data.records import Finding, Problem
from stages.problems.funnel import summary
from stages.problems.near_duplicates import without_near_duplicates
from stages.problems.published import Loaded
from stages.problems.rendering import rendered_twins
from stages.problems.short import short_demonstrations
from stages.problems.sources import SPLITS, Setting, check_splits, judgeable, load, without_repeats
from stages.run.collecting import Collect
from stages.run.params import read
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

    problems, removed = distinct(loads, collect.near_duplicate, read("judge", Judging).model is not None)
    check_splits(problems, collect.sources)
    shares = {
        problem.id: source.render_share
        for source, loaded in zip(collect.sources, loads, strict=True)
        if source.render_share
        for problem in loaded.problems
    }
    twins, undrawn = rendered_twins(problems, shares, setting.images, setting.max_pixels, seed)
    problems += twins

    unverified: list[Finding] = []
    short = write_records(out / "short.jsonl", short_demonstrations(problems, workers, unverified))
    for split in SPLITS:
        write_records(out / f"{split}.jsonl", (problem for problem in problems if problem.split == split))
    excluded = [*(finding for loaded in loads for finding in loaded.excluded), *removed, *unverified]
    write_records(out / "excluded.jsonl", excluded)
    write_records(out / "changed.jsonl", [*(finding for loaded in loads for finding in loaded.changed), *undrawn])
    content = summary(collect.sources, loads, problems, removed, len(twins), (short, unverified))
    write_json(out / "funnel.json", content)
    for row in content["sources"]:
        for split, lacking in row["missing"].items():
            print(f"{row['source']}: {lacking} of the wanted {split} problems are missing; the source has no more of them")
    print(f"{len(problems)} problems {content['splits']}, {short} short demonstrations, {len(excluded)} exclusions")


def distinct(loads: Sequence[Loaded], near: float | None, has_judge: bool) -> tuple[list[Problem], list[Finding]]:
    """The problems of all sources that can be judged, each question once in the same and, with `near`, in almost the same words;
    of two the held-out one stays."""
    judged, unjudged = judgeable([problem for loaded in loads for problem in loaded.problems], has_judge)
    problems, repeats = without_repeats(judged)
    problems, alike = without_near_duplicates(problems, near) if near is not None else (problems, [])
    return problems, [*unjudged, *repeats, *alike]


if __name__ == "__main__":
    run(main)
