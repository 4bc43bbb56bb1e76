"""Text families: multi-step arithmetic, word problems, logic. Each draws a Puzzle from a random stream."""

import random

from stages.problems.search import Puzzle, Trial

NAMES = ("Ann", "Ben", "Eva", "Ian", "Lea", "Max", "Mia", "Tom")
THINGS = ("pens", "cards", "shells", "coins", "beads", "nuts")


def arithmetic(rng: random.Random) -> Puzzle:
    """Smallest digit x with a*x + b*k = c modulo 10: one product worked out first, then two steps for each candidate."""
    a, b, k, target = _equation(rng)
    offset = b * k % 10
    question = f"Find the smallest digit x with {a}*x+{b}*{k}={target} modulo 10."
    setup = Trial(f"{b}*{k}={offset}", str(offset))
    return Puzzle(question, setup, linear_trials(a, offset, target), 10, f"linear {a} {b} {k} {target}")


def word_problem(rng: random.Random) -> Puzzle:
    """The same arithmetic told as a story, so that the equation has to be found first."""
    a, b, k, target = _equation(rng)
    offset = b * k % 10
    name, thing = rng.choice(NAMES), rng.choice(THINGS)
    question = (
        f"{name} has some boxes of {a} {thing} and {b} bags of {k} {thing}. "
        f"The number of all {thing} ends in {target}. What is the smallest number of boxes?"
    )
    setup = Trial(f"{b}*{k}={offset}", str(offset))
    return Puzzle(question, setup, linear_trials(a, offset, target), 10, f"story {name} {thing} {a} {b} {k} {target}")


def logic(rng: random.Random) -> Puzzle:
    """Smallest digit that meets three clues; a trial goes through the clues in order until one fails."""
    while True:
        x, banned = rng.randrange(10), rng.randrange(10)
        parity = x % 2
        multiplier, addend = rng.choice((3, 7, 9)), rng.randrange(10)
        end = (multiplier * x + addend) % 10
        trials = []
        for digit in range(10):
            product = multiplier * digit % 10
            total = (product + addend) % 10
            facts = [
                ("odd" if digit % 2 else "even", digit % 2 == parity),
                (f"not {banned}", digit != banned),
                (f"{multiplier}*{digit}={product};{product}+{addend}={total}", total == end),
            ]
            passed = next((place for place, (_, holds) in enumerate(facts) if not holds), 3)
            trials.append(Trial(",".join(fact for fact, _ in facts[: passed + 1]), _brief(passed, product, total)))
            if passed == 3:
                break
        if passed < 3 or digit != x:
            continue
        kind = "odd" if parity else "even"
        question = (
            f"Find the smallest digit that is {kind}, is not {banned}, and whose {multiplier} fold plus {addend} ends in {end}."
        )
        return Puzzle(question, None, tuple(trials), 10, f"logic {kind} {banned} {multiplier} {addend} {end}")


def _equation(rng: random.Random) -> tuple[int, int, int, int]:
    """a, b, k, c of a*x + b*k = c modulo 10 whose smallest solution is uniform over the digits, with a, b, k from 2 to 9."""
    answer = rng.randrange(10)
    while True:
        a, b, k = rng.randrange(2, 10), rng.randrange(2, 10), rng.randrange(2, 10)
        target = (a * answer + b * k) % 10
        if len(linear_trials(a, b * k % 10, target)) == answer + 1:
            return a, b, k, target


def linear_trials(a: int, offset: int, target: int) -> tuple[Trial, ...]:
    """Trials of x = 0, 1, ... for a*x + offset = target modulo 10, up to the first success."""
    trials = []
    for x in range(10):
        product = a * x % 10
        total = (product + offset) % 10
        trials.append(Trial(f"{a}*{x}={product};{product}+{offset}={total}", f"{product}{total}"))
        if total == target:
            return tuple(trials)
    raise ValueError(f"no digit solves {a}*x+{offset}={target} modulo 10")


def _brief(passed: int, product: int, total: int) -> str:
    """A brief trial of logic: "p" for a failed parity, "n" for the banned digit, else the results of the computation."""
    return ("p", "n", f"{product}{total}", f"{product}{total}")[passed]
