"""The embedded generation engine: transformers' own model, text and pictures, CPU or GPU, one batch of many lengths.

Prompts are run once for all their samples; rows that end leave the batch; the cache grows in blocks."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from stages.models.loading import best_device, context_of, device_of, end_ids, load_model, load_processor
from stages.models.positions import multimodal_positions, position_ids
from stages.prompts.prompt import Prompt
from stages.prompts.render import Rendered, Renderer, join_pixels
from stages.rollout.cache import block_cache, select_rows
from stages.rollout.engine import Completion, Engine, Piece, Request, Sampling
from stages.run.params import Hardware, Model
from stages.run.seeds import stream_seed

COMPACT_SHARE = 0.85  # the batch is compacted when fewer than this share of its rows still run


class TransformersEngine:
    """Generation by a transformers vision-language model that others may be training."""

    def __init__(self, model: Any, renderer: Renderer, batch: int) -> None:
        self.model = model
        self.renderer = renderer
        self.batch = batch
        self.tokenizer = renderer.processor.tokenizer
        self.ends = torch.tensor(end_ids(model), device=model.device)
        self.banned = torch.tensor(sorted(_never_drawn(model, self.tokenizer)), device=model.device)

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling, samples: int = 1) -> list[list[Completion]]:
        """`samples` completions for each prompt, in order; equal for equal inputs. DataError for a prompt over the context."""
        rendered = self.renderer.render(prompts, room=1)
        return self.generate_rendered(rendered, sampling, samples)

    @torch.no_grad()
    def generate_rendered(self, rendered: Sequence[Rendered], sampling: Sampling, samples: int) -> list[list[Completion]]:
        """The same for prompts that are rendered already."""
        was_training = self.model.training
        self.model.eval()
        order = sorted(range(len(rendered)), key=lambda index: len(rendered[index].token_ids))
        results: dict[int, list[Completion]] = {}
        per_batch = max(1, self.batch // samples)
        for start in range(0, len(order), per_batch):
            members = order[start : start + per_batch]
            generator = torch.Generator(self.model.device).manual_seed(stream_seed(sampling.seed, "batch", start))
            groups = self._batch([rendered[index] for index in members], sampling, samples, generator)
            results.update(zip(members, groups, strict=True))
        self.model.train(was_training)
        return [results[index] for index in range(len(rendered))]

    @torch.no_grad()
    def extend(
        self, requests: Sequence[Request], sampling: Sampling, ended: Callable[[int, Piece], None] | None = None
    ) -> list[Piece]:
        """See RolloutEngine; one request after the other."""
        was_training = self.model.training
        self.model.eval()
        pieces = []
        for index, request in enumerate(requests):
            piece = self._piece(request, sampling)
            pieces.append(piece)
            if ended is not None:
                ended(index, piece)
        self.model.train(was_training)
        return pieces

    def _piece(self, request: Request, sampling: Sampling) -> Piece:
        zeros = torch.zeros(len(request.start), dtype=torch.long)
        per_token = {name: torch.cat([value, zeros.to(value)]) for name, value in request.rendered.per_token.items()}
        whole = replace(request.rendered, token_ids=(*request.rendered.token_ids, *request.start), per_token=per_token)
        limit = min(request.limit, self.renderer.context - len(whole.token_ids))
        asked = replace(sampling, max_tokens=min(request.budget, limit))
        generator = torch.Generator(self.model.device).manual_seed(request.seed)
        done = self._batch([whole], asked, 1, generator)[0][0]
        cut = done.finish == "length" and len(done.token_ids) < limit
        return Piece(done.token_ids, done.logprobs, "cut" if cut else done.finish)

    def decode(self, token_ids: Sequence[int]) -> str:
        """Text of a response's tokens, end tokens left out."""
        ends = set(self.ends.tolist())
        return str(self.tokenizer.decode([token for token in token_ids if token not in ends], skip_special_tokens=False))

    def take_weights(self, weights: Iterable[tuple[str, torch.Tensor]]) -> None:
        """Copy the trained weights where they are not the same tensors."""
        own = dict(self.model.named_parameters())
        with torch.no_grad():
            for name, value in weights:
                if own[name].data_ptr() != value.data_ptr():
                    own[name].copy_(value)

    def sleep(self) -> None:
        """Nothing is held between calls."""

    def wake(self) -> None:
        """Nothing to do."""

    def _batch(
        self, prompts: list[Rendered], sampling: Sampling, samples: int, generator: torch.Generator
    ) -> list[list[Completion]]:
        """Generate for prompts side by side. Rows = prompts x samples, the samples of a prompt next to each other."""
        device = self.model.device
        logits, cache, mask, following = self._prefill(prompts)
        rows = torch.arange(len(prompts), device=device).repeat_interleave(samples)
        select_rows(cache, rows)
        logits, mask, following = logits[rows], mask[rows], following[:, rows]
        room = torch.tensor([self.renderer.context - len(prompt.token_ids) for prompt in prompts], device=device)[rows]
        limit = room.clamp(max=sampling.max_tokens)
        total = len(rows)
        tokens = torch.full((total, int(limit.max())), -1, dtype=torch.long, device=device)
        logprobs = torch.zeros((total, int(limit.max())), device=device)
        alive = torch.arange(total, device=device)
        running = torch.ones(total, dtype=torch.bool, device=device)
        for step in range(tokens.shape[1]):
            chosen, chosen_logprobs = self._sample(logits, sampling, generator)
            here = alive[running]
            tokens[here, step], logprobs[here, step] = chosen[running], chosen_logprobs[running]
            running &= ~torch.isin(chosen, self.ends) & (limit[alive] > step + 1)
            left = int(running.sum())
            if left == 0:
                break
            if left < COMPACT_SHARE * len(alive):
                keep = running.nonzero()[:, 0]
                select_rows(cache, keep)
                alive, running, chosen = alive[keep], running[keep], chosen[keep]
                mask, following = mask[keep], following[:, keep]
            mask = torch.cat([mask, mask.new_ones((len(mask), 1))], dim=1)
            places = following + step
            out = self.model(
                input_ids=chosen[:, None],
                attention_mask=mask,
                position_ids=places[:, :, None] if len(places) > 1 else places[0][:, None],
                past_key_values=cache,
                use_cache=True,
            )
            logits = out.logits[:, -1]
        return self._completions(tokens, logprobs, prompts, samples)

    def _prefill(self, prompts: list[Rendered]) -> tuple[torch.Tensor, Any, torch.Tensor, torch.Tensor]:
        """Run the prompts, padded on the left: next-token logits (B, V), cache, mask (B, L), next positions (P, B)."""
        device = self.model.device
        width = max(len(prompt.token_ids) for prompt in prompts)
        pad = self.tokenizer.pad_token_id or 0
        ids = torch.full((len(prompts), width), pad)
        mask = torch.zeros((len(prompts), width), dtype=torch.long)
        kinds = 4 if multimodal_positions(self.model) else 1
        positions = torch.zeros((kinds, len(prompts), width), dtype=torch.long)
        following = torch.zeros((kinds, len(prompts)), dtype=torch.long)
        per_token: dict[str, torch.Tensor] = {}
        for row, prompt in enumerate(prompts):
            start = width - len(prompt.token_ids)
            ids[row, start:] = torch.tensor(prompt.token_ids)
            mask[row, start:] = 1
            places = position_ids(self.model, prompt, 1)
            positions[:, row, start:] = places[:, :-1]
            following[:, row] = places[:, -1]
            for name, value in prompt.per_token.items():
                per_token.setdefault(name, torch.zeros_like(ids))[row, start:] = value
        inputs = {
            "input_ids": ids,
            "attention_mask": mask,
            **per_token,
            **join_pixels([[prompt] for prompt in prompts]),
        }
        cache = block_cache(self.model.config.get_text_config())
        out = self.model(
            **{name: value.to(device) for name, value in inputs.items()},
            position_ids=(positions if kinds > 1 else positions[0]).to(device),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        return out.logits[:, -1], cache, mask.to(device), following.to(device)

    def _sample(self, logits: torch.Tensor, sampling: Sampling, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """One token a row and its log-probability at the sampling temperature; pad and picture tokens are never drawn."""
        logits = logits.float() / (sampling.temperature or 1.0)
        logs = torch.log_softmax(logits, dim=-1)
        allowed = logs.index_fill(1, self.banned, -torch.inf)
        if sampling.temperature == 0:
            chosen = allowed.argmax(-1)
        else:
            if sampling.top_p < 1:
                allowed = nucleus(allowed, sampling.top_p)
            noise = torch.empty_like(allowed).exponential_(generator=generator)
            chosen = (allowed - noise.log()).argmax(-1)
        return chosen, logs.gather(1, chosen[:, None])[:, 0]

    def _completions(
        self, tokens: torch.Tensor, logprobs: torch.Tensor, prompts: list[Rendered], samples: int
    ) -> list[list[Completion]]:
        ends = set(self.ends.tolist())
        kept = [[token for token in row if token >= 0] for row in tokens.tolist()]
        texts = self.tokenizer.batch_decode([[t for t in row if t not in ends] for row in kept], skip_special_tokens=False)
        values = logprobs.tolist()
        asked = [len(prompts[row // samples].token_ids) for row in range(len(kept))]
        flat = [
            Completion(text, tuple(ids), tuple(values[row][: len(ids)]), "stop" if ids[-1] in ends else "length", asked[row])
            for row, (ids, text) in enumerate(zip(kept, texts, strict=True))
        ]
        return [flat[start : start + samples] for start in range(0, len(flat), samples)]


def _never_drawn(model: Any, tokenizer: Any) -> set[int]:
    """Ids that are no part of a response: special tokens that end none, placeholders of pictures, outputs without a token."""
    outputs = model.get_output_embeddings().weight.shape[0]
    names = ("image_token_id", "video_token_id", "audio_token_id")
    places = {found for name in names if isinstance(found := getattr(model.config, name, None), int)}
    unused = set(range(len(tokenizer), outputs))
    return {found for found in {*tokenizer.all_special_ids, *places} - set(end_ids(model)) if found < outputs} | unused


def nucleus(logs: torch.Tensor, top_p: float) -> torch.Tensor:
    """Log-probabilities (B, V) with everything outside the smallest set of total probability >= top_p set to -inf."""
    ordered, places = logs.sort(dim=-1, descending=True)
    before = ordered.exp().cumsum(-1) - ordered.exp()
    return logs.scatter(1, places, ordered.masked_fill(before >= top_p * ordered.exp().sum(-1, keepdim=True), -torch.inf))


def load_engine(folder: Path, model: Model, hardware: Hardware) -> Engine:
    """The engine for a checkpoint folder."""
    net, processor = load_model(folder, device_of(hardware)), load_processor(folder)
    return TransformersEngine(net, Renderer(processor, model.instruction, model.context), hardware.generation_batch)


def open_engine(source: str, revision: str | None, context: int | None, batch: int) -> Engine:
    """The engine for a folder or a hub id with its commit, outside a run: prompts bring their own instructions, and `context`
    None is the checkpoint's own."""
    net, processor = load_model(source, best_device(), revision), load_processor(source, revision)
    return TransformersEngine(net, Renderer(processor, "", context_of(net) if context is None else context), batch)
