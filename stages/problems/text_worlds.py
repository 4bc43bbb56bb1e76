"""Text families: multi-step arithmetic, word problems, logic. Each draws a Puzzle from a random stream."""

import random

from stages.problems.search import Puzzle, Trial

NAMES = ("Ann", "Ben", "Eva", "Ian", "Lea", "Max", "Mia", "Tom")
THINGS = ("pens", "cards", "shells", "coins", "beads", "nuts")


def arithmetic(rng: random.Random) -> Puzzle:
    """Smallest digit x with a*x + b*k = c modulo 10: what a*x must end in is worked out first, then one product a candidate."""
    a, b, k, target = _equation(rng)
    question = f"Find the smallest digit x with {a}*x+{b}*{k}={target} modulo 10."
    setup, wanted = linear_setup(b, k, target)
    return Puzzle(question, setup, linear_trials(a, wanted), 10, f"linear {a} {b} {k} {target}")


def word_problem(rng: random.Random) -> Puzzle:
    """The same arithmetic told as a story, so that the equation has to be found first."""
    a, b, k, target = _equation(rng)
    name, thing = rng.choice(NAMES), rng.choice(THINGS)
    question = (
        f"{name} has some boxes of {a} {thing} and {b} bags of {k} {thing}. "
        f"The number of all {thing} ends in {target}. What is the smallest number of boxes?"
    )
    setup, wanted = linear_setup(b, k, target)
    return Puzzle(question, setup, linear_trials(a, wanted), 10, f"story {name} {thing} {a} {b} {k} {target}")


def logic(rng: random.Random) -> Puzzle:
    """Smallest digit that meets three clues; a trial goes through the clues in order until one fails."""
    while True:
        x, banned, multiplier, addend = rng.randrange(10), rng.randrange(10), rng.choice((3, 7, 9)), rng.randrange(10)
        wanted = multiplier * x % 10
        end = (wanted + addend) % 10
        trials = []
        for digit in range(x + 1):
            product = multiplier * digit % 10
            facts = [
                ("odd" if digit % 2 else "even", digit % 2 == x % 2),
                (f"{digit}?{banned}", digit != banned),
                (f"{multiplier}*{digit}={product}?{wanted}", product == wanted),
            ]
            passed = next((place for place, (_, holds) in enumerate(facts) if not holds), 3)
            brief = ("p", "n", f"{product}{wanted}", f"{product}{wanted}")[passed]
            trials.append(Trial(",".join(fact for fact, _ in facts[: passed + 1]), brief))
        if passed < 3:
            continue
        kind = "odd" if x % 2 else "even"
        question = f"Find the digit that is {kind}, is not {banned}, and whose {multiplier} fold plus {addend} ends in {end}."
        setup = Trial(f"{end}-{addend}={wanted}", str(wanted))
        return Puzzle(question, setup, tuple(trials), 10, f"logic {kind} {banned} {multiplier} {addend} {end}")


def _equation(rng: random.Random) -> tuple[int, int, int, int]:
    """a, b, k, c of a*x + b*k = c modulo 10 whose smallest solution is uniform over the digits, with a, b, k from 2 to 9."""
    answer = rng.randrange(10)
    while True:
        a, b, k = rng.randrange(2, 10), rng.randrange(2, 10), rng.randrange(2, 10)
        target = (a * answer + b * k) % 10
        if len(linear_trials(a, a * answer % 10)) == answer + 1:
            return a, b, k, target


def linear_setup(b: int, k: int, target: int) -> tuple[Trial, int]:
    """What a*x must end in, so that a*x + b*k ends in `target`, and how it is worked out."""
    offset = b * k % 10
    wanted = (target - offset) % 10
    return Trial(f"{b}*{k}={offset};{target}-{offset}={wanted}", f"{offset}{wanted}"), wanted


def linear_trials(a: int, wanted: int) -> tuple[Trial, ...]:
    """Trials of x = 0, 1, ... up to the first with a*x ending in `wanted`. "p?w" asks whether p is w."""
    trials = []
    for x in range(10):
        product = a * x % 10
        trials.append(Trial(f"{a}*{x}={product}?{wanted}", f"{product}{wanted}"))
        if product == wanted:
            return tuple(trials)
    raise ValueError(f"no digit x has {a}*x ending in {wanted}")
