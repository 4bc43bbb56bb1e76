"""An engine that answers from a script, so that whole evaluations and RL iterations run in milliseconds."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch

from stages.data.files import DataError
from stages.rollout.engine import Completion, Finish, Piece, Prompt, Repetition, Request, Sampling, ending
from stages.rollout.repetition import TailWatch

END = 256
LOGPROB = -0.5
SAMPLES = 1024
"""Answers to a prompt that are looked through for one that begins as a response that goes on."""


class ScriptedEngine:
    """Answers the n-th sample of a prompt with `answers(prompt, n)`.

    Token ids are the bytes of the text (0 to 255) and END; every token has log-probability LOGPROB. A text of more than
    max_tokens tokens is cut there. A prompt of more than `context` bytes is refused as a real engine refuses it."""

    def __init__(self, answers: Callable[[Prompt, int], str], context: int = 1 << 20) -> None:
        self.answers = answers
        self.context = context
        self.asleep = False
        self.weights: tuple[str, ...] = ()
        """Names that arrived last."""

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling, samples: int = 1) -> list[list[Completion]]:
        """`samples` completions for each prompt. DataError for a prompt over the context."""
        for prompt in prompts:
            if _length(prompt) > self.context:
                raise DataError(
                    f"prompt of {_length(prompt)} tokens is over the context of {self.context}: {prompt.question[:80]!r}"
                )
        return [[self._complete(prompt, n, sampling) for n in range(samples)] for prompt in prompts]

    def extend(
        self, requests: Sequence[Request], sampling: Sampling, ended: Callable[[int, Piece], None] | None = None
    ) -> list[Piece]:
        """See RolloutEngine. The n-th fresh request of a prompt gets the n-th answer; one that goes on, the first answer that
        begins with its `start` and that no other goes on with in this call. DataError when none does, and while asleep."""
        if self.asleep:
            raise DataError("the engine sleeps; call wake before extend")
        fresh: Counter[Prompt] = Counter()
        taken: set[tuple[Prompt, int]] = set()
        pieces = []
        for index, request in enumerate(requests):
            if request.start:
                answer, n = self._begun(request, taken)
                taken.add((request.prompt, n))
            else:
                answer = encoded(self.answers(request.prompt, fresh[request.prompt]))
                fresh[request.prompt] += 1
            room = self.context - _length(request.prompt) - len(request.start)
            pieces.append(_piece(request, answer, room, sampling.repetition))
            if ended is not None:
                ended(index, pieces[-1])
        return pieces

    def decode(self, token_ids: Sequence[int]) -> str:
        """The text whose bytes the tokens are."""
        return bytes(token for token in token_ids if token != END).decode("utf-8", "ignore")

    def take_weights(self, weights: Iterable[tuple[str, torch.Tensor]]) -> None:
        """Notes the names. DataError for one that comes twice."""
        self.weights = tuple(name for name, _ in weights)
        twice = [name for name, count in Counter(self.weights).items() if count > 1]
        if twice:
            raise DataError(f"weight {twice[0]} arrived twice; send each of the model's named_parameters once")

    def sleep(self) -> None:
        """Refuse requests until `wake`."""
        self.asleep = True

    def wake(self) -> None:
        """Answer again."""
        self.asleep = False

    def _complete(self, prompt: Prompt, n: int, sampling: Sampling) -> Completion:
        text = self.answers(prompt, n)
        kept, finish = _ended((), encoded(text), sampling.max_tokens, "length", sampling.repetition)
        whole = text if finish == "stop" else self.decode(kept)
        return Completion(whole, kept, (LOGPROB,) * len(kept), ending(finish), _length(prompt))

    def _begun(self, request: Request, taken: set[tuple[Prompt, int]]) -> tuple[tuple[int, ...], int]:
        """The answer that `request` goes on with, and which it is."""
        start = request.start
        for n in range(SAMPLES):
            answer = encoded(self.answers(request.prompt, n))
            if (request.prompt, n) not in taken and answer[: len(start)] == start and len(answer) > len(start):
                return answer, n
        raise DataError(f"no scripted answer to {request.prompt.question[:80]!r} goes on from {self.decode(start)[-80:]!r}")


def encoded(text: str) -> tuple[int, ...]:
    """The tokens of a whole answer."""
    return (*text.encode("utf-8", "surrogatepass"), END)


def _piece(request: Request, answer: tuple[int, ...], room: int, repetition: Repetition | None) -> Piece:
    limit = min(request.limit, room)
    if limit < 1 or request.budget < 1:
        raise DataError(f"limit {request.limit}, budget {request.budget}, room {room}: no token can be added to this response")
    full: Finish = "length" if limit <= request.budget else "cut"
    kept, finish = _ended(request.start, answer[len(request.start) :], min(limit, request.budget), full, repetition)
    return Piece(kept, (LOGPROB,) * len(kept), finish)


def _ended(
    start: tuple[int, ...], rest: tuple[int, ...], most: int, full: Finish, repetition: Repetition | None
) -> tuple[tuple[int, ...], Finish]:
    """What of `rest` is generated after `start`, and why it ends there."""
    kept = rest[:most]
    if repetition is not None:
        watch = TailWatch(1, repetition)
        watch.begin(0, start)
        for count, token in enumerate(kept, 1):
            if watch.advance(np.array([token]))[0] and token != END:
                return kept[:count], "repeat"
    return kept, "stop" if kept[-1] == END else full


def _length(prompt: Prompt) -> int:
    return len(prompt.question.encode("utf-8", "surrogatepass"))
