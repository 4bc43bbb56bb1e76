"""Questions to whoever answers, and the responses judged; what cannot be asked is excluded by name and counts as wrong."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stages.benchmarks.journal import Journal, Kept, Key, Slot
from stages.benchmarks.plan import Batch, plan
from stages.benchmarks.suites import Asked, Suite
from stages.data.files import write_bytes, write_text
from stages.rollout.responder import Failure, Outcome, Refusal, Responder, Response
from stages.run.ranks import rank, share, world_size
from stages.verifiers.verdict import Verdict

POLL = 0.2
"""Seconds between two looks for the other ranks."""
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
    kept, failed = _ask(responder, batches, journal, progress)
    by_question: dict[tuple[str, str], list[Slot]] = {}
    for slot in (slot for batch in batches for slot in batch.all_slots()):
        by_question.setdefault((slot.suite, slot.id), []).append(slot)
    journal.sort([slot for slots in by_question.values() for slot in slots])
    return [[_drawn(asked, by_question[suite.name, asked.id], kept, failed) for asked in suite.asked] for suite in suites]


def draw_together(
    responder: Responder, suites: Sequence[Suite], seed: int, folder: Path, progress: Progress
) -> list[list[Drawn]] | None:
    """As `draw`, by all ranks: each asks every n-th batch, and the first rank gets all responses, the others None. `folder` holds
    them until the run has ended; the same command goes on from there."""
    whole = folder / "responses.jsonl"
    if world_size() > 1:
        own = Journal({suite.name: _part(folder, rank()) for suite in suites})
        _ask(responder, share(plan(suites, responder.batch, seed, responder.settings)), own, progress if rank() == 0 else _silent)
        write_text(_mark(folder, rank()), "")
        if rank() > 0:
            return None
        while not all(_mark(folder, other).exists() for other in range(world_size())):
            time.sleep(POLL)
        parts = [path for other in range(world_size()) if (path := _part(folder, other)).exists()]
        write_bytes(whole, b"".join(path.read_bytes() for path in parts))
    return draw(responder, suites, seed, Journal({suite.name: whole for suite in suites}), progress)


def judge(suite: Suite, drawn: Sequence[Drawn]) -> list[Answered]:
    """The suite's questions with verdicts. DataError where its scorer cannot work."""
    pairs = [(index, response.text) for index, one in enumerate(drawn) for response in one.responses]
    verdicts = iter(suite.judge(pairs))
    return [Answered(one, tuple(next(verdicts) for _ in one.responses)) for one in drawn]


def _ask(
    responder: Responder, batches: Sequence[Batch], journal: Journal, progress: Progress
) -> tuple[dict[Key, Kept], dict[Key, str]]:
    """Ask what the journal does not have: the responses that are there, and why others failed."""
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
    return kept, failed


def _part(folder: Path, number: int) -> Path:
    """What a rank was answered."""
    return folder / f"responses-{number}.jsonl"


def _mark(folder: Path, number: int) -> Path:
    """There when a rank has asked all that it should."""
    return folder / f"done-{number}"


def _silent(_done: int, _total: int) -> None:
    """The first rank alone tells how far it is."""


def _drawn(asked: Asked, slots: Sequence[Slot], kept: Mapping[Key, Kept], failed: Mapping[Key, str]) -> Drawn:
    found = [kept[slot.key] for slot in slots if slot.key in kept]
    responses = tuple(one for one in found if isinstance(one, Response))
    excluded = next((one.reason for one in found if isinstance(one, Refusal)), None)
    failures = tuple(failed[slot.key] for slot in slots if slot.key in failed)
    return Drawn(asked, tuple(slots), () if excluded is not None else responses, excluded, failures)
