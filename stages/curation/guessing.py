r"""The easy-to-hack filter (§2.1): a prompt whose answer can be guessed without reasoning teaches guessing.

A model gives the bare answer N times: its response is begun with \boxed, so that no reasoning can stand before it, whether
or not the model heeds an instruction. Where few answers are possible, guesses hit by chance too; a prompt goes when it is hit
more often than chance explains. Where answers differ from problem to problem that is the report's rule: one right guess of N
removes."""

import math
import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any

from stages.curation.measure import Measure
from stages.data.records import Problem
from stages.prompts.prompt import BOXED, Prompt

BARE_ANSWER = "Give only the final answer in \\boxed{}, without any reasoning."
BEGUN = "\\boxed"
"""Without its brace, which tokenizers join with what follows."""
GUESS_TOKENS = 32
"""Ours: tokens of a bare answer at most; a longer one is no guess."""
GUESSABLE = 0.5
LEVEL = 0.1
"""Ours: hits that blind guesses reach with at least this probability remove nothing."""


def probed(problems: Sequence[Problem], share: float, seed: int) -> list[Problem]:
    """Return a random `share` of the problems with a boxed answer, chosen by `seed`, in their order:
    those that are probed for guesses."""
    boxed = [problem for problem in problems if problem.verifier in BOXED]
    count = round(share * len(boxed))
    chosen = set(random.Random(seed).sample(range(len(boxed)), count))
    return [problem for place, problem in enumerate(boxed) if place in chosen]


def bare(problem: Problem) -> Prompt:
    """A problem asked for its bare answer, the response begun."""
    return replace(Prompt.of(problem), instruction=BARE_ANSWER, begun=BEGUN)


def right_guesses(measure: Measure, problems: Sequence[Problem], count: int) -> dict[str, int]:
    """id -> how many of `count` guesses without reasoning are right."""
    return measure.count_right("guess", problems, count, GUESS_TOKENS, bare)


def exclusions(problems: Sequence[Problem], right: Mapping[str, int], count: int) -> dict[str, str]:
    """id -> reason for every probed problem of `problems` that was hit more often than chance explains in its family."""
    needed = {family: hits_needed(_answers(members), count) for family, members in _families(problems).items()}
    return {
        problem.id: f"{right[problem.id]} of {count} guesses without reasoning right, {needed[problem.family]} are beyond chance"
        for problem in problems
        if right.get(problem.id, 0) >= needed[problem.family]
    }


def blind_chance(answers: Sequence[str]) -> float:
    """Probability that a blind guess is right when guesses and answers follow the shares of `answers`: that two problems have the
    same answer, sum c (c - 1) / (n (n - 1)). 0 for one answer, of which nothing is known."""
    total = len(answers)
    pairs = sum(count * (count - 1) for count in Counter(answers).values())
    return pairs / (total * (total - 1)) if total > 1 else 0.0


def hits_needed(answers: Sequence[str], count: int) -> int:
    """The least number of right guesses of `count`, at least 1, that blind ones reach with a probability of less than LEVEL. 1 also
    where blind guesses are right as often as wrong (GUESSABLE): that teaches guessing whatever the model knows."""
    chance = blind_chance(answers)
    if chance >= GUESSABLE:
        return 1
    tails = accumulate(math.comb(count, hits) * chance**hits * (1 - chance) ** (count - hits) for hits in range(count + 1))
    return next((hits for hits, below in enumerate(tails, 1) if 1 - below < LEVEL), 1)


def chance_of_hit(answers: Sequence[str], count: int) -> float:
    """Probability that one of `count` blind guesses is right: 1 - (1 - blind_chance)^count."""
    return 1.0 - (1.0 - blind_chance(answers)) ** count


def by_family(problems: Sequence[Problem], right: Mapping[str, int], count: int) -> dict[str, dict[str, Any]]:
    """For each family: problems probed, those with a right guess and the share that blind chance would hit, the hits needed to
    remove one and those removed, and the different answers it has."""
    removed = exclusions(problems, right, count)
    return {
        family: {
            "probed": sum(problem.id in right for problem in members),
            "hit": sum(right.get(problem.id, 0) > 0 for problem in members),
            "chance_of_hit": round(chance_of_hit(_answers(members), count), 4),
            "hits_needed": hits_needed(_answers(members), count),
            "removed": sum(problem.id in removed for problem in members),
            "different_answers": len(set(_answers(members))),
        }
        for family, members in sorted(_families(problems).items())
    }


def _families(problems: Sequence[Problem]) -> dict[str, list[Problem]]:
    families: dict[str, list[Problem]] = defaultdict(list)
    for problem in problems:
        families[problem.family].append(problem)
    return families


def _answers(problems: Sequence[Problem]) -> list[str]:
    return [problem.answer for problem in problems]
