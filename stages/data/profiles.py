"""Flat tables of a data set, one row a record: what the gate (stages/data/expectations.py) looks at."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stages.data.images import Look, look
from stages.data.records import CuratedProblem, Demonstration
from stages.data.wording import ends_boxed
from stages.prompts.prompt import BOXED

if TYPE_CHECKING:
    import pandas

PROBLEM_COLUMNS = (
    *("id", "source", "licence", "family", "domain", "modality", "split", "verifier", "grade", "pass_rate"),
    *("question_characters", "answer_characters", "answer_fault", "picture", "image_fault", "picture_mode", "picture_pixels"),
    *("picture_aspect", "domain_share", "dropped_share", "template_loss"),
)
DEMONSTRATION_COLUMNS = (
    *("id", "problem_id", "family", "modality", "form", "response_characters", "ends_boxed"),
    *("behaviours", "verdict", "picture", "image_fault", "in_prompt_set"),
)
NO_FAULT = "none"
TESTS = ("code", "instructions")
"""Verifiers whose gold answer is a list of tests of any length."""


def _ends(demonstration: Demonstration) -> bool:
    """Whether a demonstration ends in its box, or no verifier would look for one."""
    return demonstration.verifier not in BOXED or ends_boxed(demonstration.response)


def prompt_set_table(
    problems: Sequence[CuratedProblem], faults: Mapping[str, str], dropped_share: float, template_loss: float = 0.0
) -> "pandas.DataFrame":
    """Profile of a prompt set. `faults`: id -> why its gold answer cannot be verified. `dropped_share` is the share
    of the collected problems that curation removed, `template_loss` the share of those measured that the chat template made too
    long (both the same in every row), "domain_share" that of the row's domain. Pictures are opened and decoded."""
    import pandas

    domains = Counter(problem.domain for problem in problems)
    rows = [
        (
            *(problem.id, problem.source, problem.licence, problem.family, problem.domain, problem.modality),
            *(problem.split, problem.verifier, problem.grade, problem.pass_rate, len(problem.question)),
            None if problem.verifier in TESTS else len(problem.answer),
            faults.get(problem.id, NO_FAULT),
            *_picture(problem.image),
            domains[problem.domain] / len(problems),
            dropped_share,
            template_loss,
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
            *(demonstration.form, len(demonstration.response), _ends(demonstration)),
            *(sum(demonstration.behaviours.values()), verdict, *_picture(demonstration.image)[:2]),
            demonstration.problem_id in prompt_ids,
        )
        for demonstration, verdict in zip(demonstrations, verdicts, strict=True)
    ]
    return pandas.DataFrame(rows, columns=list(DEMONSTRATION_COLUMNS))


def _picture(image: str | None) -> tuple[int, str, str | None, float, float]:
    """The columns picture (1 or 0), image_fault, picture_mode, picture_pixels, picture_aspect."""
    found = Look(None) if image is None else look(Path(image))
    return int(image is not None), found.fault or NO_FAULT, found.mode, found.pixels, found.aspect
