"""An engine that answers from a script, so that whole evaluations and RL iterations run in milliseconds."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from stages.data.files import DataError
from stages.rollout.engine import Completion, Prompt, Sampling

END = 256
LOGPROB = -0.5


class ScriptedEngine:
    """Answers the n-th sample of a prompt with `answers(prompt, n)`.

    Token ids are the bytes of the text (0 to 255) and END; every token has log-probability LOGPROB. A text of more than
    max_tokens tokens is cut there. A prompt of more than `context` bytes is refused as a real engine refuses it."""

    def __init__(self, answers: Callable[[Prompt, int], str], context: int = 1 << 20) -> None:
        self.answers = answers
        self.context = context

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling, samples: int = 1) -> list[list[Completion]]:
        """`samples` completions for each prompt. DataError for a prompt over the context."""
        for prompt in prompts:
            if _length(prompt) > self.context:
                raise DataError(
                    f"prompt of {_length(prompt)} tokens is over the context of {self.context}: {prompt.question[:80]!r}"
                )
        return [
            [replace(self._complete(self.answers(prompt, n), sampling), prompt_tokens=_length(prompt)) for n in range(samples)]
            for prompt in prompts
        ]

    def _complete(self, text: str, sampling: Sampling) -> Completion:
        ids = (*text.encode("utf-8", "surrogatepass"), END)
        kept = ids[: sampling.max_tokens]
        if len(kept) == len(ids):
            return Completion(text, ids, (LOGPROB,) * len(ids), "stop")
        cut = bytes(kept).decode("utf-8", "ignore")
        return Completion(cut, kept, (LOGPROB,) * len(kept), "length")


def _length(prompt: Prompt) -> int:
    return len(prompt.question.encode("utf-8", "surrogatepass"))
