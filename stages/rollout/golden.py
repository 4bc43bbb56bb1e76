"""Golden prompts: fixed prompts that an engine answers after each push of weights, judged by the trainer's log-probabilities.

A checksum says that the weights arrived; this says that the engine reads them as the trainer does, pictures included."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stages.data.files import DataError
from stages.prompts.prompt import Prompt
from stages.prompts.render import Rendered
from stages.rollout.engine import Piece, Request, Sampling

TOLERANCES = {"cpu": 1e-3, "cuda": 0.1}
"""Nats by device type, ours: float32 on the CPU (measured: below 1e-5), bfloat16 on GPUs (measured on an H100, single tokens of an
untrained model: below 0.08; weights of another model are whole nats away)."""
LIKELIEST = 1e-6
"""A top-p that leaves only the likeliest token: greedy tokens with log-probabilities at any temperature."""


@dataclass(frozen=True)
class Golden:
    """What is asked, and who judges."""

    prompts: tuple[Prompt, ...]
    """One of text, and one with a picture where the model is trained on pictures."""
    temperature: float
    """Of `reference`'s log-probabilities."""
    reference: Callable[[Rendered, tuple[int, ...]], Sequence[float]]
    """The trainer's log-probability of each of the response's tokens after the prompt."""
    tolerance: float
    """Nats that the mean over tokens of |engine - trainer| may reach."""
    tokens: int = 16


def golden_requests(golden: Golden, rendered: Sequence[Rendered], context: int) -> tuple[list[Request], Sampling]:
    """The requests of the golden prompts, and how to answer them. DataError for a prompt that fills the context."""
    requests = []
    for prompt, seen in zip(golden.prompts, rendered, strict=True):
        room = min(golden.tokens, context - len(seen.token_ids))
        if room < 1:
            raise DataError(f"golden prompt of {len(seen.token_ids)} tokens in a context of {context}; choose a shorter one")
        requests.append(Request(prompt, seen, (), room, room, 0))
    return requests, Sampling(golden.temperature, LIKELIEST, golden.tokens, 0)


def judge(golden: Golden, requests: Sequence[Request], pieces: Sequence[Piece]) -> list[float]:
    """Mean |engine - trainer| over the tokens of each response, in nats. DataError where one is over the tolerance."""
    gaps = []
    for request, piece in zip(requests, pieces, strict=True):
        trainer = golden.reference(request.rendered, piece.token_ids)
        gaps.append(sum(abs(a - b) for a, b in zip(piece.logprobs, trainer, strict=True)) / len(piece.token_ids))
        if not gaps[-1] <= golden.tolerance:  # not a number: over it, too
            raise DataError(
                f"golden prompt {request.prompt.question[:60]!r}: the engine's log-probabilities are {gaps[-1]:.3g} nats from the "
                f"trainer's on average, allowed are {golden.tolerance:.3g}; the engine does not compute what the trainer does: "
                "generate with hardware.engine=transformers, or try another version of vLLM"
            )
    return gaps
