"""How the short model is asked: many responses to each problem, judged by the problem's own verifier; and the judge, for tags."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from stages.data.files import DataError
from stages.data.records import Problem
from stages.prompts.prompt import Prompt
from stages.rollout.chunks import Chunks
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
    chunks: Chunks
    """Where the answers to every CHUNK of problems lie until the stage has ended."""
    judge: Answer | None = None

    def stream(self, name: str) -> int:
        """The seed of curate's random stream `name`."""
        return stream_seed(self.seed, "curate", name)

    def count_right(
        self, name: str, problems: Sequence[Problem], instruction: str | None, samples: int, max_tokens: int
    ) -> dict[str, int]:
        """id -> how many of `samples` responses of at most `max_tokens` are right; an undecided verdict is not
        right."""

        def work(start: int, some: Sequence[Problem]) -> list[int]:
            sampling = Sampling(self.temperature, 1.0, max_tokens, stream_seed(self.stream(name), start))
            return self._right(some, instruction, samples, sampling)

        counts = self.chunks.rows(name, problems, CHUNK, f"{name} prompts", work) if samples else [0] * len(problems)
        return {problem.id: count for problem, count in zip(problems, counts, strict=True)}

    def asked(self, name: str) -> Answer | None:
        """The judge, its replies kept like the model's answers; None without one."""
        judge = self.judge
        if judge is None:
            return None

        def replies(prompts: Sequence[str]) -> list[str | DataError]:
            def work(_: int, some: Sequence[str]) -> list[list[str]]:
                return [["error", str(reply)] if isinstance(reply, DataError) else ["reply", reply] for reply in judge(some)]

            rows = self.chunks.rows(name, prompts, CHUNK, f"{name} prompts", work)
            return [DataError(text) if kind == "error" else text for kind, text in rows]

        return replies

    def _right(self, problems: Sequence[Problem], instruction: str | None, samples: int, sampling: Sampling) -> list[int]:
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
        return [sum(next(verdicts).outcome == "right" for _ in range(samples)) for _ in problems]
