"""The report's comparisons in words, computed from its own numbers, and the same comparisons for the measured columns."""

from collections.abc import Sequence
from dataclasses import dataclass

from stages.reporting.columns import Column
from stages.reporting.published import Claim, LengthClaim, Row, published
from stages.reporting.published_tables import benchmark_cell
from stages.reporting.tables import Cell, Head, Line, Table, head

ROUNDING = 0.01
"""A stated percentage adds up when it is within this share of the computed one: the report rounds to tens."""
ALIKE = 0.1
"""Lengths are "about the same" within this share; ours, the report says no number."""


@dataclass(frozen=True)
class _Pair:
    """One comparison of a claim: a model's published number with a rival's."""

    row: Row
    rival: str
    model_value: float
    rival_value: float

    @property
    def points(self) -> float:
        return self.model_value - self.rival_value

    @property
    def percent(self) -> float:
        return 100 * self.points / self.rival_value

    @property
    def against(self) -> str:
        return f"{self.row.title} against {self.rival}"

    @property
    def label(self) -> str:
        return f"{self.against} ({self.rival_value:g})"


def claims_table(number: int, columns: Sequence[Column]) -> Table:
    """The claims on table 2 or 3: relative difference to the rival's published number; the verdicts are the notes."""
    ours = [column for column in columns if column.table == number]
    claims = [claim for claim in published().claims if claim.table == number]
    pairs = {pair.label: pair for claim in claims for pair in _pairs(claim)}
    order = [row.benchmark for row in published().table(number).rows]
    shown = sorted(pairs.values(), key=lambda pair: order.index(pair.row.benchmark))
    lines = [Line(pair.row.block, pair.label, _cells(pair, number, ours)) for pair in shown]
    notes = [_verdict(claim) for claim in claims]
    notes += [length_verdict(claim) for claim in published().length_claims] if number == 3 else []
    model = claims[0].model
    return Table(
        f"table{number}_claims",
        f"The report's comparisons on table {number}",
        "Relative difference to the rival's published number in percent, under it the score and the difference in points. First "
        "the report's own model, then the measured columns. Below: what the report says, and whether its numbers add up to it.",
        "Benchmark, rival (its number)",
        (Head(model, "published", measured=False), *(head(column.name, column.group, column.parameters) for column in ours)),
        tuple(lines),
        ("score", "rival_score", "points"),
        tuple(notes),
    )


def length_verdict(claim: LengthClaim) -> str:
    """What figure 7 says to a statement on the length of responses."""
    points = {point.model: point for point in published().figure7_points if point.benchmark == claim.benchmark}
    tokens = points[claim.model].tokens
    said = f"{claim.where}: {claim.says}."
    if claim.stated_tokens is not None:
        share = tokens / claim.stated_tokens - 1
        fits = "It adds up" if tokens == claim.stated_tokens else "It does not add up"
        return f"{said} {fits}: the point in figure 7 is at {tokens:,} tokens ({100 * share:+.1f}%)."
    shares = {name: tokens / points[name].tokens - 1 for name in claim.rivals}
    shown = ", ".join(f"{100 * share:+.0f}% to {name} ({points[name].tokens:,})" for name, share in shares.items())
    alike = [name for name, share in shares.items() if abs(share) <= ALIKE]
    fits = "It adds up" if len(alike) == len(shares) else f"It adds up for {' and '.join(alike) or 'none'} only"
    return f"{said} {fits}: in figure 7 it is at {tokens:,} tokens, {shown}."


def _pairs(claim: Claim) -> list[_Pair]:
    pairs = []
    for benchmark in claim.benchmarks:
        row = published().rows(benchmark)[claim.table]
        mine = published().value(claim.table, benchmark, claim.model)
        for rival in claim.rivals:
            theirs = published().value(claim.table, benchmark, rival)
            if mine is not None and theirs is not None:
                pairs.append(_Pair(row, rival, mine, theirs))
    return pairs


def _beyond(claim: Claim, most: float) -> str:
    """A larger gain over a model of the table that the claim does not name; "" where there is none."""
    others = [column.name for column in published().table(claim.table).columns if column.name not in (*claim.rivals, claim.model)]
    pairs = [pair for pair in _pairs(claim.model_copy(update={"rivals": others})) if pair.percent > most]
    if not pairs:
        return ""
    largest = max(pairs, key=lambda pair: pair.percent)
    return f" Of the models that it does not name, {largest.rival} is further below: {largest.percent:+.1f}%."


def _cells(pair: _Pair, number: int, columns: Sequence[Column]) -> tuple[Cell, ...]:
    scores = [Cell(pair.model_value, f"{pair.model_value:g}")]
    scores += [benchmark_cell(pair.row, column, published().table(number)) for column in columns]
    return tuple(cell if cell.value is None else _relative(cell, cell.value, pair.rival_value) for cell in scores)


def _relative(score: Cell, value: float, rival: float) -> Cell:
    points, percent = value - rival, 100 * (value - rival) / rival
    facts = {"score": score.text, "rival_score": f"{rival:g}", "points": f"{points:.2f}"}
    return Cell(percent, f"{percent:+.1f}%", (f"score {score.text}", f"{points:+.1f} points"), facts=facts)


def _verdict(claim: Claim) -> str:
    pairs = _pairs(claim)
    said = f"{claim.where}: {claim.says}."
    if claim.kind == "largest_gain" and claim.stated is not None:
        most, least = max(pairs, key=lambda pair: pair.percent), min(pairs, key=lambda pair: pair.percent)
        fits = abs(most.percent - claim.stated) <= ROUNDING * claim.stated
        return (
            f"{said} {'It adds up' if fits else 'It does not add up'}: the largest gain is {most.percent:+.1f}% ({most.against}), "
            f"the smallest {least.percent:+.1f}% ({least.against}).{_beyond(claim, most.percent)}"
        )
    below = [pair for pair in pairs if pair.points < 0]
    shown = "; ".join(f"{pair.against} {pair.points:+.1f} points" for pair in below)
    return f"{said} It adds up: no rival is above." if not below else f"{said} It does not add up: {shown}."
