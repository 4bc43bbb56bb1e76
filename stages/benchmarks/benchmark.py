"""What a benchmark is: where its published files lie, how an item is asked, how a response is judged and averaged."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from stages.benchmarks.averages import Average, Judged, micro
from stages.benchmarks.decoding import Decoding
from stages.benchmarks.items import Item, Loaded, first_file, folder_of, items_of, read_items
from stages.data.files import DataError
from stages.rollout.engine import Prompt
from stages.verifiers.boxes import final_part
from stages.verifiers.verdict import Answer, Verdict

if TYPE_CHECKING:
    from stages.benchmarks.responses import Matched

__all__ = ["Benchmark", "Item", "Loaded", "field_id", "first_file", "folder_of", "items_of", "read_items"]

Score = Callable[[Sequence[tuple[Item, str]], int, float], list[Verdict]]
"""Verdicts of (item, text) pairs in order, given the verifier processes and the seconds of one comparison."""


def field_id(*names: str) -> Callable[[Mapping[str, Any]], str | None]:
    """The id that a row of responses holds in the first of the fields `names` that it has, else in `id`; None without."""

    def read(row: Mapping[str, Any]) -> str | None:
        found = next((row[name] for name in (*names, "id") if row.get(name) is not None), None)
        return None if found is None else str(found)

    return read


own_id = field_id()


def here() -> str | None:
    """For `Benchmark.unavailable` where nothing but this package is needed."""
    return None


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """One row of tables 2 and 3 of the report."""

    name: str
    """Folder of its files under evaluate.root, and its key in results."""
    title: str
    """As printed in the tables."""
    metric: str
    modality: Literal["text", "image"]
    tables: tuple[int, ...]
    """Numbers of the report's tables that have this row."""
    size: int
    """Items of the whole benchmark; 0 where the user chooses them."""
    split: str
    """Which of the published splits is scored."""
    hub_id: str
    """Data set on the hub."""
    revision: str | None
    """Commit of `hub_id` that is downloaded; None: no commit is pinned, so whoever downloads it chooses and names one."""
    origin: str
    """Repository and commit of the published files that this code was checked with."""
    content: str | None = None
    """SHA-256 of those files, as stages.benchmarks.protocol.data_read gives it; None where it is not recorded."""
    files: tuple[str, ...]
    """File names (or patterns) under <root>/<name>, of which the first that exists is read."""
    prompt_source: str
    """Whose prompt `prompt` is."""
    shots: int
    """Worked examples in the prompt."""
    extraction: str
    """How the answer is found in a response: one sentence for the protocol page."""
    rule: str
    """When an answer is right and how the headline is averaged: one sentence for the protocol page, with its source."""
    short_cot: Decoding
    """How responses of short-CoT models are drawn by default."""
    long_cot: Decoding
    """How responses of long-CoT models are drawn by default."""
    load: Callable[[Path], Loaded]
    """All items of a folder or data file that can be asked, pictures included. DataError names the path that is missing
    and what to put there, or the row at fault."""
    prompt: Callable[[Item], Prompt]
    score: Score
    """Judges the text of responses after their thinking part (call `judge`, which takes that off)."""
    keeps_thinking: bool = False
    """Whether `score` is given the thinking part too."""
    load_answers: Callable[[Path], Loaded] | None = None
    """All items whose answers are there, though their question or picture may be absent: enough to score responses that
    exist already. None: `load` asks for no more than that."""
    score_extraction: Score | None = None
    """Judges answers that somebody has extracted already; None where a row cannot give `extraction`."""
    by_model: "Callable[[Answer], Benchmark] | None" = None
    """The same rule with a model that takes the answers out of the responses; None where the authors ask none."""
    takes_verdicts: bool = False
    """Whether a row may give `verdicts` ("right", "wrong", "error" or true, false), reached elsewhere."""
    average: Callable[[Sequence[Judged]], Average] = micro
    """The headline score over all items, and the figures beside it."""
    row_id: Callable[[Mapping[str, Any]], str | None] = own_id
    """The item's id in a row of responses; None when the row has none."""
    match_rows: "Callable[[Benchmark, Sequence[Item], Path], Matched] | None" = None
    """The rows of a file by item, where rows have published forms of their own; None: stages.benchmarks.responses.match."""
    completed: Callable[[Item, Mapping[str, Any]], Item] | None = None
    """The item with what a row of responses knows of it and the data does not; None: rows bring nothing."""
    rules: Mapping[str, "Benchmark"] = field(default_factory=dict)
    """This benchmark under other scoring rules that published scores used, by name; the rule here is the default."""
    differs: str = ""
    """Of a named rule: what the default does otherwise, one sentence for the protocol page, figures with their source."""
    table_rules: Mapping[int, str] = field(default_factory=dict)
    """The name in `rules` of what table 2 or 3 of the report shows, where that is not the default."""
    vote: str | None = None
    """The name in `rules` of a majority vote, by which several samples of a model are scored; None where there is none."""
    inputs_prompt: Callable[[Item], Prompt] | None = None
    """Asks the model for the test inputs of a vote over its samples; None where it is asked the items alone."""
    with_inputs: Callable[[Item, str], Item] | None = None
    """The item with the test inputs of such a response."""
    unavailable: Callable[[], str | None] = here
    """Why nothing can be scored here (a tool is missing, and what to install), in one line; None when it can."""
    groups: tuple[str, ...] = ()
    """Names of `Item.group` where each group is scored with tools of its own, of which some may be missing."""
    group_unavailable: Callable[[str], str | None] | None = None
    """Why the responses of a group cannot be scored here. With it, given responses are scored on the groups that have rows and
    tools; without, `unavailable` refuses them all."""

    def for_table(self, table: int | None, samples: int = 1) -> "Benchmark":
        """What table 2 or 3 of the report shows (None: the default), by the vote where there are several samples to vote on."""
        name = self.vote if samples > 1 and self.vote is not None else self.table_rules.get(table or 0)
        return self if name is None else self.rules[name]

    def differences(self) -> dict[str, str]:
        """What this rule does otherwise than the named ones, by their names, where that is known."""
        return {name: rule.differs for name, rule in self.rules.items() if rule.differs}

    def read(self, root: Path) -> Loaded:
        """The items under `root` that can be asked. DataError as `load`, and for two items of one id."""
        return self._checked(root / self.name, self.load)

    def read_answers(self, path: Path) -> Loaded:
        """The items that can be scored: `path` is this benchmark's folder, a root that holds it, or a data file."""
        nested = path / self.name
        return self._checked(nested if nested.is_dir() else path, self.load_answers or self.load)

    def judge(self, pairs: Sequence[tuple[Item, str]], workers: int, seconds: float) -> list[Verdict]:
        """Verdicts of (item, response) pairs in order; what stands before the end of the thinking part is not judged."""
        read = str if self.keeps_thinking else final_part
        return self.score([(item, read(response)) for item, response in pairs], workers, seconds)

    def how_to_get(self, folder: Path) -> str:
        """The command that downloads the data set into `folder`."""
        command = f"hf download {self.hub_id} --repo-type dataset --revision {self.revision or 'COMMIT'} --local-dir {folder}"
        unpinned = f" (no commit is pinned here, so name one of the hub's) or from {self.origin}" if self.revision is None else ""
        return f"get it by `{command}`{unpinned}"

    def _checked(self, path: Path, load: Callable[[Path], Loaded]) -> Loaded:
        if not path.is_file() and not any(any(path.glob(name)) for name in self.files):
            raise DataError(f"{path}: {self.title} needs {' or '.join(self.files)} there; {self.how_to_get(path)}")
        loaded = load(path)
        ids = [item.id for item in loaded.items]
        if len(set(ids)) < len(ids):
            raise DataError(f"{path}: the id {_first_twice(ids)!r} occurs twice; fetch the file again")
        if loaded.part is None and self.size and len(ids) != self.size:
            return replace(loaded, part=f"the file holds {len(ids)} of {self.size} items")
        return loaded


def _first_twice(ids: Sequence[str]) -> str:
    counts = Counter(ids)
    return next(name for name in ids if counts[name] > 1)
