"""Text families: multi-step arithmetic, word problems, logic. Each draws a Puzzle from a random stream."""

import random

from stages.problems.search import Puzzle, Trial

NAMES = ("Ann", "Ben", "Eva", "Ian", "Lea", "Max", "Mia", "Tom")
THINGS = ("pens", "cards", "shells", "coins", "beads", "nuts")


def arithmetic(rng: random.Random) -> Puzzle:
    """Smallest digit x for which a*x ends like a given number; a trial is a product and a comparison."""
    a, number = _equation(rng)
    question = f"Find the smallest digit x with {a}*x ending like {number}."
    return Puzzle(question, product_trials(a, number % 10), 10, f"product {a} {number}")


def word_problem(rng: random.Random) -> Puzzle:
    """The same arithmetic told as a story, so that the equation has to be found first."""
    a, number = _equation(rng)
    name, thing = rng.choice(NAMES), rng.choice(THINGS)
    question = (
        f"{name} packs boxes of {a} {thing}. The number of all {thing} ends like {number}. What is the smallest number of boxes?"
    )
    return Puzzle(question, product_trials(a, number % 10), 10, f"story {name} {thing} {a} {number}")


def logic(rng: random.Random) -> Puzzle:
    """The digit that meets three clues; a trial goes through the clues in order until one fails."""
    while True:
        x, banned, a = rng.randrange(10), rng.randrange(10), rng.choice((3, 7, 9))
        number = 10 * rng.randrange(1, 100) + a * x % 10
        trials = []
        for digit in range(x + 1):
            product = product_trial(a, digit, number % 10)
            facts = [
                ("odd" if digit % 2 else "even", digit % 2 == x % 2),
                (f"{digit}?{banned}", digit != banned),
                (product.full, a * digit % 10 == number % 10),
            ]
            passed = next((place for place, (_, holds) in enumerate(facts) if not holds), 3)
            brief = ("p", "n", product.full, product.full)[passed]
            trials.append(Trial(",".join(fact for fact, _ in facts[: passed + 1]), brief))
        if passed < 3:
            continue
        kind = "odd" if x % 2 else "even"
        question = f"Find the digit that is {kind}, is not {banned}, and whose {a} fold ends like {number}."
        return Puzzle(question, tuple(trials), 10, f"logic {kind} {banned} {a} {number}")


def _equation(rng: random.Random) -> tuple[int, int]:
    """a from 2 to 9 and a number of two or three digits, such that the smallest x with a*x ending like it is uniform."""
    answer = rng.randrange(10)
    while True:
        a = rng.randrange(2, 10)
        number = 10 * rng.randrange(1, 100) + a * answer % 10
        if len(product_trials(a, number % 10)) == answer + 1:
            return a, number


def product_trial(a: int, x: int, wanted: int) -> Trial:
    """The last digit p of a*x, then "p?w": is it the wanted one."""
    product = a * x % 10
    return Trial(f"{a}*{x}={product}?{wanted}", f"{product}?{wanted}")


def product_trials(a: int, wanted: int) -> tuple[Trial, ...]:
    """Trials of x = 0, 1, ... up to the first with a*x ending in `wanted`."""
    trials = []
    for x in range(10):
        trials.append(product_trial(a, x, wanted))
        if a * x % 10 == wanted:
            return tuple(trials)
    raise ValueError(f"no digit x has {a}*x ending in {wanted}")
