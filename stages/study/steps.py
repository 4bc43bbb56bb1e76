"""The programs that a run of the study consists of, as dvc.yaml calls them, in a folder laid out as the project is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MODELS, TRAINING, PROBLEMS, PHASES = "artifacts/models", "results/training", "artifacts/problems", "results/phases"


@dataclass(frozen=True)
class Step:
    """`python -m` these words; the name is the stage's in dvc.yaml."""

    name: str
    words: tuple[str, ...]


def _evaluate(checkpoint: str) -> Step:
    words = ("stages.evaluate", checkpoint, "--model", f"{MODELS}/{checkpoint}", "--problems", f"{PROBLEMS}/heldout.jsonl")
    out = ("--out", f"results/evaluations/{checkpoint}.json", "--generations", f"artifacts/generations/{checkpoint}.jsonl")
    return Step(f"evaluate@{checkpoint}", (*words, *out))


def _sft(phase: str, init: str, demonstrations: str) -> Step:
    words = (
        "stages.sft",
        phase,
        "--init",
        f"{MODELS}/{init}",
        "--demonstrations",
        demonstrations,
        "--out",
        f"{MODELS}/{phase}_sft",
    )
    left_out = ("--left-out", f"{TRAINING}/{phase}_sft.left_out.json")
    return Step(f"sft@{phase}", (*words, "--curves", f"{TRAINING}/{phase}_sft.csv", *left_out))


LEFT_OUT = Step("phases", ("stages.phases", "--out", PHASES))
COLLECT = Step("collect", ("stages.collect", "--out", PROBLEMS))
BASE = Step("base", ("stages.base", "--problems", PROBLEMS, "--out", f"{MODELS}/base", "--curves", f"{TRAINING}/base.csv"))
SHORT = _sft("short", "base", f"{PROBLEMS}/short.jsonl")
CURATE = Step(
    "curate",
    (
        *("stages.curate", "--problems", PROBLEMS, "--model", f"{MODELS}/short_sft"),
        *("--out", "artifacts/prompt_set", "--report", "results/curation", "--docs", "artifacts/data_docs/prompt_set"),
    ),
)
WARM_UP = Step(
    "warm_up",
    (
        *("stages.warm_up", "--prompt-set", "artifacts/prompt_set", "--model", f"{MODELS}/short_sft"),
        *("--needed", f"{PHASES}/warm_up.json", "--out", "artifacts/warm_up", "--report", "results/warm_up"),
        *("--docs", "artifacts/data_docs/demonstrations"),
    ),
)
LONG = _sft("long", "short_sft", "artifacts/warm_up/demonstrations.jsonl")
BEFORE = _evaluate("long_sft")
RL = Step(
    "rl@long",
    (
        *("stages.rl", "long", "--init", f"{MODELS}/long_sft", "--prompt-set", "artifacts/prompt_set/problems.jsonl"),
        *("--validation", f"{PROBLEMS}/validation.jsonl", "--out", f"{MODELS}/long_rl", "--curves", f"{TRAINING}/long_rl.csv"),
    ),
)
AFTER = _evaluate("long_rl")

TRUNK = (LEFT_OUT, COLLECT, BASE, SHORT, CURATE, WARM_UP, LONG, BEFORE)
"""What all variants of a seed share."""
DATA = (PROBLEMS, "artifacts/prompt_set", "artifacts/warm_up")
CHECKPOINTS = tuple(f"{MODELS}/{name}" for name in ("base", "short_sft", "long_sft"))


def steps_of(changes: Mapping[str, object]) -> tuple[Sequence[Step], Sequence[str]]:
    """What a variant with these changes runs, and what of the trunk it uses. One that changes the model trains its own up to long
    SFT, on the problems, the prompt set and the demonstrations of the trunk: another model, the same data."""
    if any(key.split(".")[0] in ("model", "base", "sft") for key in changes):
        return (BASE, SHORT, LONG, BEFORE, RL, AFTER), DATA
    return (RL, AFTER), (*DATA, *CHECKPOINTS)
