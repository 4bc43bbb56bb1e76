"""index.html: one file with every table, figure, check and sample of a run; it needs no network and no other file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.reporting.columns import Column
from stages.reporting.curves import Validation
from stages.reporting.data_section import data_section
from stages.reporting.drawing import Drawn
from stages.reporting.evaluations import Evaluation
from stages.reporting.handed_on import Handed, told
from stages.reporting.headline import cards
from stages.reporting.html_tables import plain_table, results_table
from stages.reporting.inline_svg import figure_block
from stages.reporting.inputs import Funnel, Generation
from stages.reporting.markup import Html, tag
from stages.reporting.protocol_cells import STATISTICS, protocols
from stages.reporting.published import published
from stages.reporting.rl_figures import slope_text, suite_line
from stages.reporting.samples import SHOWN, samples_html
from stages.reporting.tables import Table, size

_STYLE = Path(__file__).with_name("page.css")

SECTIONS: Mapping[str, str] = {
    "checks": "What this run shows",
    "rl": "RL: accuracy and length",
    "scores": "Scores on the stand-in suites",
    "long2short": "Long2short",
    "benchmarks": "Beside the published tables",
    "samples": "Responses side by side",
    "data": "What collection, curation and warm-up removed",
    "health": "Health of the training runs",
    "protocol": "Protocol",
}


_OPTIONAL = ("domains", "sampled", "staleness")
"""Figures of columns that not every run has."""


@dataclass(frozen=True)
class Report:
    """All that the page shows."""

    evaluations: Mapping[str, Evaluation]
    suites: Mapping[str, Sequence[Validation]]
    checks: Mapping[str, Any]
    tables: Mapping[str, Table]
    figures: Mapping[str, Drawn]
    funnels: Mapping[str, Funnel]
    columns: Sequence[Column]
    """What tables 2 and 3 have measured columns of."""
    generations: Mapping[str, Sequence[Generation]]
    seed: int
    facts: Mapping[str, Mapping[str, str]]
    """Tables of the protocol: caption -> name -> value."""
    handed: Handed
    """Checkpoints that are another one."""
    docs: Mapping[str, str]
    """Data set -> address of its Data Docs, relative to the page."""


def page(report: Report) -> str:
    """The whole page."""
    model = next(iter(report.evaluations.values()))
    links = [tag("li", tag("a", title, href=f"#{name}")) for name, title in SECTIONS.items()]
    bodies = _bodies(report)
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", "Report of the run"),
        tag("style", Html(_STYLE.read_text(encoding="utf-8"))),
    )
    top = tag(
        "header",
        tag("a", "Skip to the results", href="#checks", class_="skip"),
        tag("h1", "The k1.5 recipe, run from end to end"),
        tag(
            "p",
            f"A model of {size(model.parameters)} weights{_named(model.model)} went through {_went(report.handed)} "
            "All numbers on this page were computed from the run's files.",
        ),
        tag("nav", tag("ul", *links), aria_label="Sections"),
    )
    sections = [tag("section", tag("h2", title), *bodies[name], id=name) for name, title in SECTIONS.items()]
    body = tag("body", top, tag("main", *sections), tag("footer", tag("p", f"Published numbers: {published().source}.")))
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _went(handed: Handed) -> str:
    """Through which stages of the report the model went."""
    if not handed:
        return "every stage of the report: base, SFT, curation, long-CoT warm-up, RL, four long2short methods, evaluation."
    return f"the report's recipe without some of its phases, which hand on what they start from. {'; '.join(told(handed))}."


def _named(model: str | None) -> str:
    return f" ({model})" if model else ""


def _bodies(report: Report) -> dict[str, list[Html]]:
    """Content of every section."""
    return {
        "checks": [
            tag("p", "Computed from the evaluations and the curves; the same facts are in summary.json."),
            cards(dict(report.checks)),
        ],
        "rl": [*_figures(report, "figure5", "figure6"), _slopes(report.suites)],
        "scores": [results_table(report.tables["stand_in"]), *_tables(report, "paired")],
        "long2short": [*_figures(report, "figure7", "figure7_suites"), results_table(report.tables["efficiency"])],
        "benchmarks": _tables(report, "table2", "table2_claims", "table3", "table3_claims", "partial"),
        "samples": [
            tag(
                "p",
                f"Problems drawn by lot (seed {report.seed}), two of each suite, whatever came out. "
                "Shown is the first response of each model.",
            ),
            samples_html({name: report.generations[name] for name in SHOWN if name in report.generations}, report.seed),
        ],
        "data": [
            *_figures(report, "funnel", *(name for name in ("mix",) if name in report.figures)),
            *data_section(report.funnels, report.docs, report.evaluations),
        ],
        "health": _figures(report, "health", *(name for name in _OPTIONAL if name in report.figures), "losses"),
        "protocol": [
            tag("p", STATISTICS),
            *_protocols(report.columns),
            *(plain_table(caption, ["what", "value"], list(facts.items())) for caption, facts in report.facts.items()),
        ],
    }


def _figures(report: Report, *names: str) -> list[Html]:
    return [figure_block(report.figures[name]) if name in report.figures else _absent(name) for name in names]


def _absent(name: str) -> Html:
    return tag("p", f"No {name}: the curves hold no measured point for it.", class_="missing")


def _slopes(suites: Mapping[str, Sequence[Validation]]) -> Html:
    ours = [[suite, str(len(points)), slope_text(suite_line(points))] for suite, points in suites.items()]
    theirs = [[f"the report: {slope.suite}", "40", f"slope {slope.slope:+.1e}"] for slope in published().figure6_slopes]
    caption = "Slopes of figure 6, accuracy per token. The report's are of other problems and a far larger model."
    return tag(
        "details",
        tag("summary", "Slopes, with the report's"),
        plain_table(caption, ["suite", "checkpoints", "slope"], [*ours, *theirs]),
    )


def _tables(report: Report, *names: str) -> list[Html]:
    return [part for name in names for part in (tag("h3", report.tables[name].title), results_table(report.tables[name]))]


def _protocols(columns: Sequence[Column]) -> list[Html]:
    """How each cell of tables 2 and 3 came about; what was not measured is one table of reasons."""
    found, rows = [], []
    for one in protocols(columns):
        names = ", ".join(one.columns)
        if one.facts:
            table = plain_table(f"How these cells of {one.benchmark} came about", ["what", "value"], list(one.facts.items()))
            found.append(tag("details", tag("summary", f"{one.benchmark}: {names}"), table))
        else:
            rows.append([one.benchmark, names, one.reason])
    absent = plain_table("Cells without a score", ["benchmark", "columns", "reason"], rows)
    found += [tag("details", tag("summary", "Cells without a score, with the reason"), absent)] if rows else []
    return [tag("h3", "Benchmarks of tables 2 and 3"), *found, tag("h3", "The run")]
