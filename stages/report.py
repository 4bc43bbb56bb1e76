"""§3.2, §3.3: the tables, the figures and the page of a run, and summary.json, from what the other stages measured."""

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from stages.benchmarks.statistics import paired_difference
from stages.data.files import write_bytes, write_text
from stages.reporting import drawing, protocol
from stages.reporting import summary as summaries
from stages.reporting.claims import claims_table
from stages.reporting.columns import Column, own_columns, read_columns
from stages.reporting.curves import Curve, read_curve, validation_suites
from stages.reporting.efficiency import efficiency_table
from stages.reporting.evaluations import CHECKPOINTS, Evaluation, read_evaluations
from stages.reporting.health_figures import domains, health, sampled, staleness
from stages.reporting.inputs import Generation, read_funnel, read_generations, read_seconds
from stages.reporting.long2short_figure import figure7, figure7_suites
from stages.reporting.mix_figure import mix_figure
from stages.reporting.page import Report, page
from stages.reporting.paired import paired_table
from stages.reporting.protocol_cells import protocol_markdown
from stages.reporting.published_tables import published_table
from stages.reporting.rl_figures import figure5, figure6
from stages.reporting.run_tables import partial_table, stand_in_table
from stages.reporting.table_files import long_csv, markdown, wide_csv
from stages.reporting.tables import Table
from stages.reporting.training_figures import funnel_figure, losses
from stages.run.params import read
from stages.run.program import run

SFT = ("base", "short_sft", "long_sft", "shortest", "merged_rs", "dpo")
RL = ("long_rl", "short_rl")
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
    evaluations = read_evaluations(paths.evaluations)
    curves = {name: read_curve(paths.training / f"{name}.csv", "step") for name in SFT if name in evaluations}
    curves |= {name: read_curve(paths.training / f"{name}.csv", "iteration") for name in RL}
    funnels = {
        "collection": read_funnel(paths.collection, "collect"),
        "curation": read_funnel(paths.curation, "curate"),
        "warm-up": read_funnel(paths.warm_up, "warm_up"),
    }
    docs = {name.replace("_", " "): os.path.relpath(paths.docs / name / "index.html", paths.out) for name in DOCS}
    generations = read_generations(paths.generations, tuple(evaluations))
    columns = [*own_columns(evaluations), *read_columns(Path(read("report.columns", str)))]
    seconds = read_seconds(paths.timings)

    suites = validation_suites(curves["long_rl"])
    summary = summaries.summarise(evaluations, suites.get("total", []), seconds)
    tables = _tables(evaluations, columns, generations)
    drawn = _figures(evaluations, curves, [funnel_figure(funnels), mix_figure(funnels["curation"].mix)])
    facts = protocol.facts(evaluations, seed, seconds)
    report = Report(evaluations, suites, summary["checks"], tables, drawn, funnels, columns, generations, seed, facts, docs)
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


def _tables(
    evaluations: Mapping[str, Evaluation], columns: Sequence[Column], generations: Mapping[str, Sequence[Generation]]
) -> dict[str, Table]:
    tables = [make(number, columns) for number in (2, 3) for make in (published_table, claims_table)]
    more = [paired_table(generations, evaluations, paired_difference), partial_table(columns)]
    return {table.name: table for table in [*tables, stand_in_table(evaluations), efficiency_table(evaluations), *more]}


def _figures(
    evaluations: Mapping[str, Evaluation], curves: Mapping[str, Curve], more: list[drawing.Figure]
) -> dict[str, drawing.Drawn]:
    """Every figure that has something to show, by name."""
    suites = validation_suites(curves["long_rl"])
    labelled = {CHECKPOINTS[name]: curve for name, curve in curves.items()}
    phases = {CHECKPOINTS[name]: curves[name] for name in RL}
    figures = [
        figure5(suites),
        figure6(suites),
        figure7(evaluations),
        figure7_suites(evaluations),
        *(figure(phases) for figure in (health, sampled, staleness)),
        domains(*next(iter(phases.items()))),
        losses(labelled),
        *more,
    ]
    return {done.figure.name: done for done in drawing.draw([figure for figure in figures if figure.panels])}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m stages.report", description=__doc__)
    for name in ("evaluations", "training", "collection", "curation", "warm-up", "docs", "generations", "timings", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
