"""Plain questions to a model, text in and text out: how a judge is asked, whether it runs here or behind an address."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from stages.data.files import DataError
from stages.rollout.endpoint import Endpoint
from stages.rollout.engine import Engine, Prompt, Sampling
from stages.rollout.responder import EngineResponder, Outcome, Request, Responder
from stages.run.sections import Judging
from stages.verifiers.judge import Answer

CONCURRENCY = 16
"""Requests at a time."""
SECONDS = 300.0
"""Limit of one request."""


@dataclass(frozen=True)
class Asking:
    """Called with texts, gives a reply for each, in order, or the error why there is none. Prompts are asked as they are, greedily
    unless `sampling` says otherwise."""

    responder: Responder
    sampling: Sampling = field(default_factory=lambda: Sampling(temperature=0.0, top_p=1.0, max_tokens=2048, seed=0))

    def __call__(self, prompts: Sequence[str]) -> list[str | DataError]:
        """DataError when nothing more can be asked (an endpoint that accepts no key, that fails again and again)."""
        size = max(1, self.responder.batch)
        asked = [Prompt(text, None, instruction="") for text in prompts]
        requests = [Request(tuple(asked[start : start + size]), 1, self.sampling) for start in range(0, len(asked), size)]
        answered: dict[int, list[Outcome]] = {}
        self.responder.respond(requests, lambda index, outcomes: answered.update({index: outcomes}))
        return [_text(outcome) for index in range(len(requests)) for outcome in answered[index]]


def asking(model: str, endpoint: str | None, batch: int) -> Asking:
    """Asks `model` behind the address `endpoint` (the key is in the environment), or, without one, the checkpoint folder `model`
    here, which is loaded at the first question and answers up to `batch` prompts side by side."""
    return Asking(responder_of(model, endpoint, batch))


def responder_of(model: str, endpoint: str | None, batch: int, seconds: float = SECONDS) -> Responder:
    """Who answers for `asking`; `seconds` is the limit of one request to an endpoint."""
    if endpoint is not None:
        return Endpoint(endpoint, model, concurrency=CONCURRENCY, seconds=seconds)
    return EngineResponder(cache(lambda: _opened(model, batch)), batch, {"model": model})


def judge_of(judging: Judging, batch: int) -> Answer | None:
    """The judge of params.yaml, a classic reward model where its folder holds a value head; None when it names none."""
    if judging.model is None:
        return None
    from stages.models.value_head import FILE, ValueJudge

    folder = Path(judging.model)
    if judging.endpoint is None and (folder / FILE).exists():
        return ValueJudge(folder)
    return asking(judging.model, judging.endpoint, batch)


def _opened(folder: str, batch: int) -> Engine:
    from stages.rollout.transformers_engine import open_engine

    return open_engine(folder, None, None, batch)


def _text(outcome: Outcome) -> str | DataError:
    if not isinstance(outcome, tuple):
        return DataError(outcome.reason)
    (response,) = outcome
    return DataError("its reply was cut at its limit of tokens") if response.finish == "length" else response.text
