"""The results part of README.md, written from the committed results: `python -m stages.reporting.readme`.

It is everything between the two marks in README.md; nothing there is typed by hand. With the folder of another run's results,
`python -m stages.reporting.readme results/smollm2`, its own README.md is written from them."""

import argparse
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stages.data.files import DataError, write_text
from stages.reporting.evaluations import CHECKPOINTS, Evaluation, read_evaluations, read_json
from stages.reporting.headline import headlines
from stages.reporting.seeds import HEADS, seed_rows, summaries
from stages.reporting.table_files import EMPTY
from stages.run.program import run

START, END = "<!-- results -->\n", "<!-- /results -->\n"
FIGURES = {
    "figure5": "Figure 5: accuracy and length over the iterations of RL",
    "figure7": "Figure 7: accuracy against length of the long2short methods",
}
STUDY = {
    "findings": "The claims put to the test: effect, 95% interval, verdict",
    "negative_gradients": "Figure 10: with negative gradients, and ReST",
}


def main() -> None:
    """Fill the block of ./README.md from ./results, or write the README.md of a folder of results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", help="results of another run, below this folder")
    folder = parser.parse_args().folder
    if folder is None:
        path, text = Path("README.md"), fill(Path("README.md").read_text(encoding="utf-8"), block(Path("results")))
    else:
        path, text = folder / "README.md", own_page(folder)
    write_text(path, text)
    print(f"{path}: results written")


def own_page(results: Path) -> str:
    """The README.md of a run's results: what was trained, its block, the seconds of every stage."""
    evaluations, summary = read_evaluations(results / "evaluations"), read_json(results / "report/summary.json", "dvc repro report")
    names = " or ".join(dict.fromkeys(run.model or "a run" for run in evaluations.values()))
    seconds = sorted(summary["seconds"].items(), key=lambda item: -item[1])
    table = _grid([["stage", "seconds"], ["---"] * 2, *([stage, f"{taken:.0f}"] for stage, taken in seconds)])
    content = block(results).replace(f"]({results}/", "](")
    return f"# The recipe with {names}\n\n{content}\n{table}\n"


def fill(text: str, content: str) -> str:
    """`text` with `content` between the two marks. DataError when they are not there, once and in order."""
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end or START in after or END in after:
        raise DataError(f"README.md: expected one line {START.strip()} and, after it, one line {END.strip()}; put them back")
    return f"{before}{start}{content}{end}{after}"


def block(results: Path) -> str:
    """The part for the run in the folder `results`: how it was measured, the checkpoints, the headline checks, two figures."""
    summary = read_json(results / "report/summary.json", "dvc repro report")
    evaluations = read_evaluations(results / "evaluations", list(summary["checkpoints"]))
    parts = [_measured(evaluations, summary), _checkpoints(summary["checkpoints"]), _checks(summary["checks"])]
    parts += _seeds(results, evaluations)
    parts += [f"![{title}]({path})" for name, title in FIGURES.items() if (path := results / f"report/{name}.png").exists()]
    parts += _study(results / "study")
    return "\n\n".join(parts) + "\n"


def _measured(evaluations: Mapping[str, Evaluation], summary: Mapping[str, Any]) -> str:
    sizes = dict.fromkeys(f"{run.parameters:,}" for run in evaluations.values())
    names = dict.fromkeys(f"{run.model}; " for run in evaluations.values() if run.model)
    seeds = dict.fromkeys(str(run.settings.get("seed", "unknown")) for run in evaluations.values())
    minutes = sum(summary["seconds"].values()) / 60
    return (
        f"Model: {' or '.join(names)}{' or '.join(sizes)} weights; "
        f"seed {', '.join(seeds)}; all stages together {minutes:.1f} minutes. "
        "Accuracy in percent with its 95% interval on held-out problems of the run's own sources. They stand in for benchmarks and "
        "are none: compare them with no published number."
    )


def _checkpoints(checkpoints: Mapping[str, Mapping[str, Any]]) -> str:
    rows = [["checkpoint", "accuracy", "text", "pictures", "mean tokens", "n", "k"], ["---"] * 7]
    for name, title in CHECKPOINTS.items():
        if name not in checkpoints:
            continue  # not evaluated, or another checkpoint
        suites = checkpoints[name]
        overall = suites["overall"]
        scores = [_interval(suites.get(suite)) for suite in ("overall", "text", "image")]
        counts = [f"{overall['mean_tokens']:.1f}", f"{overall['n']:,}", str(overall["k"])]
        rows.append([title, *scores, *counts])
    return _grid(rows)


def _checks(checks: dict[str, dict[str, Any]]) -> str:
    rows = [["check", "measured", "verdict"], ["---"] * 3]
    rows += [[found.title, f"**{found.measured}** {found.detail}", found.verdict] for found in headlines(checks)]
    return _grid(rows)


def _seeds(results: Path, evaluations: Mapping[str, Evaluation]) -> list[str]:
    """The table of all seeds; nothing while there is one."""
    (seed, *others) = {run.settings.get("seed") for run in evaluations.values()}
    if others or not isinstance(seed, int):
        raise DataError(f"{results / 'evaluations'}: of the seeds {[seed, *others]}; run the whole graph again")
    found = summaries(results, seed)
    return [_grid([list(HEADS), ["---"] * len(HEADS), *seed_rows(found)])] if len(found) > 1 else []


def _study(folder: Path) -> list[str]:
    """What became of the report's claims, with two figures; nothing where the study was not run."""
    if not (folder / "summary.json").exists():
        return []
    found = read_json(folder / "summary.json", "make study")
    verdicts = Counter(one["verdict"] for one in found["findings"])
    many = "/".join(map(str, {len(runs) for runs in found["scores"].values()}))
    told = (
        f"**The report's claims in miniature** (`{found['facts']['Run']['command']}`; "
        f"{len(found['scores'])} variants, {many} seeds each; all numbers: `{folder}/study.md`). "
        f"Of {len(found['findings'])} claims {verdicts['held']} held, "
        f"{verdicts['not held']} did not, {verdicts['undecided']} stay undecided."
    )
    return [told, *(f"![{title}]({path})" for name, title in STUDY.items() if (path := folder / f"{name}.png").exists())]


def _interval(score: Mapping[str, Any] | None) -> str:
    if score is None:
        return EMPTY
    low, high = score["ci95"]
    return f"{100 * score['accuracy']:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def _grid(rows: list[list[str]]) -> str:
    safe = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in safe)


if __name__ == "__main__":
    run(main)
