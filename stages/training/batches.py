"""Packing: all samples of a micro-batch share a row; each sees only itself, with its own position ids."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from stages.data.files import DataError
from stages.prompts.pixels import kept
from stages.prompts.render import Rendered, join_pixels
from stages.training.ahead import Lazily


@dataclass(frozen=True)
class TrainingSample:
    """A prompt with the response that is trained on."""

    prompt: Rendered
    response_ids: tuple[int, ...]
    positions: torch.Tensor
    """(P, L) with L the length of prompt and response, from models.positions."""
    loss_mask: tuple[bool, ...] | None = None
    """Which response tokens carry loss; None means all."""
    name: str = ""
    """The row that it is made of, for messages."""

    @property
    def length(self) -> int:
        return len(self.prompt.token_ids) + len(self.response_ids)

    @property
    def alone(self) -> bool:
        """Whether the sample needs a row of its own. Architectures that see pictures in both
        directions (Gemma 3) make masks from token types, and packed rows have none.
        Qwen's token types only make positions, which are given (P = 4)."""
        return bool(self.prompt.per_token) and self.positions.shape[0] == 1


@dataclass(frozen=True)
class PackedBatch:
    """One row of packed samples, or B rows of one sample each, ready for a forward. T is the
    number of tokens that carry loss."""

    inputs: dict[str, torch.Tensor]
    """input_ids (B, L), position_ids (B, L) or (4, B, L), per-token inputs (B, L), pixel inputs;
    rows of one sample each have an attention_mask (B, L), 0 on padding."""
    target_rows: torch.Tensor
    """(T,) row of each target."""
    target_columns: torch.Tensor
    """(T,) column of the token that predicts each target (one before it)."""
    targets: torch.Tensor
    """(T,) token ids."""
    sample_of_target: torch.Tensor
    """(T,) index, into the samples given to `pack`, that each target belongs to."""
    tokens: int
    """Real tokens (without padding and filler)."""

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


def plan_rows(lengths: Sequence[int], row_tokens: int) -> list[list[int]]:
    """First-fit-decreasing: indices of the samples of each row, at most `row_tokens` tokens a row,
    the longest first in each.

    A sample longer than `row_tokens` gets a row of its own. The order is deterministic."""
    rows: list[list[int]] = []
    room: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        place = next((row for row, left in enumerate(room) if lengths[index] <= left), None)
        if place is None:
            rows.append([index])
            room.append(row_tokens - lengths[index])
        else:
            rows[place].append(index)
            room[place] -= lengths[index]
    return rows


def plan_alone(lengths: Sequence[int], batch_tokens: int) -> list[list[int]]:
    """Indices of the samples of each micro-batch in which every sample has a row of its own: at
    most `batch_tokens` tokens with the padding to its longest, the longest samples first."""
    groups: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        if groups and lengths[groups[-1][0]] * (len(groups[-1]) + 1) <= batch_tokens:
            groups[-1].append(index)
        else:
            groups.append([index])
    return groups


@dataclass(frozen=True)
class Part:
    """What a micro-batch is made of: `samples`, of which the first are numbered by `indices` (a filler is not), all in a row, or
    with a `pad_id` each in a row of its own."""

    samples: Sequence[TrainingSample]
    indices: Sequence[int]
    pad_id: int | None

    @property
    def cheap(self) -> bool:
        """Whether all its pictures are held in memory anyway."""
        return all(kept(sample.prompt.pixels) for sample in self.samples)

    def make(self) -> PackedBatch:
        """The micro-batch."""
        if self.pad_id is None:
            return _packed_row(self.samples, self.indices)
        return _rows(self.samples, self.indices, self.pad_id)


def pack(
    samples: Sequence[TrainingSample],
    micro_batch_tokens: int,
    pad_id: int,
    filler: TrainingSample | None = None,
) -> Lazily[PackedBatch]:
    """Micro-batches of at most `micro_batch_tokens` (a longer sample is one by itself) that hold
    every sample once; each is put together, and its pictures are made, when it is read.

    `filler`, a picture sample without loss, is added to rows that hold no picture: under ZeRO
    every rank must run the vision tower, or collectives do not meet
    (https://github.com/deepspeedai/DeepSpeed/issues/7170)."""
    kinds: tuple[list[int], list[int]] = ([], [])
    for index, sample in enumerate(samples):
        kinds[sample.alone].append(index)
        _check_mask(sample)
    together, alone = kinds
    parts = []
    for row in plan_rows([samples[index].length for index in together], micro_batch_tokens):
        members = [together[place] for place in row]
        seen = any(samples[index].prompt.pixels for index in members)
        extra = [] if seen or filler is None else [_in_a_row(filler)]
        parts.append(Part([samples[index] for index in members] + extra, members, None))
    for group in plan_alone([samples[index].length for index in alone], micro_batch_tokens):
        members = [alone[place] for place in group]
        parts.append(Part([samples[index] for index in members], members, pad_id))
    return Lazily(parts)


