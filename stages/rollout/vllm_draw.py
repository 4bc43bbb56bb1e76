"""How the vLLM engine draws tokens: by the embedded engine's own `draw`, in the place of vLLM's sampler.

So both engines mean the same by a log-probability (log-softmax of all tokens' logits at the temperature, before top-p and before
tokens are banned, which is what the trainer computes), ban tokens by one fill of the batch, and draw a response's n-th token by the
n-th number of its own stream, whatever its neighbours, its row, preemption and the parts in which a prompt is read."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from stages.rollout.engine import Sampling
from stages.rollout.sampling import Uniforms, draw

LOGITS = 1 << 24  # drawn from at once: `draw` holds some copies of them, in double precision one


@dataclass(frozen=True)
class Stream:
    """Where a request's random numbers are: line of the table, seed, tokens that the response had before this call."""

    line: int
    seed: int
    start: int


class Draws:
    """The forward of vLLM's sampler for one call of `extend` after another."""

    def __init__(self, runner: Any, banned: torch.Tensor) -> None:
        self.runner = runner
        self.banned = banned
        self.sampling = Sampling(0, 1.0, 1, 0)
        self.uniforms: Uniforms | None = None
        self.streams: dict[str, Stream] = {}

    def begin(self, sampling: Sampling, requests: int) -> None:
        """Get ready for a call of so many requests."""
        self.sampling = sampling
        self.streams = {}
        self.uniforms = Uniforms(requests) if sampling.temperature > 0 else None

    def admit(self, name: str, stream: Stream) -> None:
        """vLLM's request `name` draws from this stream."""
        self.streams[name] = stream
        if self.uniforms is not None:
            self.uniforms.begin(stream.line, stream.seed, stream.start)

    def __call__(self, logits: torch.Tensor, **_: Any) -> Any:
        """Tokens and log-probabilities for `logits` (B, V), whose rows are those of the model runner's batch."""
        from vllm.v1.outputs import LogprobsTensors, SamplerOutput

        numbers = self._numbers(len(logits))
        most = max(1, LOGITS // logits.shape[1])
        tokens, logprobs = [], []
        for first in range(0, len(logits), most):
            part = slice(first, first + most)
            uniforms = None if numbers is None else torch.from_numpy(numbers[part]).to(logits.device)
            chosen, values = draw(logits[part], self.sampling.temperature, self.sampling.top_p, self.banned, uniforms)
            tokens.append(chosen)
            logprobs.append(values)
        ids = torch.cat(tokens).to(torch.int32)[:, None]
        ranks = torch.ones(len(logits), dtype=torch.int64, device=logits.device)  # nobody reads them
        return SamplerOutput(ids, LogprobsTensors(ids, torch.cat(logprobs)[:, None], ranks))

    def _numbers(self, rows: int) -> "np.ndarray[tuple[int], np.dtype[np.float64]] | None":
        """The number of each row's next token. A row whose prompt is not yet read as a whole gets one, too; vLLM throws its token
        away and asks for the same place again."""
        if self.uniforms is None:
            return None
        batch = self.runner.input_batch
        streams = [self.streams[name] for name in batch.req_ids[:rows]]
        drawn = batch.num_tokens_no_spec[:rows] - batch.num_prompt_tokens[:rows]
        for stream, count in zip(streams, drawn.tolist(), strict=True):
            place = stream.start + count
            if self.uniforms.places[stream.line] != place:
                self.uniforms.begin(stream.line, stream.seed, place)
        return self.uniforms.take(np.array([stream.line for stream in streams]))
