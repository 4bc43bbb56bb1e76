"""One call of the vLLM engine: requests handed to vLLM, its steps, and how each response ends: by an end token, at its budget or
limit, or, which vLLM is told from here, because it repeats itself."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from stages.data.files import DataError
from stages.prompts.prompt import Prompt
from stages.prompts.render import Renderer, pictures
from stages.rollout.engine import Finish, Piece, Request, Sampling
from stages.rollout.repetition import TailWatch
from stages.rollout.slots import Row
from stages.rollout.vllm_draw import Draws, Stream
from stages.rollout.vllm_start import Started

OTHERWISE = "generate with hardware.engine=transformers if vLLM's processor for this architecture cuts pictures in another way"
WAITING = 2  # requests handed to vLLM, in batches: enough that none of its places stays free


class Flight:
    """The requests of one call, while vLLM works on them step by step."""

    def __init__(
        self, started: Started, draws: Draws, renderer: Renderer, sampling: Sampling, ended: Callable[[int, Piece], None]
    ) -> None:
        self.started = started
        self.draws = draws
        self.renderer = renderer
        self.sampling = sampling
        self.ended = ended
        self.rows: dict[str, Row] = {}
        self.watches: dict[str, TailWatch] = {}
        self.read: dict[Prompt, dict[str, Any]] = {}

    def run(self, rows: Sequence[Row]) -> None:
        """Until all have ended. After an error nothing of them stays in vLLM."""
        core, waiting = self.started.llm.llm_engine, deque(rows)
        try:
            while waiting or self.rows:
                while waiting and len(self.rows) < WAITING * self.started.batch:
                    self._admit(waiting.popleft())
                for output in core.step():
                    self._note(output)
        finally:
            core.abort_request(list(self.rows))

    def _admit(self, row: Row) -> None:
        request, name = row.request, str(row.index)
        asked = self._read(request)
        asked["prompt_token_ids"] = [*asked["prompt_token_ids"], *request.start]
        try:
            inner = self.started.llm.llm_engine.add_request(name, asked, self.started.parameters_of(row.most))
        except (ValueError, RuntimeError, KeyError, TypeError) as error:
            reason = " ".join(str(error).split())[:300]
            raise DataError(f"vLLM does not take the prompt {request.prompt.question[:60]!r} ({reason}); {OTHERWISE}") from error
        self.rows[name] = row
        self.draws.admit(inner, Stream(row.index, request.seed, len(request.start)))
        if self.sampling.repetition is not None:
            self.watches[name] = TailWatch(1, self.sampling.repetition)
            self.watches[name].begin(0, request.start)

    def _read(self, request: Request) -> dict[str, Any]:
        """The prompt for vLLM: token ids, or where there are pictures these and the ids in which each is one placeholder, which
        vLLM's own processor expands again."""
        prompt, renderer = request.prompt, self.renderer
        if not prompt.images:
            return {"prompt_token_ids": request.rendered.token_ids}
        if prompt not in self.read:
            ids = renderer.unexpanded(prompt)
            self.read[prompt] = {"prompt_token_ids": ids, "multi_modal_data": {"image": pictures(prompt)}}
        return dict(self.read[prompt])

    def _note(self, output: Any) -> None:
        """Append what a step added to a response, and end it where it has to."""
        row = self.rows.get(output.request_id)
        if row is None:
            return
        if not row.tokens:
            self._same_prompt(row, output.prompt_token_ids)
        (found,) = output.outputs
        finish: Finish | None = None
        for token, position in zip(found.token_ids, found.logprobs, strict=True):
            row.tokens.append(token)
            row.logprobs.append(position[token].logprob)
            watch = self.watches.get(output.request_id)
            again = watch is not None and bool(watch.advance(np.array([token]))[0])
            if token in self.started.ends:
                finish = "stop"
            elif again:
                finish = "repeat"
            elif len(row.tokens) == row.most:
                finish = row.full
            if finish is not None:
                break
        if finish is not None:
            if not output.finished:
                self.started.llm.llm_engine.abort_request([output.request_id])
            del self.rows[output.request_id]
            self.ended(row.index, Piece(tuple(row.tokens), tuple(row.logprobs), finish))

    def _same_prompt(self, row: Row, found: Sequence[int]) -> None:
        expected = [*row.request.rendered.token_ids, *row.request.start]
        if list(found) != expected:
            place = next((i for i, (a, b) in enumerate(zip(found, expected, strict=False)) if a != b), len(expected))
            raise DataError(
                f"vLLM reads the prompt {row.request.prompt.question[:60]!r} as {len(found)} tokens, the trainer as "
                f"{len(expected)}, and they differ from place {place} on; {OTHERWISE}"
            )
