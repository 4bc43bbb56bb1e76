"""Reads a completion that an endpoint sent. Endpoints send what they like: what is no completion is a Failure of that question."""

from typing import Any

from stages.rollout.responder import Failure, Outcome, Response

WORD = 40
"""Characters of an endpoint's own word for why an answer ended."""
SHOWN = 200
"""Characters of what an endpoint said that are shown."""


def outcome(answer: Any, secret: str | None) -> Outcome:
    """The one choice of a completion, without `secret`, which nobody has to store because an endpoint repeats it.

    Thinking stands in `reasoning_content` (DeepSeek, vLLM) or `reasoning` (OpenRouter)."""
    choices = getattr(answer, "choices", None)
    if not isinstance(choices, list) or not choices:
        return Failure(f"no completion in the answer: {shown(str(answer)[:SHOWN], secret)!r}")
    choice, usage = choices[0], answer.usage
    message = getattr(choice, "message", None)
    if not hasattr(message, "content"):
        return Failure(f"a choice without a message: {shown(str(choice), secret)!r}")
    more = getattr(message, "model_extra", None) or {}
    reasoning = more.get("reasoning_content") or more.get("reasoning")
    content, finish = getattr(message, "content", None), getattr(choice, "finish_reason", None)
    for name, value in (("content", content), ("reasoning", reasoning), ("finish_reason", finish)):
        if not isinstance(value, str | None):
            return Failure(f"{name} is no text but {type(value).__name__}")
    counts = [getattr(usage, name, None) for name in ("completion_tokens", "prompt_tokens")] if usage is not None else [None, None]
    if any(not _is_count(count) for count in counts) or (usage is not None and None in counts):
        return Failure(f"usage does not count tokens: {shown(str(usage), secret)!r}")
    text = clean(content or "", secret)
    thought = clean(reasoning, secret) if reasoning else None
    return (Response(text, shown(finish or "unknown", secret)[:WORD], counts[0], counts[1], thought),)


def clean(text: str, secret: str | None) -> str:
    """The text as it can be stored: half characters (lone surrogates) replaced, `secret` taken out."""
    whole = text.encode("utf-8", "replace").decode("utf-8")
    return whole.replace(secret, "***") if secret else whole


def shown(text: str, secret: str | None) -> str:
    """The text as it can be printed: one short line without control characters."""
    plain = "".join(sign if sign.isprintable() else " " for sign in clean(text[: 4 * SHOWN], secret))
    return " ".join(plain.split())[:SHOWN]


def _is_count(value: Any) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 40)
