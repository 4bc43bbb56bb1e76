"""What follows from params.yaml in a line for each stage: problems, batches, steps, tokens of an iteration. Pure arithmetic; an
upper bound where a set has not been made yet."""

from math import ceil
from pathlib import Path

from flows.workload import SETS, problems
from stages.data.files import read_records
from stages.data.records import CuratedProblem
from stages.problems.self_taught import unsolved
from stages.run.params import RL, SFT, Params
from stages.run.phases import PHASES, idle_stages


def by_stage(params: Params, root: Path = Path()) -> dict[str, str]:
    """For each stage with a size of its own, one line that says it."""
    counts, draw, curate = problems(params), params.sample, params.curate
    lines = {
        "collect": f"{counts['train']:,} problems for training, {counts['validation']:,} validation, {counts['heldout']:,} held out"
    }
    if params.model.source == "scratch":
        steps = params.base.epochs * ceil(params.base.examples / params.base.batch)
        lines["base"] = f"{params.base.examples:,} documents, batches of {params.base.batch}: {steps:,} steps"
    for phase, path in SETS.items():
        sft = getattr(params.sft, phase)
        lines[f"sft@{phase}"] = _supervised(sft, root / path) if sft else _handed_on(f"sft.{phase}")
    probed = round(curate.guesses * curate.guess_probe * counts["train"])
    lines["curate"] = f"{curate.samples * counts['train'] + probed:,} responses at most"
    lines["warm_up"] = _demonstrated(params, root)
    for phase, rl in params.rl:
        lines[f"rl@{phase}"] = _reinforced(rl, params) if rl else _handed_on(f"rl.{phase}")
    lines["sample"] = f"{draw.prompts * draw.samples:,} responses of at most {draw.max_tokens:,} tokens"
    lines |= {stage: f"nothing to do: {reason}" for stage, reason in idle_stages(params.null).items() if reason}
    lines |= {name: _handed_on(name) for name in ("merge", "dpo") if getattr(params, name) is None}
    each = counts["heldout"] * params.evaluate.samples
    named = ", ".join(params.evaluate.benchmarks) or "none"
    lines["evaluate"] = f"{each:,} responses of each checkpoint to held-out problems, benchmarks: {named}"
    return lines


def _handed_on(section: str) -> str:
    """What is said of a phase that is left out."""
    name = next(name for name, phase in PHASES.items() if phase.section == section)
    return f"{section} is null: {PHASES[name].start} is handed on as {name}"


def _demonstrated(params: Params, root: Path) -> str:
    """Who writes the long demonstrations: worked solutions, a teacher, or the model itself where there are none."""
    rules, path = params.warm_up, root / "artifacts/prompt_set/problems.jsonl"
    if rules.teacher is not None:
        return f"demonstrations by {rules.teacher.file or rules.teacher.model}, {rules.tries} answers to each prompt"
    if rules.self_taught is None:
        return "worked solutions only (warm_up.self_taught is null)"
    if not path.is_file():
        return "worked solutions where rows have them, the others solved by short_sft itself: known when curate is done"
    waiting = len(unsolved(read_records(path, CuratedProblem)))
    return f"{waiting:,} prompts without a worked solution, solved by short_sft itself: {waiting * rules.tries:,} responses"


def _supervised(sft: SFT, path: Path) -> str:
    if not path.is_file():
        return f"batches of {sft.batch}, {sft.epochs} epochs; steps: known when {path.name} is made"
    with path.open("rb") as file:
        rows = sum(1 for _ in file)
    return f"{rows:,} demonstrations, batches of {sft.batch}: {sft.epochs * ceil(rows / sft.batch):,} steps"


def _reinforced(rl: RL, params: Params) -> str:
    responses = rl.prompts * rl.samples
    tokens = responses * min(rl.max_tokens, params.rollout.segment_tokens or rl.max_tokens)
    steps = rl.passes * ceil(responses / rl.mini_batch)
    ranks = f", {ceil(responses / params.hardware.processes):,} on each rank" if params.hardware.processes > 1 else ""
    return (
        f"{rl.iterations} iterations of {rl.prompts} prompts x {rl.samples} = {responses:,} responses{ranks}, at most {tokens:,} "
        f"new tokens; {steps} optimizer steps each, {rl.iterations * steps:,} in all"
    )
