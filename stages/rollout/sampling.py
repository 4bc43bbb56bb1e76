"""Drawing the next tokens: temperature, top-p, tokens that are never drawn, and a stream of random numbers for each response."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch

BLOCK = 256
COLUMNS = 512
"""Of the vocabulary, whose probabilities are summed up together."""


class Uniforms:
    """Random numbers in [0, 1) for the rows of a running batch. Each response has a stream of its own, by its seed (Philox, a
    counter-based generator: Salmon et al., 2011); its n-th number belongs to its n-th token, in whatever call and row."""

    def __init__(self, rows: int) -> None:
        self.values = np.zeros((rows, BLOCK))
        self.seeds = [0] * rows
        self.places = np.zeros(rows, dtype=np.int64)
        self.lines = np.arange(rows)

    def begin(self, row: int, seed: int, place: int) -> None:
        """Put a response into `row` that has `place` tokens already."""
        self.seeds[row] = seed
        self.places[row] = place
        self._fill(row)

    def take(self, rows: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
        """The next number of each of `rows`."""
        found: np.ndarray[tuple[int], np.dtype[np.float64]] = self.values[rows, self.places[rows] % BLOCK]
        self.places[rows] += 1
        for row in rows[self.places[rows] % BLOCK == 0]:
            self._fill(int(row))
        return found

    def move(self, sources: list[int], targets: list[int]) -> None:
        """Rows `sources` take the places `targets`."""
        self.values[targets] = self.values[sources]
        self.places[targets] = self.places[sources]
        for source, target in zip(sources, targets, strict=True):
            self.seeds[target] = self.seeds[source]

    def _fill(self, row: int) -> None:
        block = int(self.places[row]) // BLOCK
        stream = np.random.Philox(key=self.seeds[row], counter=block * BLOCK // 4)  # four numbers a count
        self.values[row] = np.random.Generator(stream).random(BLOCK)


def draw(
    logits: torch.Tensor, temperature: float, top_p: float, banned: torch.Tensor, uniforms: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """One token a row (B,) and its natural log-probability (B,) at the sampling temperature, before top-p, of all tokens of
    `logits` (B, V). Tokens `banned` are never drawn. The token is where the cumulative probability passes the row's number in
    `uniforms` (B,); without numbers it is the likeliest one, at temperature 1."""
    logs = torch.log_softmax(logits if temperature in (0, 1) else logits.float() / temperature, dim=-1, dtype=torch.float32)
    logs.index_fill_(1, banned, -torch.inf)
    if uniforms is None:
        chosen = logs.argmax(-1, keepdim=True)
    else:
        allowed = logs - logs.amax(-1, keepdim=True)  # what is banned may hold all that is not rounded to zero
        if top_p < 1:
            allowed = nucleus(allowed, top_p)
        chosen = passed(allowed.exp_(), uniforms[:, None])
    return chosen[:, 0], logs.gather(1, chosen)[:, 0]


def passed(weights: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
    """The column (B, 1) where the running sum of `weights` (B, V) passes the share (B, 1) of their total, summed in float64. Only
    the sums of blocks of COLUMNS run over the whole vocabulary, and only the block that is passed is looked at by columns: of
    49,152 entries this takes less than half the time."""
    rows, size = weights.shape
    if size <= COLUMNS:
        inside = weights.cumsum(-1, dtype=torch.float64)
        return torch.searchsorted(inside, shares * inside[:, -1:], right=True)
    blocks = torch.nn.functional.pad(weights, (0, -size % COLUMNS)).view(rows, -1, COLUMNS)
    sums = blocks.sum(-1, dtype=torch.float64).cumsum(-1)
    wanted = shares * sums[:, -1:]
    block = torch.searchsorted(sums, wanted, right=True)
    before = sums.gather(1, (block - 1).clamp(min=0)) * (block > 0)
    inside = before + blocks[torch.arange(rows, device=block.device), block[:, 0]].cumsum(-1, dtype=torch.float64)
    last = torch.nextafter(inside[:, -1:], torch.zeros_like(wanted))  # the two sums of a block may be rounded differently
    return block * COLUMNS + torch.searchsorted(inside, torch.minimum(wanted, last), right=True)


def never_drawn(config: Any, tokenizer: Any, ends: Iterable[int], outputs: int) -> list[int]:
    """Ids that are no part of a response, in order: special tokens that end none, placeholders of pictures, and those of the
    model's `outputs` that are no token."""
    names = ("image_token_id", "video_token_id", "audio_token_id")
    places = {found for name in names if isinstance(found := getattr(config, name, None), int)}
    found = {*tokenizer.all_special_ids, *places} - set(ends)
    return sorted({token for token in found if token < outputs} | set(range(len(tokenizer), outputs)))


def nucleus(logs: torch.Tensor, top_p: float) -> torch.Tensor:
    """Log-probabilities (B, V) with everything outside the smallest set of total probability >= top_p set to -inf."""
    ordered, places = logs.sort(dim=-1, descending=True)
    before = ordered.exp().cumsum(-1) - ordered.exp()
    return logs.scatter(1, places, ordered.masked_fill(before >= top_p * ordered.exp().sum(-1, keepdim=True), -torch.inf))
