"""Suites: the questions of one score. Held-out problems make stand-in suites, by family; benchmarks make real ones."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from stages.benchmarks.benchmark import Benchmark, Item
from stages.benchmarks.decoding import Decoding
from stages.benchmarks.protocol import data_read
from stages.data.files import DataError
from stages.data.records import Problem
from stages.models.text_only import TEXT_ONLY
from stages.rollout.engine import Prompt
from stages.verifiers.claims import Claim, Verdict
from stages.verifiers.verdict import Answer, verify_all

POOLED = ("overall", "text", "image")
"""Names of the scores that pool all stand-in problems, the textual ones, those with pictures."""
SECONDS = 10.0
"""Wall-clock limit of one comparison."""


@dataclass(frozen=True)
class Asked:
    """One question as it is asked and recorded."""

    id: str
    prompt: Prompt
    question: str
    image: str | None
    gold: str


@dataclass(frozen=True)
class Suite:
    """Questions that are scored together."""

    name: str
    stand_in: bool
    modality: Literal["text", "image", "mixed"]
    decoding: Decoding
    """How responses are drawn, k of them to each question."""
    asked: tuple[Asked, ...]
    judge: Callable[[Sequence[tuple[int, str]]], list[Verdict]]
    """Verdicts of (index into `asked`, response) pairs, in order."""
    part: str | None
    """Which part of the whole this is and why; None for the whole."""
    items: tuple[Item, ...] = ()
    """Of a benchmark: its items, in the order of `asked`."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """Of a benchmark: what was read (stages.benchmarks.protocol.data_read)."""
    benchmark: Benchmark | None = None
    """Of a benchmark: the rules by which it is scored."""
    workers: int = 1
    """Processes that compare answers."""

    @property
    def samples(self) -> int:
        """k, the responses to each question."""
        return self.decoding.samples


def readable(problems: Sequence[Problem], pictures: bool) -> tuple[list[Problem], dict[str, str]]:
    """The problems that the model reads (all, or where it takes no `pictures` those without), and the suites that lack problems for
    it: name -> why. DataError where it reads none."""
    kept = [problem for problem in problems if pictures or problem.image is None]
    if problems and not kept:
        raise DataError(
            f"each of the {len(problems)} held-out problems has a picture, and this is a {TEXT_ONLY}; add sources of text"
        )
    all_of, left = (Counter(problem.family for problem in some) for some in (problems, kept))
    parts = {name: f"{TEXT_ONLY}: {left[name]} of {count} problems" if left[name] else TEXT_ONLY for name, count in all_of.items()}
    lacking = {name: why for name, why in parts.items() if left[name] < all_of[name]}
    return kept, lacking | ({"image": TEXT_ONLY} if lacking else {})


def stand_in_suites(problems: Sequence[Problem], decoding: Decoding, workers: int, judging: Answer | None = None) -> list[Suite]:
    """One suite a family, by name; `judging` answers for the verifier "judge". DataError for a family that has the name of a pooled
    score, and for no problems."""
    families: dict[str, list[Problem]] = {}
    for problem in problems:
        families.setdefault(problem.family, []).append(problem)
    if not families:
        raise DataError("no held-out problems; give collect.sources a heldout above 0")
    for name in POOLED:
        if name in families:
            raise DataError(f"the family {name!r} (problem {families[name][0].id}) has the name of a pooled score; rename it")
    return [_stand_in(name, families[name], decoding, workers, judging) for name in sorted(families)]


def benchmark_suite(benchmark: Benchmark, root: Path, limit: int | None, decoding: Decoding, workers: int) -> Suite:
    """The benchmark's items under `root`, at most `limit` of them, evenly spaced. DataError when they cannot be had."""
    loaded = benchmark.read(root)
    items, part = loaded.items, loaded.part
    if limit is not None and limit < len(items):
        part = "; ".join(filter(None, [f"limited to {limit} of {len(items)} items, evenly spaced", part]))
        items = [items[index * len(items) // limit] for index in range(limit)]
    asked = tuple(_asked_item(item, benchmark.prompt(item)) for item in items)
    judge, data = _judging(benchmark, items, workers), data_read(benchmark, loaded.files)
    return Suite(benchmark.name, False, benchmark.modality, decoding, asked, judge, part, tuple(items), data, benchmark, workers)


def inputs_suite(suite: Suite) -> Suite | None:
    """What asks the model, once a problem, for the test inputs by which its samples are voted on; None where nothing is voted on.

    Its responses are not judged."""
    ask = suite.benchmark.inputs_prompt if suite.benchmark is not None else None
    if ask is None or suite.samples < 2:
        return None
    asked = tuple(_asked_item(item, ask(item)) for item in suite.items)
    return replace(suite, name=f"{suite.name}_inputs", decoding=replace(suite.decoding, samples=1), asked=asked, judge=_unjudged)


def with_inputs(suite: Suite, responses: Mapping[str, str]) -> Suite:
    """The suite that knows, by item, what the model wrote when asked for test inputs."""
    benchmark = suite.benchmark
    if benchmark is None or benchmark.with_inputs is None:
        return suite
    items = tuple(benchmark.with_inputs(item, responses.get(item.id, "")) for item in suite.items)
    return replace(suite, items=items, judge=_judging(benchmark, items, suite.workers))


def _judging(benchmark: Benchmark, items: Sequence[Item], workers: int) -> Callable[[Sequence[tuple[int, str]]], list[Verdict]]:
    def judge(pairs: Sequence[tuple[int, str]]) -> list[Verdict]:
        return benchmark.judge([(items[index], response) for index, response in pairs], workers, SECONDS)

    return judge


def _unjudged(pairs: Sequence[tuple[int, str]]) -> list[Verdict]:
    return [Verdict("error", None, "test inputs are not judged") for _ in pairs]


def _stand_in(name: str, problems: Sequence[Problem], decoding: Decoding, workers: int, judging: Answer | None) -> Suite:
    def judge(pairs: Sequence[tuple[int, str]]) -> list[Verdict]:
        claims = [
            Claim(problems[index].verifier, problems[index].answer, response, problems[index].question) for index, response in pairs
        ]
        return verify_all(claims, workers, SECONDS, judging)

    asked = tuple(Asked(p.id, Prompt.of(p), p.question, p.image, p.answer) for p in problems)
    return Suite(name, True, modality([p.image for p in problems]), decoding, asked, judge, None)


def modality(images: Sequence[str | None]) -> Literal["text", "image", "mixed"]:
    """Whether the questions come with no pictures, all with one, or both kinds."""
    with_picture = sum(image is not None for image in images)
    return "text" if not with_picture else "image" if with_picture == len(images) else "mixed"


def _asked_item(item: Item, prompt: Prompt) -> Asked:
    return Asked(item.id, prompt, item.question, item.image, item.gold)
