"""Questions to whoever answers, and the responses judged; what cannot be asked is excluded by name and counts as wrong."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from stages.benchmarks.journal import Journal, Kept, Key, Slot
from stages.benchmarks.plan import plan
from stages.benchmarks.suites import Asked, Suite
from stages.rollout.responder import Failure, Outcome, Refusal, Responder, Response
from stages.verifiers.verdict import Verdict

Progress = Callable[[int, int], None]
"""Is told (responses done, responses in all)."""


@dataclass(frozen=True)
class Drawn:
    """What became of a question."""

    asked: Asked
    slots: tuple[Slot, ...]
    """What its k responses depend on."""
    responses: tuple[Response, ...]
    """The k responses; fewer where some failed, () when the question was excluded."""
    excluded: str | None
    """Why it could not be asked (a broken picture, a prompt over the context); None when it was."""
    failures: tuple[str, ...]
    """Why responses are missing that the same run may bring the next time."""


@dataclass(frozen=True)
class Answered:
    """A question with its responses and their verdicts."""

    drawn: Drawn
    verdicts: tuple[Verdict, ...]


def draw(responder: Responder, suites: Sequence[Suite], seed: int, journal: Journal, progress: Progress) -> list[list[Drawn]]:
    """Responses to every question of every suite, in order; what the journal has is not asked again.

    Equal responders, suites and `seed` give equal responses, in one run or, after a kill, in several. DataError as the
    responder's and the journal's; what was drawn before is in the journal."""
    batches = plan(suites, responder.batch, seed, responder.settings)
    kept = journal.restore([batch.all_slots() for batch in batches])
    failed: dict[Key, str] = {}
    waiting = [batch for batch in batches if any(slot.key not in kept for slot in batch.all_slots())]
    total = sum(len(batch.all_slots()) for batch in batches)
    progress(len(kept), total)

    def done(index: int, outcomes: list[Outcome]) -> None:
        entries: list[tuple[Slot, Kept]] = []
        for slots, outcome in zip(waiting[index].slots, outcomes, strict=True):
            if isinstance(outcome, Failure):
                failed.update({slot.key: outcome.reason for slot in slots})
            else:
                entries += zip(slots, outcome if isinstance(outcome, tuple) else [outcome] * len(slots), strict=True)
        journal.append(entries)
        kept.update({slot.key: one for slot, one in entries})
        progress(len(kept) + len(failed), total)

    responder.respond([batch.request for batch in waiting], done)
    by_question: dict[tuple[str, str], list[Slot]] = {}
    for slot in (slot for batch in batches for slot in batch.all_slots()):
        by_question.setdefault((slot.suite, slot.id), []).append(slot)
    journal.sort([slot for slots in by_question.values() for slot in slots])
    return [[_drawn(asked, by_question[suite.name, asked.id], kept, failed) for asked in suite.asked] for suite in suites]


def judge(suite: Suite, drawn: Sequence[Drawn]) -> list[Answered]:
    """The suite's questions with verdicts. DataError where its scorer cannot work."""
    pairs = [(index, response.text) for index, one in enumerate(drawn) for response in one.responses]
    verdicts = iter(suite.judge(pairs))
    return [Answered(one, tuple(next(verdicts) for _ in one.responses)) for one in drawn]


def _drawn(asked: Asked, slots: Sequence[Slot], kept: Mapping[Key, Kept], failed: Mapping[Key, str]) -> Drawn:
    found = [kept[slot.key] for slot in slots if slot.key in kept]
    responses = tuple(one for one in found if isinstance(one, Response))
    excluded = next((one.reason for one in found if isinstance(one, Refusal)), None)
    failures = tuple(failed[slot.key] for slot in slots if slot.key in failed)
    return Drawn(asked, tuple(slots), () if excluded is not None else responses, excluded, failures)
