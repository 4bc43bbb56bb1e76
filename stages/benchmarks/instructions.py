"""IF-Eval (§3.1): prompts with instructions that a program can check; 541 prompts, 834 instructions of 25 types.

Scored by the authors' rules (stages/verifiers/instruction_following.py). Beside the headline, prompt-level strict accuracy,
stand the other three: of instructions instead of prompts, and loose, where a first or last line and asterisks may go."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stages.benchmarks.averages import Average, Judged, micro, percent
from stages.benchmarks.items import Item, Loaded, first_file, items_of
from stages.benchmarks.tables import rows_of
from stages.rollout.engine import Prompt
from stages.verifiers.instruction_following import Judgement, instruction, judge_all
from stages.verifiers.verdict import Verdict

FILES = (
    "input_data.jsonl",
    "ifeval_input_data.jsonl",
    "input_data.*.jsonl",
    "data/train-*.parquet",
    "train-*.parquet",
    "*.parquet",
)
PROMPT_SOURCE = "the published prompt as it is (github.com/google-research/google-research, instruction_following_eval)"


def load(path: Path) -> Loaded:
    """The published file in any of its versions, JSONL or Parquet: key, prompt, instruction_id_list, kwargs (on the hub padded
    with nulls)."""
    file = first_file(path, FILES)
    return Loaded(items_of(file, rows_of(file), _item), None, (file,))


def prompt(item: Item) -> Prompt:
    """The published prompt and nothing else."""
    return Prompt(item.question, None, instruction="")


def score(pairs: Sequence[tuple[Item, str]], workers: int, seconds: float) -> list[Verdict]:
    """Right when every instruction is followed strictly; the verdict on each instruction, strict and loose, is in the details."""
    judged = judge_all([(item.data["instructions"], response) for item, response in pairs], workers, seconds)
    return [_verdict(item, found) for (item, _), found in zip(pairs, judged, strict=True)]


def average(judged: Sequence[Judged]) -> Average:
    """Prompt-level strict accuracy, with the four published figures in percent. An error and no response follow nothing."""
    figures = {}
    for form in ("strict", "loose"):
        found = [_kept(one.item, verdict, form) for one in judged for verdict in one.verdicts]
        figures[f"prompt_{form}"] = percent(sum(map(all, found)) / len(found))
        figures[f"inst_{form}"] = percent(sum(map(sum, found)) / sum(map(len, found)))
    return Average(micro(judged).score, figures)


def _kept(item: Item, verdict: Verdict, form: str) -> list[bool]:
    """Whether each instruction was followed."""
    return list(verdict.details.get(form, [False] * len(item.data["instructions"])))


def _verdict(item: Item, found: Judgement) -> Verdict:
    names = [name for name, _ in item.data["instructions"]]
    if isinstance(found, str):
        nothing = [False] * len(names)
        return Verdict("error", None, found, {"instructions": names, "strict": nothing, "loose": nothing})
    strict, loose = found
    missed = [name for name, kept in zip(names, strict, strict=True) if not kept]
    reason = f"not followed: {', '.join(missed)}" if missed else "every instruction is followed"
    shown = f"{sum(strict)} of {len(names)} followed"
    return Verdict("wrong" if missed else "right", shown, reason, {"instructions": names, "strict": strict, "loose": loose})


def _item(row: Mapping[str, Any]) -> Item:
    names, arguments = row["instruction_id_list"], row["kwargs"]
    if len(names) != len(arguments) or not names:
        raise ValueError(f"{len(names)} instructions with {len(arguments)} sets of arguments")
    instructions = [instruction(name, given) for name, given in zip(names, arguments, strict=True)]
    gold = ", ".join(names)
    return Item(str(row["key"]), row["prompt"], None, gold, names[0], data={"instructions": instructions})
