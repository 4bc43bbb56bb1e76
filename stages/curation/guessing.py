"""The easy-to-hack filter (§2.1): a prompt whose answer can be guessed without reasoning teaches guessing.

A model is asked for the bare answer N times; one right guess removes the prompt. Where few answers are possible,
guesses hit by chance too: the probability of that is computed for each family and stands in the funnel beside the
hits."""

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from stages.curation.measure import Measure
from stages.data.records import Problem

BARE_ANSWER = "Give only the final answer in \\boxed{}, without any reasoning."


def probed(problems: Sequence[Problem], share: float, seed: int) -> list[Problem]:
    """The share of the problems that is probed, drawn by `seed`, in their own order."""
    count = round(share * len(problems))
    chosen = set(random.Random(seed).sample(range(len(problems)), count))
    return [problem for place, problem in enumerate(problems) if place in chosen]


def right_guesses(measure: Measure, problems: Sequence[Problem], count: int) -> dict[str, int]:
    """id -> how many of `count` guesses without reasoning are right. A guess gets a twentieth of the context."""
    return measure.count_right("guess", problems, BARE_ANSWER, count, max(8, measure.context // 20))


def exclusions(right: dict[str, int], count: int) -> dict[str, str]:
    """id -> reason for every probed problem with a right guess."""
    return {identity: f"{hits} of {count} guesses without reasoning right" for identity, hits in right.items() if hits}


def chance_of_hit(answers: Sequence[str], count: int) -> float:
    """Probability that one of `count` blind guesses is right, when guesses and answers follow the shares of `answers`.

    A blind guess is right with probability s = sum of squared shares, so 1 - (1 - s)^count."""
    shares = [number / len(answers) for number in Counter(answers).values()]
    return 1.0 - (1.0 - sum(share * share for share in shares)) ** count


def by_family(problems: Sequence[Problem], right: dict[str, int], count: int) -> dict[str, dict[str, Any]]:
    """For each family: problems probed, hit, the share that blind chance would hit, and the different answers it
    has."""
    families: dict[str, list[Problem]] = defaultdict(list)
    for problem in problems:
        families[problem.family].append(problem)
    return {
        family: {
            "probed": sum(problem.id in right for problem in members),
            "hit": sum(right.get(problem.id, 0) > 0 for problem in members),
            "chance_of_hit": round(chance_of_hit([problem.answer for problem in members], count), 4),
            "different_answers": len({problem.answer for problem in members}),
        }
        for family, members in sorted(families.items())
    }
