"""What a report consists of: every table, and every figure that has something to show."""

from collections.abc import Mapping, Sequence

from stages.reporting import drawing
from stages.reporting.claims import claims_table
from stages.reporting.columns import Column
from stages.reporting.curves import Curve, Validation
from stages.reporting.efficiency import efficiency_table
from stages.reporting.evaluations import CHECKPOINTS, Evaluation
from stages.reporting.handed_on import Handed
from stages.reporting.health_figures import domains, health, sampled, staleness
from stages.reporting.inputs import Generation
from stages.reporting.long2short_figure import figure7, figure7_suites
from stages.reporting.paired import Difference, paired_table
from stages.reporting.published_tables import published_table
from stages.reporting.rl_figures import figure5, figure6
from stages.reporting.run_tables import partial_table, stand_in_table
from stages.reporting.tables import Table
from stages.reporting.training_figures import losses

CURVES = {
    **dict.fromkeys(("base", "short_sft", "long_sft", "shortest", "merged_rs", "dpo"), "step"),
    **dict.fromkeys(("long_rl", "short_rl"), "iteration"),
}
"""Checkpoints whose training has curves, and what these go over."""


def tables(
    evaluations: Mapping[str, Evaluation],
    columns: Sequence[Column],
    generations: Mapping[str, Sequence[Generation]],
    handed: Handed,
    difference: Difference,
) -> dict[str, Table]:
    """Every table of the report, by name."""
    found = [make(number, columns) for number in (2, 3) for make in (published_table, claims_table)]
    found += [stand_in_table(evaluations, handed), efficiency_table(evaluations, handed)]
    found += [paired_table(generations, evaluations, difference, handed), partial_table(columns)]
    return {table.name: table for table in found}


def figures(
    evaluations: Mapping[str, Evaluation],
    suites: Mapping[str, Sequence[Validation]],
    curves: Mapping[str, Curve],
    more: list[drawing.Figure],
) -> dict[str, drawing.Drawn]:
    """Every figure that has something to show, by name."""
    labelled = {CHECKPOINTS[name]: curve for name, curve in curves.items()}
    phases = {CHECKPOINTS[name]: curve for name, curve in curves.items() if CURVES[name] == "iteration"}
    found = [
        figure5(suites),
        figure6(suites),
        figure7(evaluations),
        figure7_suites(evaluations),
        *(figure(phases) for figure in (health, sampled, staleness)),
        *(domains(*phase) for phase in list(phases.items())[:1]),
        losses(labelled),
        *more,
    ]
    return {done.figure.name: done for done in drawing.draw([figure for figure in found if figure.panels])}
