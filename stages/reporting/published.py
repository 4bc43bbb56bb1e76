"""The report's own numbers (published.json, each with its table and page), beside which ours stand."""

from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

_FILE = Path(__file__).with_name("published.json")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Column(_Part):
    """One model of a published table."""

    name: str
    group: str
    """"language-only" or "vision-language"."""


class Row(_Part):
    """One benchmark of a published table."""

    benchmark: str
    """The key that our evaluations use."""
    title: str
    metric: str
    block: str
    items: int | None
    """Items of what the row measures; None where nobody says. A score over another number is no entry of this row."""
    note: str | None
    """What a reader of the row must know."""


class PublishedTable(_Part):
    table: int
    page: int
    title: str
    bold: dict[str, list[str]] | None
    """Columns that the report prints bold, by benchmark; None where type weight was not transcribed."""
    bold_source: str | None = None
    """Whose transcription of the type weight this is, where it was not read from the report's own file."""
    note: str | None
    columns: list[Column]
    rows: list[Row]


class Number(_Part):
    """One published cell, in percent (Codeforces: percentile), as printed."""

    table: int
    page: int
    benchmark: str
    column: str
    value: int | float


class Claim(_Part):
    """A comparison that the report makes in words."""

    where: str
    says: str
    """In our words."""
    kind: Literal["largest_gain", "best"]
    """"largest_gain": up to `stated` percent more than a rival; "best": no rival is above."""
    table: int
    model: str
    rivals: list[str]
    benchmarks: list[str]
    stated: float | None
    """Percent."""


class LengthClaim(_Part):
    """A statement of the report on the length of responses, which figure 7 can be asked about."""

    where: str
    says: str
    benchmark: str
    model: str
    stated_tokens: int | None
    rivals: list[str]
    """Models that are said to need about as many tokens."""


class Slope(_Part):
    """Slope of one panel of figure 6: accuracy (0 to 1) per token."""

    figure: int
    section: str
    suite: str
    slope: float


class Point(_Part):
    """One point of figure 7: mean response tokens and accuracy in percent."""

    figure: int
    section: str
    benchmark: str
    model: str
    tokens: int
    accuracy: float


class Published(_Part):
    """All of published.json."""

    source: str
    figure7_how: str
    tables: list[PublishedTable]
    numbers: list[Number]
    claims: list[Claim]
    length_claims: list[LengthClaim]
    figure6_slopes: list[Slope]
    figure7_points: list[Point]

    def table(self, number: int) -> PublishedTable:
        """Table 2 or 3. Raises KeyError for any other number."""
        return {table.table: table for table in self.tables}[number]

    def rows(self, benchmark: str) -> dict[int, Row]:
        """The rows of a benchmark by the number of their table."""
        return {table.table: row for table in self.tables for row in table.rows if row.benchmark == benchmark}

    def value(self, table: int, benchmark: str, column: str) -> int | float | None:
        """The printed number of a cell; None where the report gives none."""
        for number in self.numbers:
            if (number.table, number.benchmark, number.column) == (table, benchmark, column):
                return number.value
        return None


@cache
def published() -> Published:
    """published.json, validated."""
    return Published.model_validate_json(_FILE.read_text(encoding="utf-8"))
