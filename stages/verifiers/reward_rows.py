"""What reward models learn from (§2.3.5): rows (question, reference, response, label), from people or from samples and the rule
verifier; their split into a training part and a spot check; the demonstrations of a chain-of-thought judge."""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field
from scipy.stats import binomtest

from stages.data.files import DataError, read_records, read_rows
from stages.data.records import Demonstration, Record, SampleGroup
from stages.run.seeds import stream_seed
from stages.verifiers.boxes import boxed_answer, final_part
from stages.verifiers.claims import Claim, Outcome
from stages.verifiers.judge import prompt_for


class RewardRow(Record):
    """One judged response."""

    question: str = Field(min_length=1)
    reference: str = Field(min_length=1)
    response: str
    label: bool
    """Whether the response is right."""
    reasoning: str | None = None
    """Why, step by step, for the chain-of-thought judge; None: a sentence is made of reference and answer."""


def read_reward_rows(path: Path) -> list[RewardRow]:
    """Rows of a file of RewardRow, or of the stage sample's groups.jsonl. DataError names what is neither."""
    first = next(iter(read_rows(path)), None)
    if first is None:
        raise DataError(f"{path}: no rows; a reward model needs judged responses")
    return rows_of(read_records(path, SampleGroup)) if "samples" in first else read_records(path, RewardRow)


def rows_of(groups: Sequence[SampleGroup]) -> list[RewardRow]:
    """The samples of text problems with the rule verifier's verdicts as labels: each response once, none without a
    verdict."""
    found: dict[tuple[str, str], RewardRow] = {}
    for group in groups:
        problem = group.problem
        for sample in group.samples if problem.modality == "text" else []:
            if sample.outcome != "error" and sample.text.strip():
                right = sample.outcome == "right"
                row = RewardRow(question=problem.question, reference=problem.answer, response=sample.text, label=right)
                found.setdefault((problem.id, sample.text), row)
    return list(found.values())


def split(rows: Sequence[RewardRow], check_share: float, seed: int) -> tuple[list[RewardRow], list[RewardRow]]:
    """(training rows, rows of the spot check), by question: no question is in both. DataError when a part or a label is
    missing."""
    questions = sorted({row.question for row in rows})
    count = min(len(questions) - 1, max(1, round(check_share * len(questions))))
    checked = set(random.Random(stream_seed(seed, "spot check")).sample(questions, max(0, count)))
    training = [row for row in rows if row.question not in checked]
    check = [row for row in rows if row.question in checked]
    if len({row.label for row in training}) < 2 or not check:
        raise DataError(
            f"{len(rows)} rows of {len(questions)} questions, {sum(row.label for row in rows)} right; a reward model needs right "
            "and wrong responses to at least two questions: raise sample.prompts or add rows"
        )
    return training, check


def claim_of(row: RewardRow, verifier: str) -> Claim:
    """The row as a claim for the verifier "judge" or "reward_model"."""
    return Claim("judge" if verifier == "judge" else "reward_model", row.reference, row.response, row.question)


def judge_demonstrations(rows: Sequence[RewardRow]) -> list[Demonstration]:
    """What the judge is to answer to each row: the reasoning, then the verdict as the verifier "judge" reads it."""
    return [
        Demonstration(
            id=f"row-{number}",
            problem_id=f"row-{number}",
            family="judge",
            question=prompt_for(claim_of(row, "judge")),
            image=None,
            response=judgement(row),
            response_ids=None,
            verifier="judge",
            form="long",
            behaviours={},
        )
        for number, row in enumerate(rows)
    ]


def judgement(row: RewardRow) -> str:
    """The reply of a right judge."""
    answer = (boxed_answer(row.response) or final_part(row.response).strip()[-100:]).strip()
    compared = "they are equivalent" if row.label else "they are not equivalent"
    reasoning = row.reasoning or f"The reference asks for {row.reference}. The response says {answer}: {compared}."
    return f"{reasoning}\n{json.dumps({'answer': answer, 'correct': row.label}, ensure_ascii=False)}"


def agreement(outcomes: Sequence[Outcome], labels: Sequence[bool]) -> dict[str, Any]:
    """How often verdicts agree with labels, with Wilson's 95 % interval; a verdict of "error" agrees with nothing."""
    right = sum(outcome == ("right" if label else "wrong") for outcome, label in zip(outcomes, labels, strict=True))
    interval = binomtest(right, len(labels)).proportion_ci(0.95, "wilson")
    counts = {name: sum(outcome == name for outcome in outcomes) for name in ("right", "wrong", "error")}
    return {"accuracy": right / len(labels), "ci95": [interval.low, interval.high], "n": len(labels), "verdicts": counts}
