"""results/study: the findings as JSON, Markdown and one HTML page that needs no network, with every figure as SVG and PNG."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stages.reporting.drawing import Drawn
from stages.reporting.html_tables import plain_table
from stages.reporting.inline_svg import figure_block
from stages.reporting.markup import Html, tag
from stages.reporting.table_files import grid
from stages.study.figures import label
from stages.study.findings import Finding
from stages.study.runs import Answer, Runs

HEADS = ["claim", "report", "effect", "by seed", "test", "verdict"]
WHOLE_VERDICTS = "#verdicts td:last-child { white-space: nowrap; }\n"
_SIGNS = {"held": "✓ held", "not held": "✗ not held", "undecided": "? undecided"}
_STYLE = Path(__file__).parents[1] / "reporting/page.css"


@dataclass(frozen=True)
class Study:
    """All that the page shows."""

    findings: Sequence[Finding]
    runs: Runs
    figures: Sequence[Drawn]
    facts: Mapping[str, Mapping[str, str]]
    """Tables of how it came about: caption -> name -> value."""


def summary(study: Study) -> dict[str, Any]:
    """Findings and scores as JSON values."""
    return {"findings": [asdict(one) for one in study.findings], "scores": scores(study.runs), "facts": study.facts}


def scores(runs: Runs) -> dict[str, dict[str, dict[str, float]]]:
    """By variant and seed: accuracy and mean tokens on the held-out problems, before and after RL."""
    return {
        variant: {str(seed): {**_score(run.before, "before"), **_score(run.after, "after")} for seed, run in found.items()}
        for variant, found in runs.items()
    }


def _score(answers: Mapping[str, Answer], when: str) -> dict[str, float]:
    count = len(answers)
    return {
        f"accuracy_{when}": sum(answer.right for answer in answers.values()) / count,
        f"tokens_{when}": sum(answer.tokens for answer in answers.values()) / count,
        "problems": count,
    }


def markdown(study: Study) -> str:
    """The page for GitHub."""
    parts = [f"# {_title(study)}", _intro(study), grid([HEADS, *rows(study.findings)])]
    for drawn in study.figures:
        parts += [f"## {drawn.figure.title}", f"![{drawn.figure.title}]({drawn.figure.name}.png)", drawn.figure.caption]
    parts += ["## Scores on the held-out problems", grid([_SCORE_HEADS, *score_rows(study.runs)])]
    for caption, table in study.facts.items():
        parts += [f"## {caption}", grid([["what", "value"], *([name, value] for name, value in table.items())])]
    return "\n\n".join(parts) + "\n"


def html(study: Study) -> str:
    """The page for a browser."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", _title(study)),
        tag("style", Html(_STYLE.read_text(encoding="utf-8") + WHOLE_VERDICTS)),
    )
    sections = [
        ("Verdicts", [tag("p", _intro(study)), plain_table("Every claim with its test", HEADS, rows(study.findings))]),
        ("Figures", [figure_block(drawn) for drawn in study.figures]),
        ("Scores", [plain_table("Held-out problems, before and after RL", _SCORE_HEADS, score_rows(study.runs))]),
        (
            "Protocol",
            [plain_table(caption, ["what", "value"], list(map(list, table.items()))) for caption, table in study.facts.items()],
        ),
    ]
    main = [tag("section", tag("h2", title), *body, id=title.lower()) for title, body in sections]
    links = [tag("li", tag("a", title, href=f"#{title.lower()}")) for title, _ in sections]
    top = tag("header", tag("h1", _title(study)), tag("nav", tag("ul", *links), aria_label="Sections"))
    return f"<!doctype html>\n{tag('html', head, tag('body', top, tag('main', *main)), lang='en')}\n"


def rows(findings: Sequence[Finding]) -> list[list[str]]:
    """The table's rows below HEADS."""
    return [[one.says, one.where, _effect(one), _by_seed(one), _test(one), _SIGNS[one.verdict]] for one in findings]


def _effect(one: Finding) -> str:
    if one.rank is not None:
        return f"ρ = {one.rank.rho:+.2f}"
    if one.effect is None:
        return "cannot be measured: lengths or accuracies do not differ"
    places = 2 if one.unit == "points a token" else 1
    return f"{one.effect.mean:+.{places}f} [{one.effect.low:+.{places}f}, {one.effect.high:+.{places}f}] {one.unit}"


def _by_seed(one: Finding) -> str:
    places = 2 if one.unit == "points a token" else 1
    return ", ".join(f"{value:+.{places}f}" for value in one.effect.by_seed) if one.effect else "–"


def _test(one: Finding) -> str:
    if one.rank is not None:
        return f"{one.test}: p = {one.rank.p_above:.3f}"
    return one.test if one.effect is None else f"{one.test}; sign-flip p = {one.effect.p:.2f}"


_SCORE_HEADS = ["variant", "seed", "accuracy before", "accuracy after", "tokens before", "tokens after", "problems"]


def score_rows(runs: Runs) -> list[list[str]]:
    """One row a variant and seed, accuracies in percent."""
    return [
        [
            label(variant),
            seed,
            f"{100 * one['accuracy_before']:.1f}",
            f"{100 * one['accuracy_after']:.1f}",
            f"{one['tokens_before']:.1f}",
            f"{one['tokens_after']:.1f}",
            f"{one['problems']:.0f}",
        ]
        for variant, found in scores(runs).items()
        for seed, one in found.items()
    ]


def _title(study: Study) -> str:
    counts = {decided: sum(one.verdict == decided for one in study.findings) for decided in _SIGNS}
    return f"The report's claims in miniature: {counts['held']} held, {counts['not held']} not, {counts['undecided']} undecided"


def _intro(study: Study) -> str:
    seeds = len(next(iter(study.runs.values())))
    least = 2 / 2**seeds
    return (
        f"{len(study.runs)} variants of the recipe, {seeds} seeds each. Runs of one seed share base model, SFT, prompt set and "
        "held-out problems, and are compared problem by problem: the interval is by a bootstrap that draws seeds and, within them, "
        "problems; slopes have one value a seed. A claim held when the whole 95% interval and every seed lie on "
        "its side (of zero, or of two points worse where it says so); it did not hold when both lie on the other; else it is "
        "undecided, and stays here as such. The rank correlation over suites is tested at 5%, one-sided. No correction "
        "for many claims was made: of twenty, one may come out by chance. "
        f"With {seeds} seeds the sign-flip p cannot be below {least:.2f}."
    )
