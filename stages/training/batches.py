"""Packing: several samples share a row; each sees only itself, with its own position ids."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import torch

from stages.data.files import DataError
from stages.prompts.render import Rendered, join_pixels


@dataclass(frozen=True)
class TrainingSample:
    """A prompt with the response that is trained on."""

    prompt: Rendered
    response_ids: tuple[int, ...]
    positions: torch.Tensor
    """(P, L) with L the length of prompt and response, from models.positions."""
    loss_mask: tuple[bool, ...] | None = None
    """Which response tokens carry loss; None means all."""

    @property
    def length(self) -> int:
        return len(self.prompt.token_ids) + len(self.response_ids)

    @property
    def alone(self) -> bool:
        """Whether the sample needs a row of its own. Architectures that see pictures in both directions (Gemma 3) read token types
        for their masks, and transformers 5.23 looks those of a sliding window up at positions within the sample, not in the row.
        Qwen's token types only make positions, which are given (P = 4)."""
        return bool(self.prompt.per_token) and self.positions.shape[0] == 1


@dataclass(frozen=True)
class PackedBatch:
    """B rows of packed samples, ready for a forward. T is the number of tokens that carry loss."""

    inputs: dict[str, torch.Tensor]
    """input_ids (B, L), position_ids (B, L) or (4, B, L), per-token inputs (B, L), pixel inputs."""
    target_rows: torch.Tensor
    """(T,) row of each target."""
    target_columns: torch.Tensor
    """(T,) column of the token that predicts each target (one before it)."""
    targets: torch.Tensor
    """(T,) token ids."""
    sample_of_target: torch.Tensor
    """(T,) index, into the samples given to `pack`, that each target belongs to."""
    tokens: int
    """Real tokens (without padding)."""

    def to(self, device: torch.device) -> "PackedBatch":
        """The same batch on `device`."""
        return replace(
            self,
            inputs={name: value.to(device) for name, value in self.inputs.items()},
            target_rows=self.target_rows.to(device),
            target_columns=self.target_columns.to(device),
            targets=self.targets.to(device),
            sample_of_target=self.sample_of_target.to(device),
        )


def plan_rows(lengths: Sequence[int], row_tokens: int, alone: Collection[int] = ()) -> list[list[int]]:
    """First-fit-decreasing: indices of the samples of each row, at most `row_tokens` tokens a row.

    A sample longer than `row_tokens`, and each of `alone`, gets a row of its own. The order is deterministic."""
    rows: list[list[int]] = []
    room: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        place = next((row for row, left in enumerate(room) if lengths[index] <= left), None)
        if place is None or index in alone:
            rows.append([index])
            room.append(0 if index in alone else row_tokens - lengths[index])
        else:
            rows[place].append(index)
            room[place] -= lengths[index]
    return rows


def pack(
    samples: Sequence[TrainingSample],
    row_tokens: int,
    rows_per_batch: int,
    pad_id: int,
    filler: TrainingSample | None = None,
) -> list[PackedBatch]:
    """Micro-batches of at most `rows_per_batch` packed rows that hold every sample once.

    `filler`, a picture sample without loss, is added to micro-batches that hold no picture: under ZeRO every rank must run
    the vision tower, or collectives do not meet (https://github.com/deepspeedai/DeepSpeed/issues/7170)."""
    alone = {index for index, sample in enumerate(samples) if sample.alone}
    rows = plan_rows([sample.length for sample in samples], row_tokens, alone)
    groups = [rows[start : start + rows_per_batch] for start in range(0, len(rows), rows_per_batch)]
    everything = list(samples) if filler is None else [*samples, filler]
    if filler is not None:
        groups = [
            group if any(samples[i].prompt.pixels for row in group for i in row) else [*group, [len(samples)]] for group in groups
        ]
    return [_assemble(everything, group, pad_id) for group in groups]


def _assemble(samples: Sequence[TrainingSample], rows: list[list[int]], pad_id: int) -> PackedBatch:
    """Padding goes on counting after the last sample: transformers takes each restart of the positions for another sample, and
    rows of one sample each are spared the mask (causal attention without one takes half the time)."""
    width = max(sum(samples[index].length for index in row) for row in rows)
    kinds = samples[rows[0][0]].positions.shape[0]
    ids = torch.full((len(rows), width), pad_id)
    positions = torch.zeros((kinds, len(rows), width), dtype=torch.long)
    per_token: dict[str, torch.Tensor] = {}
    targets: list[tuple[int, int, int, int]] = []
    for row, members in enumerate(rows):
        start = 0
        for index in members:
            sample = samples[index]
            end = start + sample.length
            tokens = (*sample.prompt.token_ids, *sample.response_ids)
            ids[row, start:end] = torch.tensor(tokens)
            positions[:, row, start:end] = sample.positions
            for name, value in sample.prompt.per_token.items():
                per_token.setdefault(name, torch.zeros_like(ids))[row, start : start + len(value)] = value
            targets += [(row, start + place - 1, tokens[place], index) for place in _loss_places(sample)]
            start = end
        positions[:, row, start:] = positions[:, row, start - 1, None] + torch.arange(1, width - start + 1)
    inputs = {"input_ids": ids, "position_ids": positions if kinds > 1 else positions[0], **per_token}
    inputs.update(join_pixels([[samples[index].prompt for index in row] for row in rows]))
    table = torch.tensor(targets, dtype=torch.long).reshape(-1, 4)
    return PackedBatch(
        inputs, table[:, 0], table[:, 1], table[:, 2], table[:, 3], sum(samples[i].length for row in rows for i in row)
    )


def _loss_places(sample: TrainingSample) -> list[int]:
    """Places, in prompt and response together, of the tokens that carry loss."""
    first = len(sample.prompt.token_ids)
    mask = sample.loss_mask or (True,) * len(sample.response_ids)
    if len(mask) != len(sample.response_ids):
        raise DataError(f"loss mask of {len(mask)} for a response of {len(sample.response_ids)} tokens; they must be equal")
    return [first + place for place, carries in enumerate(mask) if carries]
