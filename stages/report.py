"""§3.2, §3.3: the tables, the figures and the page of a run, and summary.json, from what the other stages measured."""

import argparse
import os
from pathlib import Path

from stages.benchmarks.statistics import paired_difference
from stages.data.files import write_bytes, write_text
from stages.reporting import contents, protocol
from stages.reporting import summary as summaries
from stages.reporting.columns import own_columns, read_columns
from stages.reporting.curves import read_curve, validation_suites
from stages.reporting.evaluations import read_evaluations
from stages.reporting.handed_on import read_handed_on
from stages.reporting.inputs import read_funnel, read_generations, read_seconds
from stages.reporting.mix_figure import mix_figure
from stages.reporting.page import Report, page
from stages.reporting.protocol_cells import protocol_markdown
from stages.reporting.table_files import long_csv, markdown, wide_csv
from stages.reporting.training_figures import funnel_figure
from stages.run.params import read
from stages.run.program import run

DOCS = ("prompt_set", "demonstrations")
"""The data sets that Great Expectations guards."""
WIDE = ("table2", "table3")
LONG = {
    "table2_claims": "percent_above_rival",
    "table3_claims": "percent_above_rival",
    "paired": "difference",
    "efficiency": "points_per_1000_tokens",
}
"""What the cells of a table hold, where that is no accuracy."""


def main() -> None:
    """Read everything, then write everything: an input at fault leaves the last report as it was."""
    paths = _arguments()
    seed = read("seed", int)
    handed, listed = read_handed_on(paths.phases), read("evaluate.checkpoints", list[str])
    evaluations = read_evaluations(paths.evaluations, {*listed} - {*handed})
    curves = {
        name: read_curve(paths.training / f"{name}.csv", axis) for name, axis in contents.CURVES.items() if name not in handed
    }
    funnels = {
        "collection": read_funnel(paths.collection, "collect"),
        "curation": read_funnel(paths.curation, "curate"),
        "warm-up": read_funnel(paths.warm_up, "warm_up"),
    }
    docs = {name.replace("_", " "): os.path.relpath(paths.docs / name / "index.html", paths.out) for name in DOCS}
    generations = read_generations(paths.generations, tuple(evaluations))
    columns = [*own_columns(evaluations), *read_columns(Path(read("report.columns", str)))]
    seconds = read_seconds(paths.timings, listed)

    suites = validation_suites(curves["long_rl"]) if "long_rl" in curves else {}
    summary = summaries.summarise(evaluations, suites.get("total", []), seconds, handed)
    tables = contents.tables(evaluations, columns, generations, handed, paired_difference)
    drawn = contents.figures(evaluations, suites, curves, [funnel_figure(funnels), mix_figure(funnels["curation"].mix)])
    facts = protocol.facts(evaluations, seed, seconds)
    checked = summary["checks"]
    report = Report(evaluations, suites, checked, tables, drawn, funnels, columns, generations, seed, facts, handed, docs)
    html = page(report)

    summaries.write(paths.out, summary)
    for name, table in tables.items():
        write_text(paths.out / f"{name}.md", markdown(table))
        write_text(paths.out / f"{name}.csv", wide_csv(table) if name in WIDE else long_csv(table, LONG.get(name, "accuracy")))
    write_text(paths.out / "protocol.md", protocol_markdown(columns, protocol.shared_settings(evaluations)))
    for name, figure in drawn.items():
        write_text(paths.out / f"{name}.svg", figure.svg)
        write_bytes(paths.out / f"{name}.png", figure.png)
    write_text(paths.out / "index.html", html)
    print(f"report: {paths.out / 'index.html'}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m stages.report", description=__doc__)
    for name in ("evaluations", "training", "collection", "curation", "warm-up", "docs", "generations", "timings", "phases", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
