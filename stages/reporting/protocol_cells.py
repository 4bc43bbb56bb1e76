"""How each measured cell came about: prompt, decoding, data, rule and scorer of every benchmark of tables 2 and 3."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stages.reporting.columns import Column
from stages.reporting.evaluations import Benchmark, Data, Missing
from stages.reporting.published import published
from stages.reporting.table_files import grid

UNKNOWN = "not recorded"

STATISTICS = (
    "A score is the mean over problems of the mean of their k responses (a macro average where the benchmark's authors take "
    "one; the rule says so). Its error is clustered by problem. Intervals are 95% percentile intervals of a bootstrap over "
    "problems with 2,000 resamples from a fixed seed; for fewer than 40 problems, or fewer than 5 that are right or wrong, "
    "Wilson's interval. Paired differences have a bootstrap over the problems' differences, or for few of them the adjusted "
    "Wald interval of Agresti and Min. pass@k is the unbiased estimate of Chen et al. 2021. A question that could not be asked, "
    "and a response that the verifier could not decide, count as wrong."
)


@dataclass(frozen=True)
class Protocol:
    """A benchmark as some of the columns have it."""

    benchmark: str
    """Title."""
    columns: tuple[str, ...]
    facts: Mapping[str, str]
    """How it was measured; {} where it was not."""
    reason: str
    """Why it was not measured."""


def protocols(columns: Sequence[Column]) -> list[Protocol]:
    """One of each benchmark and way of measuring it, in the order of the published tables; columns that share one together."""
    titles = {row.benchmark: row.title for table in published().tables for row in table.rows}
    found = []
    for name, title in titles.items():
        shared: dict[tuple[tuple[tuple[str, str], ...], str], list[str]] = {}
        for column in columns:
            result = column.benchmarks.get(name, Missing(missing="not evaluated here"))
            key = ((), result.missing) if isinstance(result, Missing) else (tuple(_facts(result).items()), "")
            shared.setdefault(key, []).append(column.name)
        found += [Protocol(title, tuple(names), dict(facts), reason) for (facts, reason), names in shared.items()]
    return found


def protocol_markdown(columns: Sequence[Column], settings: Mapping[str, str]) -> str:
    """protocol.md: the settings of the run, the statistics, then benchmark by benchmark."""
    parts = ["# Protocol", "## Statistics", STATISTICS, "## Settings of this run", _table(settings)]
    title = ""
    for one in protocols(columns):
        if one.benchmark != title:
            title = one.benchmark
            parts.append(f"## {title}")
        names = ", ".join(one.columns)
        parts.append(_table({"columns": names, **one.facts}) if one.facts else f"{names}: no score, {one.reason}")
    return "\n\n".join(parts) + "\n"


def _table(facts: Mapping[str, str]) -> str:
    return grid([["what", "value"], *([name, value] for name, value in facts.items())])


def _facts(result: Benchmark) -> dict[str, str]:
    drawn = result.decoding
    greedy = " (greedy)" if drawn and drawn.temperature == 0 else ""
    return {
        "prompt": UNKNOWN if result.prompt is None else f"{result.prompt}; {_shots(result.shots)}",
        "temperature": f"{drawn.temperature:g}{greedy}" if drawn else UNKNOWN,
        "top-p": f"{drawn.top_p:g}" if drawn else UNKNOWN,
        "limit of response tokens": f"{drawn.max_tokens:,}" if drawn else UNKNOWN,
        "k, responses to each problem": str(result.k),
        "n, problems": f"{result.n:,}" + (f" ({result.part})" if result.part else ""),
        "split": result.split or UNKNOWN,
        **_data(result.data),
        "extraction": result.extraction or UNKNOWN,
        "rule": result.rule or UNKNOWN,
        **{f"against the rule {name}": what for name, what in result.differs.items()},
        "scorer": ", ".join(f"{name} {version}" for name, version in result.scorer.items()) or UNKNOWN,
    }


def _shots(shots: int | None) -> str:
    return f"number of shots {UNKNOWN}" if shots is None else "zero-shot" if shots == 0 else f"{shots} shots"


def _data(data: Data | None) -> dict[str, str]:
    if data is None:
        return {"data": UNKNOWN}
    revision = f"revision {data.revision}" if data.revision else "revision not known, so trust the SHA-256"
    pinned = f"pinned: {data.pinned}" if data.pinned else "no commit of it is pinned here"
    same = {True: "; the files are byte for byte the same", False: "; the files differ from those in bytes", None: ""}
    files = data.files[0] if data.files else "no file"
    more = f" and {len(data.files) - 1} more" if len(data.files) > 1 else ""
    return {
        "data": f"{data.hub_id}, {revision}; {pinned}; this code was checked with {data.origin}{same[data.as_checked]}",
        "files read": f"{files}{more}",
        "SHA-256" if len(data.files) < 2 else "SHA-256 of `sha256sum` of the files": data.sha256 or "none",
    }
