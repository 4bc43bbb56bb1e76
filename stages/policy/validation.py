"""Accuracy and length on the validation suites while RL runs: the points of figure 5. Nothing is chosen by them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stages.data.records import Problem
from stages.models.families import reads_pictures
from stages.models.text_only import TEXT_ONLY
from stages.policy.candidates import Candidates
from stages.policy.experience import Experience
from stages.prompts.prompt import Prompt
from stages.prompts.render import Renderer
from stages.rollout.engine import Engine, Sampling
from stages.run.params import RL, Hardware
from stages.run.ranks import during, share
from stages.training.engine import gather_objects
from stages.verifiers.claims import Claim
from stages.verifiers.verdict import Answer, verify_all


def askable(renderer: Renderer, problems: Sequence[Problem]) -> tuple[list[Problem], list[str]]:
    """The problems that the model reads and whose prompts leave room for a response, and a line for each of the others: figure 5 is
    drawn without them."""
    pictures = reads_pictures(renderer.processor)
    readable = [problem for problem in problems if pictures or problem.image is None]
    kept, left_out = [], [f"left out {one.id}: {TEXT_ONLY}" for one in problems if not (pictures or one.image is None)]
    prompts = renderer.render([Prompt.of(problem) for problem in readable], room=None)
    for problem, prompt in zip(readable, prompts, strict=True):
        if len(prompt.token_ids) < renderer.context:
            kept.append(problem)
        else:
            left_out.append(
                f"left out {problem.id}: a prompt of {len(prompt.token_ids)} tokens, model.context = {renderer.context}"
            )
    return kept, left_out


@dataclass(frozen=True)
class Validations:
    """The validations of a phase of RL."""

    engine: Engine
    problems: list[Problem]
    experience: Experience
    seed: int
    candidates: Candidates
    """Where validated checkpoints are kept."""

    def at(self, iteration: int) -> dict[str, float]:
        """The figures of the policy as it is after `iteration` iterations (all ranks must call)."""
        rl, hardware, judge = self.experience.rl, self.experience.hardware, self.experience.judge
        with during("validation"):
            figures = validate(self.engine, self.problems, rl, hardware, self.seed, judge)
            self.candidates.keep(iteration, figures)
        return figures


def validate(
    engine: Engine, problems: Sequence[Problem], rl: RL, hardware: Hardware, seed: int, judge: Answer | None = None
) -> dict[str, float]:
    """One whole response to each problem at the training temperature, never a partial one: accuracy, mean and 95th-percentile
    tokens, in all and by family. No figures when there are no problems."""
    if not problems:
        return {}
    mine = share(problems)
    sampling = Sampling(rl.temperature, 1.0, rl.max_tokens, seed)
    groups = engine.generate([Prompt.of(problem) for problem in mine], sampling)
    claims = [
        Claim(problem.verifier, problem.answer, group[0].text, problem.question)
        for problem, group in zip(mine, groups, strict=True)
    ]
    verdicts = verify_all(claims, hardware.workers, judge=judge)
    rows = [
        (problem.family, verdict.outcome == "right", len(group[0].token_ids))
        for problem, verdict, group in zip(mine, verdicts, groups, strict=True)
    ]
    by_family: dict[str, list[tuple[bool, int]]] = defaultdict(list)
    for part in gather_objects(rows):
        for family, right, tokens in part:
            by_family[family].append((right, tokens))
    figures = _figures("validation_", [row for rows in by_family.values() for row in rows])
    for family, found in sorted(by_family.items()):
        figures |= _figures(f"validation/{family}/", found)
    return figures


def _figures(prefix: str, rows: Sequence[tuple[bool, int]]) -> dict[str, float]:
    tokens = np.array([count for _, count in rows])
    return {
        f"{prefix}accuracy": float(np.mean([right for right, _ in rows])),
        f"{prefix}mean_tokens": float(tokens.mean()),
        f"{prefix}p95_tokens": float(np.percentile(tokens, 95)),
    }
