"""Questions to an engine, and its responses judged; what cannot be asked is excluded by name and counts as wrong."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

from stages.benchmarks.suites import Asked, Suite
from stages.data.files import DataError
from stages.rollout.engine import Completion, Engine, Sampling
from stages.run.seeds import stream_seed
from stages.verifiers.verdict import Verdict


@dataclass(frozen=True)
class Draw:
    """How responses are drawn."""

    temperature: float
    top_p: float
    max_tokens: int
    seed: int
    batch: int
    """Responses generated side by side."""


@dataclass(frozen=True)
class Answered:
    """A question with its responses and their verdicts."""

    asked: Asked
    completions: tuple[Completion, ...]
    """The k responses; () when the question was excluded."""
    verdicts: tuple[Verdict, ...]
    excluded: str | None
    """Why the engine could not be asked (a broken picture, a prompt over the context); None when it was."""
    seed: int
    """Seed of the batch in which the responses were drawn."""


Drawn = tuple[Asked, tuple[Completion, ...], str | None, int]
Progress = Callable[[int, int], None]


def answer(engine: Engine, suites: Sequence[Suite], draw: Draw, progress: Progress) -> list[list[Answered]]:
    """Every question of every suite, in order. Suites with the same k are generated in common batches.

    Equal engines, suites and `draw` give equal responses. `progress` is told (responses done, responses in all)."""
    total = sum(len(suite.asked) * suite.samples for suite in suites)
    done = 0

    def advance(responses: int) -> None:
        nonlocal done
        done += responses
        progress(done, total)

    drawn: list[Drawn] = []
    for samples, group in groupby(suites, lambda suite: suite.samples):
        questions = [asked for suite in group for asked in suite.asked]
        drawn += _draw_all(engine, questions, samples, draw, advance)
    return _judge_all(suites, drawn)


def _draw_all(engine: Engine, questions: Sequence[Asked], samples: int, draw: Draw, advance: Callable[[int], None]) -> list[Drawn]:
    drawn: list[Drawn] = []
    size = max(1, draw.batch // samples)
    for start in range(0, len(questions), size):
        chunk = questions[start : start + size]
        seed = stream_seed(draw.seed, "evaluate", chunk[0].id, start)
        drawn += _draw(engine, chunk, samples, Sampling(draw.temperature, draw.top_p, draw.max_tokens, seed))
        advance(len(chunk) * samples)
    return drawn


def _draw(engine: Engine, questions: Sequence[Asked], samples: int, sampling: Sampling) -> list[Drawn]:
    """Responses to `questions`; where the engine refuses, the halves are tried, down to the questions at fault."""
    try:
        groups = engine.generate([asked.prompt for asked in questions], sampling, samples)
    except DataError as error:
        if len(questions) == 1:
            return [(questions[0], (), str(error), sampling.seed)]
        middle = len(questions) // 2
        return [found for half in (questions[:middle], questions[middle:]) for found in _draw(engine, half, samples, sampling)]
    return [(asked, tuple(group), None, sampling.seed) for asked, group in zip(questions, groups, strict=True)]


def _judge_all(suites: Sequence[Suite], drawn: Sequence[Drawn]) -> list[list[Answered]]:
    answered, start = [], 0
    for suite in suites:
        mine = drawn[start : start + len(suite.asked)]
        start += len(mine)
        pairs = [(index, completion.text) for index, (_, group, _, _) in enumerate(mine) for completion in group]
        verdicts = iter(suite.judge(pairs))
        answered.append(
            [Answered(asked, group, tuple(next(verdicts) for _ in group), excluded, seed) for asked, group, excluded, seed in mine]
        )
    return answered
