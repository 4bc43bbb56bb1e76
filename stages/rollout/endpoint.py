"""Models behind an OpenAI-compatible address (/chat/completions): many requests at a time, retries with back-off.

The `openai` package sends, waits and retries: connection errors, timeouts and the statuses 408, 409, 429 and 5xx, after 0.5 s,
1 s, 2 s ... 8 s with jitter, or as long as Retry-After says (up to 120 s; a longer one is not waited for). An answer is bounded
(bounded_client), what is none of a completion is a failure of that question (completions)."""

import asyncio
import ipaddress
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from stages.data.files import DataError
from stages.prompts.messages import messages
from stages.rollout.completions import outcome, shown
from stages.rollout.engine import Prompt, Sampling
from stages.rollout.responder import Failure, Outcome, Refusal, Request
from stages.run.secrets import SHORTEST, has_password, hidden

if TYPE_CHECKING:
    from openai import APIStatusError, AsyncOpenAI

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
    """Limit of one try of a request, up to the last byte of its answer."""
    batch = 1
    _stopped: DataError | None = field(default=None, init=False)
    _failures: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if has_password(self.address):
            raise DataError(f"{hidden(self.address)}: no password or key in an address; put it into the environment variable {KEY}")
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
            found = outcome(answer, _secret())
        except APIStatusError as error:
            found = Failure(_status(error))
            if error.status_code in FATAL:
                self._stop(f"{FATAL[error.status_code]} ({found.reason})")
        except (OpenAIError, ValueError, RecursionError) as error:
            found = Failure(f"{type(error).__name__}: {_cause(error)}")
        self._count(found)
        return found

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
        from openai import AsyncOpenAI, Timeout

        from stages.rollout.bounded_client import BoundedClient

        local = _is_loopback(str(urlsplit(self.address).hostname))
        limit = Timeout(self.seconds, connect=CONNECT_SECONDS)
        return AsyncOpenAI(
            base_url=self.address,
            api_key=os.environ.get(KEY) or "none",
            max_retries=self.retries,
            timeout=limit,
            http_client=BoundedClient(self.seconds, trust_env=not local, timeout=limit, limits=_limits(self.concurrency)),
        )


def _limits(concurrency: int) -> Any:
    import httpx2

    return httpx2.Limits(max_connections=max(concurrency, 1), max_keepalive_connections=max(concurrency, 1))


def _secret() -> str | None:
    """The key, where it is one that no answer holds by chance."""
    key = os.environ.get(KEY, "")
    return key if len(key) >= SHORTEST else None


def _status(error: "APIStatusError") -> str:
    """What a status other than 2xx says; of a redirection, that it is not followed."""
    reason = f"status {error.status_code}: {shown(str(error), _secret())}"
    if 300 <= error.status_code < 400:
        target = shown(hidden(error.response.headers.get("location", "nowhere")), _secret())
        return f"{reason}; it redirects to {target}, which is not followed: write the address that answers"
    return reason


def _cause(error: BaseException) -> str:
    """What an error says, with what caused it: openai's own are "Connection error." and "Request timed out."."""
    said = [str(error), *([str(error.__cause__)] if error.__cause__ else [])]
    return shown(" ".join(dict.fromkeys(said)), _secret())


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
