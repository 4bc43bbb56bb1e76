"""The generation engine of GPU machines: vLLM in the trainer's own process, on the trainer's own GPU (§2.6, hybrid deployment).

Weights are pushed in place after each iteration and checked; memory is given back while the trainer works. Tests run it on
vLLM's CPU build (`make test-vllm`), also by two processes with a model or half a model each. That build cannot sleep; sleeping,
bfloat16 and CUDA graphs were run on an H100 (results/h100), several GPUs were not."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import torch

from stages.data.files import DataError
from stages.prompts.prompt import Prompt
from stages.prompts.render import Rendered, Renderer
from stages.rollout.engine import Completion, Piece, Request, Sampling, ending
from stages.rollout.golden import Golden, golden_requests, judge
from stages.rollout.vllm_draw import Draws
from stages.rollout.vllm_flight import Flight
from stages.rollout.vllm_start import Started
from stages.rollout.waiting import begun
from stages.rollout.weight_check import WeightCheck
from stages.run.seeds import stream_seed


class VLLMEngine:
    """vLLM around its own copy of the model that others train."""

    def __init__(self, started: Started, renderer: Renderer, golden: Golden | None) -> None:
        self.started = started
        self.renderer = renderer
        self.golden = golden
        self.draws = Draws(started.runner, torch.tensor(started.banned, device=started.runner.device))
        started.runner.sampler.forward = self.draws
        self.tokenizer = renderer.processor.tokenizer
        self.held: dict[str, int] = {}
        self.answers: list[Piece] = []
        self.broken = ""

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling, samples: int = 1) -> list[list[Completion]]:
        """`samples` completions for each prompt, in order; equal for equal inputs. DataError for a prompt over the context."""
        rendered = self.renderer.render(prompts, room=1)
        requests = [
            Request(prompt, seen, (), sampling.max_tokens, sampling.max_tokens, stream_seed(sampling.seed, index, sample))
            for index, (prompt, seen) in enumerate(zip(prompts, rendered, strict=True))
            for sample in range(samples)
        ]
        flat = [
            Completion(
                self.decode(piece.token_ids), piece.token_ids, piece.logprobs, ending(piece.finish), len(request.rendered.token_ids)
            )
            for request, piece in zip(requests, self.extend(requests, sampling), strict=True)
        ]
        return [flat[start : start + samples] for start in range(0, len(flat), samples)]

    def extend(
        self, requests: Sequence[Request], sampling: Sampling, ended: Callable[[int, Piece], None] | None = None
    ) -> list[Piece]:
        """See RolloutEngine. All processes of a tensor-parallel group must call it, be it without requests: each generates for all
        of them and keeps its own. DataError, before anything is generated, for a request to which no token can be added; and for
        a prompt that vLLM reads as other tokens than the trainer."""
        if self.broken:
            raise DataError(f"the engine's weights are not whole: {self.broken}")
        everyone, first = self._of_group(requests)
        own = range(first, first + len(requests))
        pieces: dict[int, Piece] = {}

        def note(index: int, piece: Piece) -> None:
            pieces[index] = piece
            if ended is not None and index in own:
                ended(index - first, piece)

        rows = [begun(index, request, self.renderer.context) for index, request in enumerate(everyone)]
        self.draws.begin(sampling, len(rows))
        Flight(self.started, self.draws, self.renderer, sampling, note).run(rows)
        return [pieces[index] for index in own]

    def decode(self, token_ids: Sequence[int]) -> str:
        """Text of a response's tokens, end tokens left out."""
        return self.renderer.response_text(token_ids, self.started.ends)

    def take_weights(self, weights: Iterable[tuple[str, torch.Tensor]]) -> None:
        """Load the trainer's named_parameters in place and forget what was computed by the old ones. DataError when a checksum of
        what the engine holds then is not that of what was sent, or when the golden prompts are not answered as the trainer says
        (all processes must call, `weights` and golden.reference may need all); the engine then refuses to generate."""
        self.broken = "a push of weights failed before; push again, or stop"
        check = WeightCheck(self.started.parameters(), self.started.rename, self.started.packed, self.started.share)
        self.started.load(check.note(weights))
        before, self.held = self.held, check.check()
        self.started.forget()
        self.broken = ""
        if self.golden is not None:
            try:
                self._ask(self.golden, sum(before[name] != value for name, value in self.held.items()) if before else 0)
            except DataError as error:
                self.broken = str(error)
                raise

    def sleep(self) -> None:
        """Move the weights to the host's memory and drop the key-value cache (vLLM's level 1; level 2 would drop the weights, too,
        and an iteration without a step pushes none). On the CPU build, which cannot, it does nothing: the memory stays taken."""
        if self.started.can_sleep:
            self.started.llm.sleep(level=1)

    def wake(self) -> None:
        """Take the memory again; the cache is empty then."""
        if self.started.can_sleep:
            self.started.llm.wake_up()
            self.started.forget()

    def _ask(self, golden: Golden, changed: int) -> None:
        """Answer the golden prompts and have them judged. `changed` tensors are other ones than before."""
        requests, sampling = golden_requests(golden, self.renderer.render(golden.prompts), self.renderer.context)
        answers = self.extend(requests, sampling)
        judge(golden, requests, answers)
        if changed > len(self.held) / 2 and answers == self.answers:
            raise DataError(
                f"{changed} of {len(self.held)} tensors have changed, the log-probabilities of the golden prompts have not by a "
                "bit; the engine computes by a copy of the old weights: generate with hardware.engine=transformers"
            )
        self.answers = answers

    def _of_group(self, requests: Sequence[Request]) -> tuple[list[Request], int]:
        """The requests of all processes of the tensor-parallel group, and where this one's begin."""
        if self.started.share.size == 1:
            return list(requests), 0
        light = [replace(request, rendered=Rendered(request.rendered.token_ids, {}, {})) for request in requests]
        parts = self.started.gather(light)
        rank = self.started.share.rank
        return [request for part in parts for request in part], sum(len(part) for part in parts[:rank])
