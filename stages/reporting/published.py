"""The report's own numbers (published.json, each with its table and page), beside which ours stand."""

from functools import cache
from pathlib import Path

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


class PublishedTable(_Part):
    table: int
    page: int
    title: str
    columns: list[Column]
    rows: list[Row]


class Number(_Part):
    """One published cell, in percent (Codeforces: percentile), as printed."""

    table: int
    page: int
    benchmark: str
    column: str
    value: int | float


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
    full_items: dict[str, int]
    """Items of the whole benchmark; a score over fewer is no entry of tables 2 and 3."""
    tables: list[PublishedTable]
    numbers: list[Number]
    figure6_slopes: list[Slope]
    figure7_points: list[Point]

    def table(self, number: int) -> PublishedTable:
        """Table 2 or 3. Raises KeyError for any other number."""
        return {table.table: table for table in self.tables}[number]

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
