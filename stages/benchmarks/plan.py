"""Which responses are drawn together: the batches of a whole evaluation, fixed before the first is drawn.

So a run that is killed and goes on draws what it would have drawn without the kill."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from stages.benchmarks.decoding import Decoding
from stages.benchmarks.journal import Slot, prompt_hash
from stages.benchmarks.suites import Asked, Suite
from stages.rollout.engine import Sampling
from stages.rollout.responder import Request
from stages.run.seeds import stream_seed

_Question = tuple[str, Asked, str]
"""Suite, question, hash of its prompt."""


@dataclass(frozen=True)
class Batch:
    """A request and the responses that it is to bring."""

    request: Request
    slots: tuple[tuple[Slot, ...], ...]
    """For each prompt, one a sample."""

    def all_slots(self) -> list[Slot]:
        """The slots of all prompts."""
        return [slot for group in self.slots for slot in group]


def plan(suites: Sequence[Suite], size: int, seed: int, settings: Mapping[str, Any]) -> list[Batch]:
    """Batches of at most `size` responses. Neighbouring suites with the same decoding share batches.

    Of a question with more samples than `size` each batch has a part of them, else the batch has them all."""
    batches: list[Batch] = []
    for decoding, group in groupby(suites, lambda suite: suite.decoding):
        questions = [(suite.name, asked, prompt_hash(asked.prompt)) for suite in group for asked in suite.asked]
        batches += _batches(questions, decoding, size, seed, settings)
    return batches


def _batches(
    questions: Sequence[_Question], decoding: Decoding, size: int, seed: int, settings: Mapping[str, Any]
) -> Iterator[Batch]:
    drawn = {"temperature": decoding.temperature, "top_p": decoding.top_p, "max_tokens": decoding.max_tokens, **settings}
    width = max(1, size // decoding.samples)
    for start in range(0, len(questions), width):
        chunk = questions[start : start + width]
        prompts = tuple(asked.prompt for _, asked, _ in chunk)
        for first in range(0, decoding.samples, size):
            numbers = range(first, min(first + size, decoding.samples))
            own = stream_seed(seed, "evaluate", chunk[0][0], chunk[0][1].id, first)
            sampling = Sampling(decoding.temperature, decoding.top_p, decoding.max_tokens, own)
            slots = tuple(tuple(Slot(suite, asked.id, n, found, drawn, own) for n in numbers) for suite, asked, found in chunk)
            yield Batch(Request(prompts, len(numbers), sampling), slots)
