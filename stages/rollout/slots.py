"""The running batch of the embedded engine: slots whose responses grow by one token a step; who ends leaves its slot to another."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from stages.rollout.cache import SlotCache
from stages.rollout.engine import Finish, Piece, Request, Sampling
from stages.rollout.prefill import Prefilled
from stages.rollout.repetition import TailWatch
from stages.rollout.sampling import Uniforms, draw


@dataclass
class Row:
    """A response that is being generated."""

    index: int
    """Of its request."""
    request: Request
    most: int
    """New tokens at which it ends, as `full`."""
    full: Finish
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Vocabulary:
    """Tokens that end a response, and tokens (K,) that are never drawn."""

    ends: frozenset[int]
    banned: torch.Tensor


class Slots:
    """Rows 0 .. width - 1 of the cache; None where a response has ended and no other has begun yet."""

    def __init__(
        self, model: Any, vocabulary: Vocabulary, cache: SlotCache, sampling: Sampling, ended: Callable[[int, Piece], None]
    ) -> None:
        self.model = model
        self.vocabulary = vocabulary
        self.cache = cache
        self.sampling = sampling
        self.ended = ended
        self.rows: list[Row | None] = []
        self.running = 0
        self.last = torch.zeros(cache.slots, dtype=torch.long, device=model.device)
        self.positions: torch.Tensor | None = None
        self.uniforms = Uniforms(cache.slots) if sampling.temperature > 0 else None
        self.watch = TailWatch(cache.slots, sampling.repetition) if sampling.repetition else None

    @property
    def free(self) -> int:
        """Slots that a response may take."""
        return self.cache.slots - self.running

    def admit(self, prefilled: Prefilled, lines: Sequence[int], rows: Sequence[Row]) -> None:
        """Begin `rows`, each after the line of `prefilled` that is its prefix, and draw their first tokens."""
        places = [place for place, row in enumerate(self.rows) if row is None][: len(rows)]
        new = range(len(self.rows), len(self.rows) + len(rows) - len(places))
        places += new
        self.rows += [None] * len(new)
        self.cache.place(prefilled.cache, lines, [prefilled.lengths[line] for line in lines], places)
        device = prefilled.logits.device
        chosen, at = torch.tensor(lines, device=device), torch.tensor(places, device=device)
        if self.positions is None:
            self.positions = prefilled.positions.new_zeros((len(prefilled.positions), self.cache.slots))
        self.positions[:, at] = prefilled.positions[:, chosen]
        for place, row in zip(places, rows, strict=True):
            self.rows[place] = row
            if self.uniforms is not None:
                self.uniforms.begin(place, row.request.seed, len(row.request.start))
        self.running += len(rows)
        self._note(places, *self._draw(prefilled.logits[chosen], np.asarray(places), at), None)
        self._show()

    def step(self) -> None:
        """The next token of every row."""
        self.cache.room()
        width = len(self.rows)
        assert self.positions is not None
        places = self.positions[:, :width, None]
        out = self.model(
            input_ids=self.last[:width, None],
            attention_mask=self.cache.masks(),
            position_ids=places if len(places) > 1 else places[0],
            past_key_values=self.cache.cache,
            use_cache=True,
        )
        self.cache.window.column += 1
        self.positions[:, :width] += 1
        tokens, logprobs = self._draw(out.logits[:, -1], np.arange(width), slice(0, width))
        before = self.running
        self._note(range(width), tokens, logprobs, self.watch.advance(tokens) if self.watch else None)
        if self.running < before:
            self._show()

    def compact(self, share: float) -> None:
        """Close the gaps when less than `share` of the rows still run: the last rows move into them."""
        if not 0 < self.running < share * len(self.rows):
            return
        targets = [place for place, row in enumerate(self.rows[: self.running]) if row is None]
        sources = [place for place in range(self.running, len(self.rows)) if self.rows[place] is not None]
        if targets:
            assert self.positions is not None
            from_, to = torch.tensor(sources, device=self.last.device), torch.tensor(targets, device=self.last.device)
            self.cache.move(sources, targets)
            self.last[to], self.positions[:, to] = self.last[from_], self.positions[:, from_]
            for part in (self.uniforms, self.watch):
                if part is not None:
                    part.move(sources, targets)
            for source, target in zip(sources, targets, strict=True):
                self.rows[target] = self.rows[source]
        del self.rows[self.running :]
        self._show()

    def _draw(
        self, logits: torch.Tensor, rows: "np.ndarray[tuple[int], np.dtype[np.int64]]", at: torch.Tensor | slice
    ) -> tuple["np.ndarray[tuple[int], np.dtype[np.int64]]", list[float]]:
        """Tokens and log-probabilities of `rows`, from one copy off the device."""
        uniforms = None if self.uniforms is None else torch.from_numpy(self.uniforms.take(rows)).to(logits.device)
        tokens, logprobs = draw(logits, self.sampling.temperature, self.sampling.top_p, self.vocabulary.banned, uniforms)
        self.last[at] = tokens
        both = torch.stack((tokens.double(), logprobs.double())).cpu().numpy()
        return both[0].astype(np.int64), both[1].tolist()

    def _note(
        self,
        places: Iterable[int],
        tokens: "np.ndarray[tuple[int], np.dtype[np.int64]]",
        logprobs: list[float],
        repeating: "np.ndarray[tuple[int], np.dtype[np.bool_]] | None",
    ) -> None:
        """Append a token to each row; the rows that end give their slots back. `repeating` None: rows that have just begun."""
        repeats = None if repeating is None else repeating.tolist()
        for place, token, logprob in zip(places, tokens.tolist(), logprobs, strict=True):
            row = self.rows[place]
            if row is None:
                continue
            row.tokens.append(token)
            row.logprobs.append(logprob)
            again = self._begins_repeating(place, row) if repeats is None else repeats[place]
            if token in self.vocabulary.ends:
                finish: Finish = "stop"
            elif again:
                finish = "repeat"
            elif len(row.tokens) == row.most:
                finish = row.full
            else:
                continue
            self.rows[place] = None
            self.running -= 1
            self.ended(row.index, Piece(tuple(row.tokens), tuple(row.logprobs), finish))

    def _begins_repeating(self, place: int, row: Row) -> bool:
        return self.watch is not None and self.watch.begin(place, (*row.request.start, *row.tokens))

    def _show(self) -> None:
        if self.running:
            self.cache.show(len(self.rows), [place for place, row in enumerate(self.rows) if row is not None])
        else:
            self.rows.clear()
            self.cache.clear()
