"""How the short model is asked: many responses to each problem, judged by the problem's own verifier."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from stages.data.records import Problem
from stages.prompts.prompt import Prompt
from stages.rollout.engine import Engine, Sampling
from stages.run.seeds import stream_seed
from stages.verifiers.claims import Claim
from stages.verifiers.verdict import Answer, verify_all

CHUNK = 256


@dataclass(frozen=True)
class Measure:
    """An engine with what its answers need to be drawn and judged."""

    engine: Engine
    seed: int
    temperature: float
    context: int
    """Tokens of prompt and response together; the limits of short answers are shares of it."""
    workers: int
    progress: Callable[[int, int, str], None]
    """Told (done, total, unit) after every CHUNK of problems."""
    judge: Answer | None = None

    def stream(self, name: str) -> int:
        """The seed of curate's random stream `name`."""
        return stream_seed(self.seed, "curate", name)

    def count_right(
        self, name: str, problems: Sequence[Problem], instruction: str | None, samples: int, max_tokens: int
    ) -> dict[str, int]:
        """id -> how many of `samples` responses of at most `max_tokens` are right; an undecided verdict is not
        right."""
        right: dict[str, int] = {}
        for start in range(0, len(problems) if samples else 0, CHUNK):
            sampling = Sampling(self.temperature, 1.0, max_tokens, stream_seed(self.stream(name), start))
            right |= self._right(problems[start : start + CHUNK], instruction, samples, sampling)
            self.progress(len(right), len(problems), f"{name} prompts")
        return {problem.id: right.get(problem.id, 0) for problem in problems}

    def _right(self, problems: Sequence[Problem], instruction: str | None, samples: int, sampling: Sampling) -> dict[str, int]:
        prompts = [Prompt.of(problem) for problem in problems]
        if instruction is not None:
            prompts = [replace(prompt, instruction=instruction) for prompt in prompts]
        groups = self.engine.generate(prompts, sampling, samples=samples)
        claims = [
            Claim(problem.verifier, problem.answer, completion.text, problem.question)
            for problem, group in zip(problems, groups, strict=True)
            for completion in group
        ]
        verdicts = iter(verify_all(claims, self.workers, judge=self.judge))
        return {row.id: sum(next(verdicts).outcome == "right" for _ in range(samples)) for row in problems}
