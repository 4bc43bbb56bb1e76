"""The HTTP client of endpoints: an answer is bounded as a whole, in time and in bytes, and nobody is sent on to another address.

The time-outs of HTTP clients bound the wait for the next byte: a server that drips one a minute holds them for ever. And they
unpack whatever comes: 3 MB of gzip may be 3 GB."""

import asyncio
import zlib
from typing import Any

import httpx2

ANSWER_BYTES = 64 << 20
"""Bytes of an answer, unpacked. §2.6's longest response, 128 K tokens, is about 1 MB with its thinking."""
ACCEPTED = "gzip"
"""What an answer may be packed by: its unpacking can be stopped at any byte."""
OWN = ("content-encoding", "content-length", "transfer-encoding")
"""Headers that are no more true of an answer that was read and unpacked here."""


class TooLargeError(httpx2.DecodingError):
    """An answer over ANSWER_BYTES, or packed by what was not asked for."""


class BoundedClient(httpx2.AsyncClient):
    """Gives answers that were read to their end within `seconds` and ANSWER_BYTES. httpx2.ReadTimeout and TooLargeError else."""

    def __init__(self, seconds: float, **more: Any) -> None:
        super().__init__(follow_redirects=False, headers={"Accept-Encoding": ACCEPTED}, **more)
        self._seconds = seconds

    async def send(self, request: httpx2.Request, **more: Any) -> httpx2.Response:
        """As httpx2's, for answers that are read whole."""
        request.headers["Accept-Encoding"] = ACCEPTED
        try:
            async with asyncio.timeout(self._seconds):
                answer = await super().send(request, **{**more, "stream": True, "follow_redirects": False})
                try:
                    content = await _read(answer)
                finally:
                    await answer.aclose()
        except TimeoutError as error:
            raise httpx2.ReadTimeout(f"no whole answer within {self._seconds:g} s", request=request) from error
        kept = [(name, value) for name, value in answer.headers.multi_items() if name.lower() not in OWN]
        return httpx2.Response(answer.status_code, headers=kept, content=content, request=request)


async def _read(answer: httpx2.Response) -> bytes:
    """The answer's content, unpacked no further than ANSWER_BYTES."""
    packed = answer.headers.get("content-encoding", "identity").lower()
    if packed not in ("identity", ACCEPTED):
        raise TooLargeError(f"the answer is packed by {packed[:40]!r}, expected {ACCEPTED}", request=answer.request)
    unpack = zlib.decompressobj(16 + zlib.MAX_WBITS) if packed == ACCEPTED else None
    content = bytearray()
    async for chunk in answer.aiter_raw(1 << 16):
        try:
            content += unpack.decompress(chunk, ANSWER_BYTES + 1 - len(content)) if unpack else chunk
        except zlib.error as error:
            raise httpx2.DecodingError(f"the answer is no {ACCEPTED}: {error}", request=answer.request) from error
        if len(content) > ANSWER_BYTES:
            raise TooLargeError(f"the answer has more than {ANSWER_BYTES >> 20} MiB", request=answer.request)
    if unpack and not unpack.eof:
        raise httpx2.DecodingError("the answer is cut", request=answer.request)
    return bytes(content)
