"""The common form of a procedural problem: a search over candidates 0, 1, 2, ... whose first success is the answer.

Each candidate is tried by a small computation. A full trial writes it out, a brief one only its results; both can be checked.
Searching rewards length by nature: who stops early must guess."""

import random
import re
from dataclasses import dataclass

PLAN = "Plan: try each in turn, check it, go on.\n"
GIVE_UP = "stop,guess\n"
SHORT_TRIALS = 3


@dataclass(frozen=True)
class Trial:
    """How one candidate is tried."""

    full: str
    """The computation written out, for example "7*3=1?5"."""
    brief: str
    """Only what decides it, the rest left to the reader's head; for example "1?5". What has to be seen in a picture is written: a
    brief form that a model cannot follow would leave long2short nothing to shorten to."""


@dataclass(frozen=True)
class Puzzle:
    """What a family draws: everything that a problem's text, picture and solutions are made of."""

    question: str
    trials: tuple[Trial, ...]
    """Trials of the candidates 0..answer; the last one succeeds, all before fail."""
    candidates: int
    """How many candidates there are; the answer is one of 0..candidates-1."""
    key: str
    """Identity of the puzzle: equal keys are the same problem, and belong to the same split."""
    picture: str = ""
    """What the picture shows, in words; empty for text families."""

    @property
    def answer(self) -> int:
        return len(self.trials) - 1

    @property
    def grade(self) -> int:
        """Difficulty 1 (the first candidates) to 5 (the last ones)."""
        return 1 + min(4, self.answer * 5 // self.candidates)

    def parameters(self) -> dict[str, object]:
        """What `teach` needs to write further solutions; goes into Problem.parameters."""
        return {
            "trials": [[trial.full, trial.brief] for trial in self.trials],
            "candidates": self.candidates,
        }


def boxed(answer: int) -> str:
    """The final answer as every verifier reads it."""
    return f"\\boxed{{{answer}}}"


def found(candidate: int) -> str:
    """The line between the trial that succeeds and the final answer; pretraining has it too, the box it has not."""
    return f"so{{{candidate}}}\n"


def short_solution(parameters: dict[str, object]) -> str:
    """The short form of vanilla SFT: at most SHORT_TRIALS brief trials; when none succeeds, the answer unexplained."""
    trials = _pairs(parameters["trials"])
    text = ""
    for candidate, (_, brief) in enumerate(trials[:SHORT_TRIALS]):
        if candidate == len(trials) - 1:
            return f"{text}{candidate}:{brief} yes\n{found(candidate)}{boxed(candidate)}"
        text += f"{candidate}:{brief};"
    return f"{text}{GIVE_UP}{boxed(len(trials) - 1)}"


def long_solution(parameters: dict[str, object], rng: random.Random, hazard: float, terse_share: float) -> str:
    """One long demonstration: plan, try, check, reflect, go on; after each failure the writer stops and guesses with
    probability `hazard`. With probability `terse_share` it is written in brief trials, else in full ones."""
    trials = _pairs(parameters["trials"])
    candidates = int(str(parameters["candidates"]))
    brief = rng.random() < terse_share
    form = 1 if brief else 0
    text = "" if brief else PLAN
    for candidate, trial in enumerate(trials):
        last = candidate == len(trials) - 1
        if last:
            text += f"{candidate}:{trial[form]} yes\n"
            text += "" if brief else f"Check:{trial[0]} ok\n"
            return text + found(candidate) + boxed(candidate)
        text += f"{candidate}:{trial[form]};" if brief else f"{candidate}:{trial[form]} no;"
        if rng.random() < hazard:
            return text + GIVE_UP + boxed(rng.randrange(candidate + 1, candidates))
    raise ValueError("a puzzle needs at least one trial")


def behaviours(text: str) -> dict[str, int]:
    """How often each behaviour of §2.2 occurs in a long solution of ours."""
    return {
        "planning": text.count("Plan:"),
        "evaluation": text.count("?"),
        "reflection": text.count(" no;") + text.count(GIVE_UP),
        "exploration": max(0, len(re.findall(r"\d:", text)) - 1),
    }


def _pairs(value: object) -> list[tuple[str, str]]:
    if not isinstance(value, list) or not value:
        raise ValueError(f"expected a list of [full, brief] trials, found {value!r}")
    return [(str(full), str(brief)) for full, brief in value]
