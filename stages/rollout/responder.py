"""What an evaluation asks: somebody who answers prompts with texts. The embedded engine and endpoints are both that."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from stages.data.files import DataError
from stages.rollout.engine import Completion, Engine, Prompt, Sampling


@dataclass(frozen=True)
class Response:
    """One answer."""

    text: str
    """As drawn; of an endpoint that thinks apart, the answer without the thinking."""
    finish: str
    """Why it ended: "stop", "length", or an endpoint's own word."""
    tokens: int | None
    """Tokens of the answer, thinking included; None where an endpoint does not count them."""
    prompt_tokens: int | None
    reasoning: str | None = None
    """The thinking, where an endpoint gives it apart."""


@dataclass(frozen=True)
class Refusal:
    """A prompt that cannot be asked (a broken picture, one over the context): it would be refused again."""

    reason: str


@dataclass(frozen=True)
class Failure:
    """A prompt that was asked in vain: it may be answered the next time."""

    reason: str


Outcome = tuple[Response, ...] | Refusal | Failure
"""What became of one prompt: its samples, or why there are none."""


@dataclass(frozen=True)
class Request:
    """Prompts that are answered together, by one stream of random numbers."""

    prompts: tuple[Prompt, ...]
    samples: int
    """Answers to each prompt."""
    sampling: Sampling


class Responder(Protocol):
    """Somebody who answers."""

    @property
    def batch(self) -> int:
        """Answers drawn together: a request holds at most so many."""
        ...

    @property
    def settings(self) -> Mapping[str, Any]:
        """What answers depend on beside prompt and sampling, as JSON values; the model first of all."""
        ...

    def respond(self, requests: Sequence[Request], done: Callable[[int, list[Outcome]], None]) -> None:
        """Answer all `requests`; `done` gets the index of each that is finished, in any order, and an outcome for each prompt.

        DataError when nothing more can be asked; what was told to `done` before stays true."""
        ...


class EngineResponder:
    """The embedded engine. It is loaded when there is something to ask."""

    def __init__(self, load: Callable[[], Engine], batch: int, settings: Mapping[str, Any]) -> None:
        self.load = load
        self.batch = batch
        self.settings = settings

    def respond(self, requests: Sequence[Request], done: Callable[[int, list[Outcome]], None]) -> None:
        """One request after the other. A prompt that the engine refuses costs no other."""
        if not requests:
            return
        engine = self.load()
        for index, request in enumerate(requests):
            done(index, _answered(engine, request.prompts, request))


def _answered(engine: Engine, prompts: Sequence[Prompt], request: Request) -> list[Outcome]:
    """Outcomes of `prompts`; where the engine refuses, the halves are tried, down to the prompts at fault."""
    try:
        groups = engine.generate(prompts, request.sampling, request.samples)
    except DataError as error:
        if len(prompts) == 1:
            return [Refusal(str(error))]
        middle = len(prompts) // 2
        return [outcome for half in (prompts[:middle], prompts[middle:]) for outcome in _answered(engine, half, request)]
    return [tuple(_response(completion) for completion in group) for group in groups]


def _response(completion: Completion) -> Response:
    return Response(completion.text, completion.finish, len(completion.token_ids), completion.prompt_tokens)
