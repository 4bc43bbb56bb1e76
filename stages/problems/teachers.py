"""Other teachers than the procedural solvers (§2.2): a model behind an address, a checkpoint here, or a file of demonstrations.

The report elicits long reasoning paths "through prompt engineering" and keeps those whose answer is verified; it gives neither
prompt nor model. The wording is ours: it asks for the four behaviours. Whatever the teacher answered lies in a journal, keyed by
the prompt and the teacher's settings, so that it is not asked again: not after a kill, and not because the prompt set grew."""

from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import Field

from stages.data.files import DataError, read_records
from stages.data.journal import append, restored
from stages.data.records import CuratedProblem, Demonstration, Record
from stages.problems.behaviours import count_behaviours
from stages.problems.teaching import demonstrations
from stages.prompts.prompt import Prompt
from stages.rollout.asking import responder_of
from stages.rollout.engine import Sampling
from stages.rollout.responder import Failure, Outcome, Refusal, Request, Responder
from stages.run.optional import Teacher, WarmUp
from stages.run.seeds import stream_seed
from stages.run.spool import stage_spool
from stages.run.state import content_hash, kept_folder

ELICIT = (
    "Think step by step and at length before you answer. First make a plan: lay out the steps that you will take. Then carry it "
    "out, check every intermediate result, and say what you checked. Where a step turns out wrong or unclear, say so, go back and "
    "correct it. Consider another way to the solution, and compare what it gives. Only then give the final answer in \\boxed{}."
)


SECONDS = 1800.0
"""Limit of one answer of a teacher behind an address."""


class Taught(Record):
    """One answer of a teacher, as its journal holds it."""

    prompt: str
    """SHA-256 of question, instruction and picture."""
    number: int = Field(ge=0)
    """Which try it was."""
    response: str | None
    """With the thinking that an endpoint gives apart; None for a prompt that cannot be asked, or an answer cut at its limit."""
    reason: str
    """Why there is no response, "" otherwise."""


class Given(Record):
    """One row of a file of demonstrations."""

    problem_id: str = Field(min_length=1)
    response: str = Field(min_length=1)


def taught(
    problems: Sequence[CuratedProblem], warm_up: WarmUp, seed: int, batch: int
) -> tuple[list[Demonstration], dict[str, int]]:
    """What the teacher of params.yaml writes, and how often it was asked: by default the solvers and published solutions."""
    teacher = warm_up.teacher
    if teacher is None:
        return [row for problem in problems for row in demonstrations(problem, warm_up, seed)], {}
    if teacher.file is not None:
        return from_file(Path(teacher.file), problems), {}
    responder = responder_of(str(teacher.model), teacher.endpoint, batch, SECONDS)
    settings = teacher.model_dump(exclude={"per_prompt", "endpoint"})
    journal = kept_folder("warm_up", [], [seed, settings]) / "taught.jsonl"
    return ask(problems, teacher, responder, warm_up.tries, seed, journal, stage_spool("warm_up").progress)


def from_file(path: Path, problems: Sequence[CuratedProblem]) -> list[Demonstration]:
    """Demonstrations of a file for those of `problems` that it names, numbered in its order. DataError when it names none."""
    by_id: dict[str, list[str]] = {}
    for row in read_records(path, Given):
        by_id.setdefault(row.problem_id, []).append(row.response)
    found = [demonstration(problem, number, text) for problem in problems for number, text in enumerate(by_id.get(problem.id, []))]
    if not found:
        raise DataError(f"{path}: none of its {len(by_id)} problem ids is in the prompt set; use the ids of problems.jsonl")
    return found


