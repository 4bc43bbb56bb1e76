"""How the short model is asked: many responses to each problem, judged by the problem's own verifier; and the judge, for tags."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stages.data.files import DataError
from stages.data.records import Problem
from stages.prompts.prompt import Prompt
from stages.prompts.template import THINKING
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
    """Tokens of prompt and response together."""
    workers: int
    chunks: Chunks
    """Where the answers to every CHUNK of problems lie until the stage has ended."""
    judge: Answer | None = None

    def stream(self, name: str) -> int:
        """The seed of curate's random stream `name`."""
        return stream_seed(self.seed, "curate", name)

    def count_right(
        self,
        name: str,
        problems: Sequence[Problem],
        samples: int,
        max_tokens: int,
        ask: Callable[[Problem], Prompt] = Prompt.of,
    ) -> dict[str, int]:
        """id -> how many of `samples` responses of at most `max_tokens` to `ask(problem)` are right; an undecided verdict is not
        right."""

        def work(start: int, some: Sequence[Problem]) -> list[int]:
            sampling = Sampling(self.temperature, 1.0, max_tokens, stream_seed(self.stream(name), start))
            return self._right(some, [ask(problem) for problem in some], samples, sampling)

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

    def _right(self, problems: Sequence[Problem], prompts: Sequence[Prompt], samples: int, sampling: Sampling) -> list[int]:
        groups = self.engine.generate(prompts, sampling, samples=samples)
        claims = [
            Claim(problem.verifier, problem.answer, _whole(prompt, completion.text), problem.question)
            for problem, prompt, group in zip(problems, prompts, groups, strict=True)
            for completion in group
        ]
        verdicts = iter(verify_all(claims, self.workers, judge=self.judge))
        return [sum(next(verdicts).outcome == "right" for _ in range(samples)) for _ in problems]


def _whole(prompt: Prompt, text: str) -> str:
    """A response with what it was begun with. The thinking tag that a template writes in front of every response goes: a begun one
    has closed the thought already."""
    return prompt.begun + text.lstrip().removeprefix(THINKING[0]).lstrip() if prompt.begun else text