def _in_a_row(filler: TrainingSample) -> TrainingSample:
    """The filler without token types: nothing is read from it, so its pictures may be seen in one
    direction."""
    return replace(filler, prompt=replace(filler.prompt, per_token={})) if filler.alone else filler


def _packed_row(samples: Sequence[TrainingSample], indices: Sequence[int]) -> PackedBatch:
    """One row without padding, of `samples`; the first are numbered by `indices`, a filler is not.
    The positions begin anew with every sample: by that attention finds them."""
    inputs = {
        "input_ids": torch.tensor([[token for sample in samples for token in _tokens(sample)]]),
        "position_ids": _by_kind(torch.cat([sample.positions for sample in samples], dim=1)[:, None]),
    }
    starts = [0]
    for sample in samples:
        starts.append(starts[-1] + sample.length)
    for start, sample in zip(starts, samples, strict=False):
        for name, value in sample.prompt.per_token.items():
            whole = inputs.setdefault(name, torch.zeros_like(inputs["input_ids"]))
            whole[0, start : start + len(value)] = value
    inputs.update(join_pixels([[sample.prompt for sample in samples]]))
    return _with_targets(inputs, samples, indices, [(0, start) for start in starts])


def _rows(samples: Sequence[TrainingSample], indices: Sequence[int], pad_id: int) -> PackedBatch:
    """Rows of one sample each, padded on the right."""
    shape = (len(samples), max(sample.length for sample in samples))
    inputs = {"input_ids": torch.full(shape, pad_id), "attention_mask": torch.zeros(shape, dtype=torch.long)}
    positions = torch.zeros((samples[0].positions.shape[0], *shape), dtype=torch.long)
    for row, sample in enumerate(samples):
        inputs["input_ids"][row, : sample.length] = torch.tensor(_tokens(sample))
        inputs["attention_mask"][row, : sample.length] = 1
        positions[:, row, : sample.length] = sample.positions
        for name, value in sample.prompt.per_token.items():
            inputs.setdefault(name, torch.zeros_like(inputs["input_ids"]))[row, : len(value)] = value
    inputs["position_ids"] = _by_kind(positions)
    inputs.update(join_pixels([[sample.prompt] for sample in samples]))
    return _with_targets(inputs, samples, indices, [(row, 0) for row in range(len(samples))])


def _with_targets(
    inputs: dict[str, torch.Tensor],
    samples: Sequence[TrainingSample],
    indices: Sequence[int],
    places: Sequence[tuple[int, int]],
) -> PackedBatch:
    """The batch with what it learns; `places` are the row and the first column of each sample."""
    targets: list[tuple[int, int, int, int]] = []
    for index, sample, (row, start) in zip(indices, samples, places, strict=False):
        tokens = _tokens(sample)
        targets += [(row, start + place - 1, tokens[place], index) for place in _loss_places(sample)]
    table = torch.tensor(targets, dtype=torch.long).reshape(-1, 4)
    tokens_seen = sum(sample.length for sample, _ in zip(samples, indices, strict=False))
    return PackedBatch(inputs, table[:, 0], table[:, 1], table[:, 2], table[:, 3], tokens_seen)


def _tokens(sample: TrainingSample) -> tuple[int, ...]:
    return (*sample.prompt.token_ids, *sample.response_ids)


def _by_kind(positions: torch.Tensor) -> torch.Tensor:
    """(P, B, L) as the models read them: (B, L) where there is one kind."""
    return positions if len(positions) > 1 else positions[0]


def _loss_places(sample: TrainingSample) -> list[int]:
    """Places, in prompt and response together, of the tokens that carry loss."""
    first = len(sample.prompt.token_ids)
    mask = sample.loss_mask or (True,) * len(sample.response_ids)
    return [first + place for place, carries in enumerate(mask) if carries]


def _check_mask(sample: TrainingSample) -> None:
    mask = sample.loss_mask
    if mask and len(mask) != len(sample.response_ids):
        raise DataError(f"loss mask of {len(mask)} for a response of {len(sample.response_ids)} tokens; they must be equal")