def ask(
    problems: Sequence[CuratedProblem],
    teacher: Teacher,
    responder: Responder,
    tries: int,
    seed: int,
    journal: Path,
    progress: Callable[[int, int, str], None],
) -> tuple[list[Demonstration], dict[str, int]]:
    """`tries` answers of the teacher to every problem, and how many were asked now, kept from before, and came to nothing.

    DataError when nothing more can be asked; what was answered until then stays in the journal."""
    hashes = [_hash(problem) for problem in problems]
    known = {(row.prompt, row.number): row for row in restored(journal, Taught)}
    slots = [(place, number) for number in range(tries) for place in range(len(problems))]
    waiting = [slot for slot in slots if (hashes[slot[0]], slot[1]) not in known]
    size = max(1, responder.batch)
    groups = [group for number in range(tries) for group in _chunks([slot for slot in waiting if slot[1] == number], size)]
    failures: list[str] = []

    def done(index: int, outcomes: list[Outcome]) -> None:
        rows = [taught for slot, outcome in zip(groups[index], outcomes, strict=True) if (taught := _taught(slot, outcome))]
        failures.extend(outcome.reason for outcome in outcomes if isinstance(outcome, Failure))
        append(journal, rows)
        known.update({(row.prompt, row.number): row for row in rows})
        progress(sum((hashes[place], number) in known for place, number in slots), len(slots), "demonstrations asked")

    def _taught(slot: tuple[int, int], outcome: Outcome) -> Taught | None:
        return None if isinstance(outcome, Failure) else taught_of(hashes[slot[0]], slot[1], outcome)

    responder.respond([_request(group, problems, hashes, teacher, seed) for group in groups], done)
    if waiting and len(failures) == len(waiting):
        raise DataError(f"the teacher answered none of {len(waiting)} prompts; the last failure: {failures[-1]}")
    texts = {(place, number): known[key].response for place, number in slots if (key := (hashes[place], number)) in known}
    rows = [
        demonstration(problem, number, text)
        for place, problem in enumerate(problems)
        for number in range(tries)
        if (text := texts.get((place, number)))
    ]
    return rows, {"asked": len(waiting), "from_the_journal": len(slots) - len(waiting), "without_response": len(slots) - len(rows)}


def taught_of(prompt: str, number: int, outcome: Outcome) -> Taught:
    """One outcome, not a failure, as the journal keeps it."""
    if isinstance(outcome, Refusal | Failure):
        return Taught(prompt=prompt, number=number, response=None, reason=outcome.reason)
    (response,) = outcome
    if response.finish == "length":
        return Taught(prompt=prompt, number=number, response=None, reason="cut at max_tokens")
    text = "\n\n".join(part.strip() for part in (response.reasoning or "", response.text) if part.strip())
    return Taught(prompt=prompt, number=number, response=text or None, reason="" if text else "an empty answer")


def demonstration(problem: CuratedProblem, number: int, response: str) -> Demonstration:
    """A teacher's answer to a problem, its behaviours counted."""
    return Demonstration(
        id=f"{problem.id}-long-{number}",
        problem_id=problem.id,
        family=problem.family,
        question=problem.question,
        image=problem.image,
        response=response,
        response_ids=None,
        verifier=problem.verifier,
        form="long",
        behaviours=count_behaviours(response),
    )


def _request(
    group: Sequence[tuple[int, int]], problems: Sequence[CuratedProblem], hashes: Sequence[str], teacher: Teacher, seed: int
) -> Request:
    """The prompts of one group, drawn by a stream that belongs to the first of them and the number of the try."""
    prompts = tuple(Prompt(problems[place].question, problems[place].image, ELICIT) for place, _ in group)
    own = stream_seed(seed, "teacher", hashes[group[0][0]], group[0][1])
    return Request(prompts, 1, Sampling(teacher.temperature, 1.0, teacher.max_tokens, own))


def _hash(problem: CuratedProblem) -> str:
    pictures = [Path(problem.image)] if problem.image else []
    return content_hash(pictures, [problem.question, ELICIT])


def _chunks(slots: Sequence[tuple[int, int]], size: int) -> list[Sequence[tuple[int, int]]]:
    return [slots[start : start + size] for start in range(0, len(slots), size)]
