"""The text families at levels above 1: more digits, longer searches, more clues, more steps, things that do not matter. What
stretches a pretrained language model, which solves level 1 after minutes of SFT."""

import random

from stages.problems.search import Puzzle, Trial
from stages.problems.text_worlds import NAMES, THINGS

CANDIDATES = {2: 8, 3: 10, 4: 14}
"""Numbers that are tried at each level; of `logic` twice as many."""
FACTORS = {2: range(11, 30), 3: range(11, 100), 4: range(101, 1000)}
DIVISORS = {2: range(8, 13), 3: range(13, 60), 4: range(31, 100)}
SMALL_DIVISORS = (3, 4, 5, 6, 7, 8, 9, 11)
LEVELS = (1, *CANDIDATES)


def arithmetic(rng: random.Random, level: int) -> Puzzle:
    """The smallest x for which a*x leaves a given remainder; a trial is a product and a division."""
    a, _, m, trials = _division(rng, level, (0,))
    rest = trials[-1].brief.partition("?")[2]
    question = (
        f"Find the smallest whole number x, starting from 0, for which {a}*x leaves the remainder {rest} when divided by {m}."
    )
    return Puzzle(question, trials, CANDIDATES[level], f"remainder {a} {m} {rest}")


def word_problem(rng: random.Random, level: int) -> Puzzle:
    """A division told as a story, with a number to be added and, between, one that does not matter."""
    a, b, m, trials = _division(rng, level, range(2, 10 * level))
    rest = trials[-1].brief.partition("?")[2]
    name, other = rng.sample(NAMES, 2)
    thing, different = rng.sample(THINGS, 2)
    question = (
        f"{name} packs boxes of {a} {thing} and keeps {b} {thing} besides. {other} has {rng.randrange(11, 100)} {different}. When "
        f"{name} shares all {thing} among {m} friends, {rest} are left. What is the smallest number of boxes, starting from 0?"
    )
    return Puzzle(question, trials, CANDIDATES[level], f"shares {name} {thing} {a} {b} {m} {rest}")


def logic(rng: random.Random, level: int) -> Puzzle:
    """The smallest number that meets all clues: odd or even, and as many remainders as the level says; a trial goes through the
    clues in order until one fails."""
    candidates = 2 * CANDIDATES[level]
    answer = rng.randrange(candidates)
    while True:
        divisors = sorted(rng.sample(SMALL_DIVISORS, level))
        trials = [_clues(x, answer, divisors) for x in range(answer + 1)]
        if all(found is not None for found in trials[:-1]):
            break
    kind = "odd" if answer % 2 else "even"
    told = [f"leaves {answer % m} when divided by {m}" for m in divisors]
    question = f"Find the smallest number, starting from 0, that is {kind}, {', '.join(told[:-1])} and {told[-1]}."
    last = Trial(",".join([kind, *(_remainder(answer, m, answer) for m in divisors)]), _remainder(answer, divisors[-1], answer))
    rests = " ".join(f"{m}:{answer % m}" for m in divisors)
    return Puzzle(question, (*(trial for trial in trials if trial is not None), last), candidates, f"clues {kind} {rests}")


def _clues(x: int, answer: int, divisors: list[int]) -> Trial | None:
    """The trial of a number that fails; None where all clues hold."""
    kind = "odd" if x % 2 else "even"
    if x % 2 != answer % 2:
        return Trial(kind, kind)
    facts = [kind]
    for m in divisors:
        facts.append(_remainder(x, m, answer))
        if x % m != answer % m:
            return Trial(",".join(facts), facts[-1])
    return None


def _remainder(x: int, m: int, answer: int) -> str:
    return f"{x // m}*{m}+{x % m}?{answer % m}"


def _division(rng: random.Random, level: int, added: range | tuple[int, ...]) -> tuple[int, int, int, tuple[Trial, ...]]:
    """a, b, m and the trials of x = 0, 1, ... up to the first for which a*x + b leaves the remainder of the last one; how many
    there are is uniform."""
    count = rng.randrange(1, CANDIDATES[level] + 1)
    while True:
        a, b, m = rng.choice(FACTORS[level]), rng.choice(added), rng.choice(DIVISORS[level])
        wholes = [a * x + b for x in range(count)]
        wanted = wholes[-1] % m
        if all(whole % m != wanted for whole in wholes[:-1]):
            return a, b, m, tuple(_divide(a, x, b, m, wanted) for x in range(count))


def _divide(a: int, x: int, b: int, m: int, wanted: int) -> Trial:
    whole = a * x + b
    left = f"{a}*{x}" + (f"+{b}" if b else "")
    return Trial(f"{left}={whole}={whole // m}*{m}+{whole % m}?{wanted}", f"{whole % m}?{wanted}")
