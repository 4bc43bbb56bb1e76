"""The embedded generation engine: transformers' own model, text and pictures, CPU or GPU, a running batch of many lengths.

Requests wait for slots; a response that ends leaves its slot to the next, and when nobody waits the batch shrinks. A prompt is run
once for all its samples. What a response draws depends on its own seed and the place of each token, not on its neighbours."""

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from stages.data.files import DataError
from stages.models.attention import use_packed_attention
from stages.models.loading import best_device, context_of, end_ids, load_model, load_processor
from stages.prompts.prompt import Prompt
from stages.prompts.render import Rendered, Renderer
from stages.rollout.cache import SlotCache, check_layers
from stages.rollout.engine import Completion, Engine, Piece, Request, Sampling, ending
from stages.rollout.prefill import Prefilled, Prefix, prefill
from stages.rollout.sampling import never_drawn
from stages.rollout.slots import Slots, Vocabulary
from stages.rollout.waiting import Queue
from stages.run.seeds import stream_seed

REFILL_SHARE = 1 / 8  # slots are filled again when this share of them is free: several prompts are read at once
COMPACT_SHARE = 0.85  # with nobody waiting, the batch is compacted when fewer than this share of its rows still run


class TransformersEngine:
    """Generation by a transformers vision-language model that others may be training."""

    def __init__(self, model: Any, renderer: Renderer, batch: int) -> None:
        use_packed_attention(model)
        self.model = model
        self.renderer = renderer
        self.batch = batch
        self.tokenizer = renderer.processor.tokenizer
        self.text_config = model.config.get_text_config()
        check_layers(self.text_config)
        ends = end_ids(model, renderer.turn_end)
        self.ends = torch.tensor(ends, device=model.device)
        outputs = model.get_output_embeddings().weight.shape[0]
        self.banned = torch.tensor(never_drawn(model.config, self.tokenizer, ends, outputs), device=model.device)

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling, samples: int = 1) -> list[list[Completion]]:
        """`samples` completions for each prompt, in order; equal for equal inputs. DataError for a prompt over the context."""
        rendered = self.renderer.render(prompts, room=1)
        return self.generate_rendered(rendered, sampling, samples)

    def generate_rendered(self, rendered: Sequence[Rendered], sampling: Sampling, samples: int) -> list[list[Completion]]:
        """The same for prompts that are rendered already. Those of similar length are begun together."""
        order = sorted(range(len(rendered)), key=lambda index: len(rendered[index].token_ids))
        requests = [
            Request(Prompt("", None), rendered[index], (), sampling.max_tokens, sampling.max_tokens, seed)
            for index in order
            for seed in (stream_seed(sampling.seed, index, sample) for sample in range(samples))
        ]
        pieces = self.extend(requests, sampling)
        found: dict[int, list[Completion]] = {}
        for place, index in enumerate(order):
            found[index] = [
                Completion(
                    self.decode(piece.token_ids),
                    piece.token_ids,
                    piece.logprobs,
                    ending(piece.finish),
                    len(rendered[index].token_ids),
                )
                for piece in pieces[place * samples : (place + 1) * samples]
            ]
        return [found[index] for index in range(len(rendered))]

    def extend(
        self, requests: Sequence[Request], sampling: Sampling, ended: Callable[[int, Piece], None] | None = None
    ) -> list[Piece]:
        """See RolloutEngine. DataError, before anything is generated, for a request to which no token can be added."""
        queue = Queue(requests, self.renderer.context, self._read)
        pieces: dict[int, Piece] = {}

        def note(index: int, piece: Piece) -> None:
            pieces[index] = piece
            if ended is not None:
                ended(index, piece)

        count = min(self.batch, len(requests))
        cache = SlotCache(self.text_config, count, queue.longest, queue.most)
        vocabulary = Vocabulary(frozenset(self.ends.tolist()), self.banned)
        slots = Slots(self.model, vocabulary, cache, sampling, note)
        with torch.no_grad(), _evaluating(self.model):
            while queue.groups or slots.running:
                while queue.groups and (not slots.running or slots.free >= max(1, REFILL_SHARE * count)):
                    for prefilled, lines, rows in queue.take(slots.free):
                        slots.admit(prefilled, lines, rows)
                if slots.running:
                    slots.step()
                if not queue.groups:
                    slots.compact(COMPACT_SHARE)
        return [pieces[index] for index in range(len(requests))]

    def decode(self, token_ids: Sequence[int]) -> str:
        """Text of a response's tokens, end tokens left out."""
        return self.renderer.response_text(token_ids, set(self.ends.tolist()))

    def take_weights(self, weights: Iterable[tuple[str, torch.Tensor]]) -> None:
        """Copy `weights` into the parameters of these names (`named_parameters`); those that are the same tensors stay. DataError
        for one that does not exist, has another shape, comes twice or is missing."""
        missing = dict(self.model.named_parameters())
        names = frozenset(missing)
        with torch.no_grad():
            for name, value in weights:
                if name not in missing:
                    what = "arrived twice" if name in names else "is no parameter of the engine's model"
                    raise DataError(f"weight {name} {what}; send each of the model's named_parameters once")
                own = missing.pop(name)
                if own.shape != value.shape:
                    raise DataError(f"weight {name} has the shape {tuple(value.shape)}; the engine's model has {tuple(own.shape)}")
                if own.data_ptr() != value.data_ptr():
                    own.copy_(value)
        if missing:
            raise DataError(f"{len(missing)} of {len(names)} weights did not arrive, the first {next(iter(missing))}; send all")

    def sleep(self) -> None:
        """Give cached memory of a GPU back; between calls the engine holds nothing but the model."""
        if self.model.device.type == "cuda":
            gc.collect()
            torch.cuda.empty_cache()

    def wake(self) -> None:
        """Nothing to do: buffers are made by each call."""

    def _read(self, prefixes: Sequence[Prefix]) -> Prefilled:
        return prefill(self.model, prefixes, self.tokenizer.pad_token_id or 0)


@contextmanager
def _evaluating(model: Any) -> Iterator[None]:
    """The model in evaluation mode, and afterwards as it was."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


def open_engine(source: str, revision: str | None, context: int | None, batch: int) -> Engine:
    """The engine for a folder or a hub id with its commit, outside a run: prompts bring their own instructions, and `context`
    None is the checkpoint's own."""
    net, processor = load_model(source, best_device(), revision), load_processor(source, revision)
    return TransformersEngine(net, Renderer(processor, "", context_of(net) if context is None else context), batch)
