"""The page's section on data: what every rule removed with examples, the mix before and after, the benchmarks that were looked
for, and where the Data Docs of the gate are."""

from collections.abc import Mapping

from stages.reporting.evaluations import Evaluation
from stages.reporting.html_tables import plain_table
from stages.reporting.inputs import Contamination, Funnel
from stages.reporting.markup import Html, join, tag
from stages.reporting.mix_figure import percent

EXAMPLES = 3
"""Of each rule in a table."""
HITS = 20
"""Of decontamination in the table; all are in excluded.jsonl of the prompt set."""


MEASURED_WITH = "short_sft"
"""The checkpoint that curate measures difficulty with (dvc.yaml)."""


def data_section(funnels: Mapping[str, Funnel], docs: Mapping[str, str], evaluations: Mapping[str, Evaluation]) -> list[Html]:
    """The tables below the figures. `docs`: name of a data set -> address of its Data Docs, relative to the page.
    Pass rates are held against the accuracy of the same model among the `evaluations`."""
    measured = evaluations.get(MEASURED_WITH)
    links = [tag("li", tag("a", f"Data Docs of the {name}", href=address)) for name, address in docs.items()]
    parts = [tag("p", "What Great Expectations checked before a set was handed on:"), tag("ul", *links)] if links else []
    for name, funnel in funnels.items():
        parts.append(_funnel_table(name, funnel) if funnel.steps else tag("p", f"No rule of {name} removed anything."))
        parts += [_mix_table(funnel)] if funnel.mix else []
        parts += [_hits_table(funnel.decontamination)] if funnel.decontamination else []
        parts += [_calibration_table(funnel, measured)] if funnel.difficulty else []
    return parts


def _funnel_table(name: str, funnel: Funnel) -> Html:
    rows = [
        [
            step.rule.replace("_", " "),
            f"{step.before:,}",
            f"{step.removed:,}",
            f"{step.after:,}",
            "; ".join(f"{example.id}: {example.reason}" for example in step.examples[:EXAMPLES]),
        ]
        for step in funnel.steps
    ]
    table = plain_table(f"Funnel of {name}, in order", ["rule", "before", "removed", "after", "examples of what was removed"], rows)
    return tag("details", tag("summary", f"Funnel of {name} in numbers"), join(table))


def _mix_table(funnel: Funnel) -> Html:
    rows = []
    for name, values in funnel.mix.items():
        for value, change in values.items():
            before, after = percent(values, value)
            rows.append([f"{name}: {value}", f"{change.before:,}", f"{before:.1f}%", f"{change.after:,}", f"{after:.1f}%"])
    rows += [
        [f"evenness of {name}", "", f"{found['before']:.2f}", "", f"{found['after']:.2f}"] for name, found in funnel.balance.items()
    ]
    caption = "The mix before and after curation. Evenness: entropy of the shares over that of equal shares."
    caption += f" Domains: {', '.join(f'{count:,} {how}' for how, count in funnel.tagging.items())}." if funnel.tagging else ""
    table = plain_table(caption, ["tag", "before", "share", "after", "share"], rows)
    return tag("details", tag("summary", "The mix in numbers"), table)


def _hits_table(found: Contamination) -> Html:
    rows = [[hit.id, hit.reason] for hit in found.hits[:HITS]] or [["none", "no prompt stood in a benchmark"]]
    names = ", ".join(found.benchmarks) or "none: no benchmark's folder lies under evaluate.root"
    caption = f"Decontamination against {found.texts:,} questions of {names}. {len(found.hits)} hits."
    return tag("details", tag("summary", "Prompts that stood in a benchmark"), plain_table(caption, ["problem", "hit"], rows))


def _calibration_table(funnel: Funnel, measured: Evaluation | None) -> Html:
    """Mean pass rate of each family's prompts beside the accuracy of the same model on its held-out problems."""
    rows = []
    for family, found in funnel.difficulty.items():
        suite = measured.suites.get(family) if measured is not None else None
        held = ["not evaluated", "", ""]
        if suite is not None:
            apart = 100 * (found.pass_rate - suite.accuracy)
            held = [f"{100 * suite.accuracy:.1f}%", f"{suite.n:,}", f"{apart:+.1f}"]
        rows.append([family, f"{found.problems:,}", f"{100 * found.pass_rate:.1f}%", *held])
    caption = (
        "Calibration of difficulty: the mean pass rate of the prompts, and what the same model scores on held-out problems of the "
        f"family ({MEASURED_WITH}). The two are drawn from one distribution, so they agree where answers are measured whole."
    )
    head = ["family", "prompts", "mean pass rate", "held-out accuracy", "held-out problems", "points apart"]
    return tag("details", tag("summary", "Pass rates against held-out accuracy"), plain_table(caption, head, rows))
