"""Models behind an OpenAI-compatible address (/chat/completions): many requests at a time, retries with back-off.

The `openai` package sends, waits and retries: connection errors, timeouts and the statuses 408, 409, 429 and 5xx, after 0.5 s,
1 s, 2 s ... 8 s with jitter, or as long as Retry-After says (up to 120 s)."""

import asyncio
import ipaddress
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from stages.data.files import DataError
from stages.prompts.messages import messages
from stages.rollout.engine import Prompt, Sampling
from stages.rollout.responder import Failure, Outcome, Refusal, Request, Response

if TYPE_CHECKING:
    from openai import AsyncOpenAI

KEY = "OPENAI_API_KEY"
CONNECT_SECONDS = 10.0
FAILURES_IN_A_ROW = 20
"""When so many requests have failed and none was answered in between, the rest is not asked."""
FATAL = {401: f"the key in {KEY} is not accepted", 403: "this key may not do that", 404: "no such model or address"}
"""Statuses that any other request would get too."""


@dataclass
class Endpoint:
    """A model at an address. Each answer is a request of its own, so that each is kept as soon as it is there."""

    address: str
    """Up to and without /chat/completions, mostly ending in /v1."""
    model: str
    concurrency: int
    """Requests at a time."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """What every request holds beside model, messages, temperature, top_p, max_tokens and seed; None leaves one of these out."""
    retries: int = 10
    seconds: float = 1800.0
    """Limit of one request."""
    batch = 1
    _stopped: DataError | None = field(default=None, init=False)
    _failures: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise DataError(f"{self.address}: no address of a server; expected one like http://127.0.0.1:8000/v1")
        if not os.environ.get(KEY) and not _is_loopback(parts.hostname):
            raise DataError(f"{self.address}: no key; put yours into the environment variable {KEY}")

    @property
    def settings(self) -> dict[str, Any]:
        """Model and further fields. The address is none: the same model may move."""
        return {"model": self.model, "fields": dict(self.fields)}

    def respond(self, requests: Sequence[Request], done: Callable[[int, list[Outcome]], None]) -> None:
        """All requests, at most `concurrency` at a time. DataError when the endpoint would refuse every further one."""
        try:
            asyncio.run(self._respond(requests, done))
        except ExceptionGroup as group:
            raise group.exceptions[0] from None
        if self._stopped is not None:
            raise self._stopped

    async def _respond(self, requests: Sequence[Request], done: Callable[[int, list[Outcome]], None]) -> None:
        waiting = iter(enumerate(requests))
        async with self._client() as client, asyncio.TaskGroup() as group:
            for _ in range(min(self.concurrency, len(requests))):
                group.create_task(self._work(client, waiting, done))

    async def _work(
        self, client: "AsyncOpenAI", waiting: Iterator[tuple[int, Request]], done: Callable[[int, list[Outcome]], None]
    ) -> None:
        for index, request in waiting:
            outcomes: list[Outcome] = [await self._asked(client, prompt, request.sampling) for prompt in request.prompts]
            done(index, outcomes)
            if self._stopped is not None:
                return

    async def _asked(self, client: "AsyncOpenAI", prompt: Prompt, sampling: Sampling) -> Outcome:
        from openai import APIStatusError, OpenAIError

        try:
            turns: Any = await asyncio.to_thread(messages, prompt)
        except DataError as error:
            return Refusal(str(error))
        try:
            answer = await client.chat.completions.create(model=self.model, messages=turns, extra_body=self._body(sampling))
            outcome = _outcome(answer)
        except APIStatusError as error:
            if error.status_code in FATAL:
                self._stop(f"{FATAL[error.status_code]} (status {error.status_code}: {_short(error)})")
            outcome = Failure(f"status {error.status_code}: {_short(error)}")
        except (OpenAIError, ValueError) as error:
            outcome = Failure(f"{type(error).__name__}: {_short(error)}")
        self._count(outcome)
        return outcome

    def _count(self, outcome: Outcome) -> None:
        self._failures = self._failures + 1 if isinstance(outcome, Failure) else 0
        if self._failures >= FAILURES_IN_A_ROW and isinstance(outcome, Failure):
            self._stop(f"{self._failures} requests failed in a row, the last with {outcome.reason}")

    def _stop(self, why: str) -> None:
        if self._stopped is None:
            self._stopped = DataError(f"{self.address}: {why}; correct it, then the same command goes on where this stopped")

    def _body(self, sampling: Sampling) -> dict[str, Any]:
        usual = {
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_tokens,
            "seed": sampling.seed % 2**31,
        }
        return {name: value for name, value in {**usual, **self.fields}.items() if value is not None}

    def _client(self) -> "AsyncOpenAI":
        """Without a proxy where the server is on this machine."""
        from openai import AsyncOpenAI, DefaultAsyncHttpxClient, Timeout

        local = _is_loopback(str(urlsplit(self.address).hostname))
        return AsyncOpenAI(
            base_url=self.address,
            api_key=os.environ.get(KEY) or "none",
            max_retries=self.retries,
            timeout=Timeout(self.seconds, connect=CONNECT_SECONDS),
            http_client=DefaultAsyncHttpxClient(trust_env=not local),
        )


def _outcome(answer: Any) -> Outcome:
    """The one choice of a completion. Thinking stands in `reasoning_content` (DeepSeek, vLLM) or `reasoning` (OpenRouter)."""
    choices = getattr(answer, "choices", None)
    if not choices:
        return Failure(f"no completion in the answer: {str(answer)[:120]!r}")
    message, usage = choices[0].message, answer.usage
    more = message.model_extra or {}
    reasoning = more.get("reasoning_content") or more.get("reasoning")
    return (
        Response(
            message.content or "",
            choices[0].finish_reason or "unknown",
            usage.completion_tokens if usage else None,
            usage.prompt_tokens if usage else None,
            str(reasoning) if reasoning else None,
        ),
    )


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
