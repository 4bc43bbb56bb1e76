"""Text families: multi-step arithmetic, word problems, logic. Each draws a Puzzle from a random stream."""

import random

from stages.problems.search import Puzzle, Trial

NAMES = ("Ann", "Ben", "Eva", "Ian", "Lea", "Max", "Mia", "Tom")
THINGS = ("pens", "cards", "shells", "coins", "beads", "nuts")


def arithmetic(rng: random.Random) -> Puzzle:
    """Smallest digit x with a*x + b = c modulo 10; a trial is a product and a sum."""
    a, b, target = _equation(rng)
    question = f"Find the smallest digit x with {a}*x+{b}={target} modulo 10."
    return Puzzle(question, linear_trials(a, b, target), 10, f"linear {a} {b} {target}")


def word_problem(rng: random.Random) -> Puzzle:
    """The same arithmetic told as a story, so that the equation has to be found first."""
    a, b, target = _equation(rng)
    name, thing = rng.choice(NAMES), rng.choice(THINGS)
    question = (
        f"{name} has some boxes of {a} {thing} and {b} loose {thing}. "
        f"The number of all {thing} ends in {target}. What is the smallest number of boxes?"
    )
    return Puzzle(question, linear_trials(a, b, target), 10, f"story {name} {thing} {a} {b} {target}")


def logic(rng: random.Random) -> Puzzle:
    """The digit that meets three clues; a trial goes through the clues in order until one fails."""
    while True:
        x, banned, a, b = rng.randrange(10), rng.randrange(10), rng.choice((3, 7, 9)), rng.randrange(10)
        target = (a * x + b) % 10
        trials = []
        for digit in range(x + 1):
            computation = linear_trial(a, digit, b, target)
            facts = [
                ("odd" if digit % 2 else "even", digit % 2 == x % 2),
                (f"{digit}?{banned}", digit != banned),
                (computation.full, (a * digit + b) % 10 == target),
            ]
            passed = next((place for place, (_, holds) in enumerate(facts) if not holds), 3)
            brief = ("p", "n", computation.brief, computation.brief)[passed]
            trials.append(Trial(",".join(fact for fact, _ in facts[: passed + 1]), brief))
        if passed < 3:
            continue
        kind = "odd" if x % 2 else "even"
        question = f"Find the digit that is {kind}, is not {banned}, and whose {a} fold plus {b} ends in {target}."
        return Puzzle(question, tuple(trials), 10, f"logic {kind} {banned} {a} {b} {target}")


def _equation(rng: random.Random) -> tuple[int, int, int]:
    """a, b, c of a*x + b = c modulo 10 whose smallest solution is uniform over the digits, with a from 2 to 9 and b below 30."""
    answer = rng.randrange(10)
    while True:
        a, b = rng.randrange(2, 10), rng.randrange(30)
        target = (a * answer + b) % 10
        if len(linear_trials(a, b, target)) == answer + 1:
            return a, b, target


def linear_trial(a: int, x: int, b: int, target: int) -> Trial:
    """a*x and then + b, last digits only; "s?c" asks whether s is c."""
    product = a * x % 10
    total = (product + b) % 10
    return Trial(f"{a}*{x}={product}+{b % 10}={total}?{target}", f"{product}{total}{target}")


def linear_trials(a: int, b: int, target: int) -> tuple[Trial, ...]:
    """Trials of x = 0, 1, ... up to the first with a*x + b ending in `target`."""
    trials = []
    for x in range(10):
        trials.append(linear_trial(a, x, b, target))
        if (a * x + b) % 10 == target:
            return tuple(trials)
    raise ValueError(f"no digit x has {a}*x+{b} ending in {target}")
