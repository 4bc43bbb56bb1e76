"""Flat tables of a data set, one row a record: what the gate (stages/data/expectations.py) looks at."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stages.data.images import fault
from stages.data.records import CuratedProblem, Demonstration
from stages.data.wording import ends_boxed

if TYPE_CHECKING:
    import pandas

PROBLEM_COLUMNS = (
    *("id", "source", "licence", "family", "domain", "modality", "split", "verifier", "grade", "pass_rate"),
    *("question_characters", "answer_characters", "has_image", "image_fault", "answer_fault", "dropped_share"),
)
DEMONSTRATION_COLUMNS = (
    *("id", "problem_id", "family", "modality", "form", "response_characters", "ends_boxed"),
    *("behaviours", "verdict", "image_fault", "in_prompt_set"),
)
NO_FAULT = "none"


def prompt_set_table(problems: Sequence[CuratedProblem], faults: Mapping[str, str], dropped_share: float) -> "pandas.DataFrame":
    """Profile of a prompt set. `faults`: id -> why its gold answer cannot be verified. `dropped_share` is the share
    of the collected problems that curation removed (the same in every row). Pictures are opened and decoded."""
    import pandas

    rows = [
        (
            *(problem.id, problem.source, problem.licence, problem.family, problem.domain, problem.modality),
            *(problem.split, problem.verifier, problem.grade, problem.pass_rate),
            *(len(problem.question), len(problem.answer), problem.image is not None),
            _image_fault(problem.image),
            faults.get(problem.id, NO_FAULT),
            dropped_share,
        )
        for problem in problems
    ]
    return pandas.DataFrame(rows, columns=list(PROBLEM_COLUMNS))


def demonstration_table(
    demonstrations: Sequence[Demonstration],
    verdicts: Sequence[str],
    prompt_ids: frozenset[str],
) -> "pandas.DataFrame":
    """Profile of a set of demonstrations; `verdicts` are their outcomes in order, `prompt_ids` the prompts they may
    answer."""
    import pandas

    rows = [
        (
            *(demonstration.id, demonstration.problem_id, demonstration.family),
            "image" if demonstration.image else "text",
            *(demonstration.form, len(demonstration.response), ends_boxed(demonstration.response)),
            *(sum(demonstration.behaviours.values()), verdict, _image_fault(demonstration.image)),
            demonstration.problem_id in prompt_ids,
        )
        for demonstration, verdict in zip(demonstrations, verdicts, strict=True)
    ]
    return pandas.DataFrame(rows, columns=list(DEMONSTRATION_COLUMNS))


def _image_fault(image: str | None) -> str:
    return NO_FAULT if image is None else fault(Path(image)) or NO_FAULT
