"""What a generation engine is. Stages see only these Protocols; tests use `scripted`, laptops `transformers_engine`, GPU machines
`vllm_engine`."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from stages.prompts.prompt import Prompt

if TYPE_CHECKING:
    import torch

    from stages.prompts.render import Rendered

__all__ = ["Completion", "Engine", "Finish", "Piece", "Prompt", "Repetition", "Request", "RolloutEngine", "Sampling"]

Finish = Literal["stop", "length", "repeat", "cut"]
"""How generation ended: by an end token; at the limit of the response (or the context); because the text repeats itself; at the
budget of this call, to be continued in a later one."""


Ending = Literal["stop", "length", "repeat"]
"""How a whole response ended."""


def ending(finish: Finish) -> Ending:
    """The ending of a response whose budget was its limit, so that it cannot have been cut."""
    assert finish != "cut"
    return finish


@dataclass(frozen=True)
class Repetition:
    """When a response counts as repeating itself (§2.6): its last tokens are at least `repeats` copies of one sequence of at most
    `max_period` tokens, and at least `min_tokens` long in all, where the sequence has at least `distinct` different tokens;
    a plainer one (digits of a third, zeros of a matrix, the rule under a table's head) must be `plain_tokens` long in all."""

    max_period: int
    repeats: int
    min_tokens: int
    distinct: int = 8
    plain_tokens: int = 512

    def needed(self, period: int, plain: bool) -> int:
        """Length from which a tail of this period counts."""
        return max(self.repeats * period, self.plain_tokens if plain else self.min_tokens)


@dataclass(frozen=True)
class Sampling:
    """How to draw responses."""

    temperature: float
    """0 means greedy."""
    top_p: float
    max_tokens: int
    """Response tokens at most; a response cut there has finish "length"."""
    seed: int
    repetition: Repetition | None = None
    """None: responses may repeat themselves."""


@dataclass(frozen=True)
class Completion:
    """One response, token ids kept as sampled (they are never decoded and tokenised again)."""

    text: str
    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    """Natural log-probability of each token under the distribution it was drawn from before top-p (temperature applied)."""
    finish: Ending
    prompt_tokens: int | None = None
    """Tokens of the prompt, pictures included; None where the engine does not count them."""


class Engine(Protocol):
    """A model that answers prompts."""

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling, samples: int = 1) -> list[list[Completion]]:
        """`samples` completions for each prompt, in the order of `prompts`. Raises DataError for a prompt over the context."""
        ...


@dataclass(frozen=True)
class Request:
    """One response to begin, or to go on with."""

    prompt: Prompt
    rendered: "Rendered"
    """The prompt as the trainer reads it; its token ids are what the engine must condition on."""
    start: tuple[int, ...]
    """Tokens of the response that exist already, of earlier calls; () for a fresh one."""
    budget: int
    """New tokens at most in this call, at least 1; a response that is still going on there has finish "cut"."""
    limit: int
    """New tokens at most until the response is as long as it may be; one that gets there has finish "length", also where the
    budget ends at the same token. The engine ends at the context, too, with "length"."""
    seed: int
    """Of this response's own stream of random numbers in this call: what is drawn does not depend on its neighbours."""


@dataclass(frozen=True)
class Piece:
    """What one call added to a response."""

    token_ids: tuple[int, ...]
    """New tokens only, the end token included."""
    logprobs: tuple[float, ...]
    """Natural log-probability of each, as in Completion."""
    finish: Finish


class RolloutEngine(Protocol):
    """An engine whose model is being trained."""

    def extend(
        self, requests: Sequence[Request], sampling: Sampling, ended: Callable[[int, Piece], None] | None = None
    ) -> list[Piece]:
        """A piece for each request, in order. Requests are begun in the order given and refill the places of ended ones;
        consecutive requests of the same prompt share its computation. `sampling` gives temperature, top_p and repetition (its
        max_tokens and seed are not used). `ended(index, piece)` is called as soon as each piece ends, from the calling thread."""
        ...

    def decode(self, token_ids: Sequence[int]) -> str:
        """Text of a response's tokens, end tokens left out."""
        ...

    def take_weights(self, weights: Iterable[tuple[str, "torch.Tensor"]]) -> None:
        """The trained weights by their transformers names, in place, no disk; an engine that shares the trainer's tensors takes
        none. Raises DataError when what arrived is not what was sent."""
        ...

    def sleep(self) -> None:
        """Give memory back while the trainer works."""
        ...

    def wake(self) -> None:
        """Get ready to generate again."""
        ...
