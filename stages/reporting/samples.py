"""Responses side by side: the same problems, drawn by lot, answered by the checkpoints of the recipe."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path

from stages.data.images import opened
from stages.reporting.evaluations import CHECKPOINTS
from stages.reporting.inputs import SHOWN as CHARACTERS
from stages.reporting.inputs import Generation
from stages.reporting.markup import Html, join, tag
from stages.run.seeds import stream_seed

SHOWN = ("base", "short_sft", "long_sft", "long_rl", "short_rl")
"""Checkpoints side by side."""

_KINDS = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg"}
_MOST_BYTES = 400_000
_VERDICTS = {"right": "✓ right", "wrong": "✗ wrong", "error": "? verifier error"}

Answers = Mapping[str, Mapping[tuple[str, str], Generation]]
"""First response by checkpoint and (suite, problem)."""


def pick(generations: Mapping[str, Sequence[Generation]], seed: int, per_suite: int = 2) -> list[tuple[str, str]]:
    """(suite, problem id) of the problems to show: `per_suite` of each suite, drawn by lot, not by how well they went.

    Only problems that every checkpoint of `generations` answered take part."""
    answered = [{(row.suite, row.id) for row in rows} for rows in generations.values()]
    common = set.intersection(*answered)
    picked = []
    for suite in sorted({suite for suite, _ in common}):
        ids = [problem for found, problem in common if found == suite]
        ids.sort(key=lambda problem: (stream_seed(seed, "report", "samples", problem), problem))
        picked += [(suite, problem) for problem in ids[:per_suite]]
    return picked


def samples_html(generations: Mapping[str, Sequence[Generation]], seed: int) -> Html:
    """Every picked problem with its picture and the responses of all `generations`. All text of models and data is escaped."""
    answers = {name: _first(rows) for name, rows in generations.items()}
    picked = pick(generations, seed) if generations else []
    if not picked:
        return tag("p", "No problem was answered by all of these checkpoints.")
    suites = [suite for suite, _ in picked]
    shown = [_problem(suite, problem, answers) for suite, problem in picked]
    first = [html for place, html in enumerate(shown) if suites.index(suites[place]) == place]
    rest = [html for place, html in enumerate(shown) if suites.index(suites[place]) != place]
    more = tag("details", tag("summary", f"{len(rest)} more problems"), *rest) if rest else Html("")
    return join(*first, more)


def _first(rows: Sequence[Generation]) -> dict[tuple[str, str], Generation]:
    found: dict[tuple[str, str], Generation] = {}
    for row in rows:
        found.setdefault((row.suite, row.id), row)
    return found


def _problem(suite: str, problem: str, answers: Answers) -> Html:
    row = next(iter(answers.values()))[suite, problem]
    verdicts = ", ".join(f"{CHECKPOINTS[name]} {answers[name][suite, problem].outcome}" for name in answers)
    asked = [tag("p", row.question, class_="question")]
    if row.image is not None:
        asked.insert(0, _picture(Path(row.image), f"picture of problem {problem}"))
    return tag(
        "article",
        tag("h3", suite, tag("span", problem, class_="id")),
        tag("div", *asked, tag("p", "Answer: ", tag("b", row.gold), class_="gold"), class_="asked"),
        tag("div", *(_response(name, answers[name][suite, problem]) for name in answers), class_="answers"),
        class_="sample",
        aria_label=f"{suite}, {problem}: {verdicts}",
    )


def _response(name: str, row: Generation) -> Html:
    text = row.text if len(row.text) <= CHARACTERS else f"{row.text[:CHARACTERS]} … (the first {CHARACTERS:,} characters)"
    cut = {"length": ", cut at the limit", "excluded": f", not asked: {row.reason}"}.get(row.finish, "")
    return tag(
        "section",
        tag("h4", CHECKPOINTS[name]),
        tag(
            "p",
            tag("span", _VERDICTS.get(row.outcome, row.outcome), class_=f"verdict {row.outcome}"),
            f" {row.tokens} tokens{cut}",
        ),
        tag("pre", text or "(empty response)", tabindex=0),
    )


def _picture(path: Path, alt: str) -> Html:
    """The picture as a data URI; large ones are scaled down, absent or unknown ones are named instead."""
    if not path.exists():
        return tag("p", f"(the picture {path} is not there any more)", class_="missing")
    content = path.read_bytes()
    if len(content) > _MOST_BYTES:
        content = _smaller(path)
    kind = next((kind for magic, kind in _KINDS.items() if content.startswith(magic)), None)
    if kind is None:
        return tag("p", f"(the picture {path} is neither PNG nor JPEG)", class_="missing")
    return tag("img", src=f"data:{kind};base64,{base64.b64encode(content).decode()}", alt=alt, loading="lazy")


def _smaller(path: Path) -> bytes:
    from io import BytesIO

    file = BytesIO()
    copy = opened(path)
    copy.thumbnail((640, 640))
    copy.save(file, format="PNG")
    return file.getvalue()
