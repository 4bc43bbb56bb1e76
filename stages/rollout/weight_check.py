"""Did the trained weights arrive? A checksum of every tensor that was sent against one of what the engine's model holds, through
the other names, fused matrices, padded vocabularies and tensor-parallel shares of that model."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import torch

from stages.data.files import DataError

CHUNK = 1 << 22  # values summed at once: their 64-bit products take 32 MiB
INTEGERS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
OTHERWISE = "generate with hardware.engine=transformers if vLLM keeps this architecture's weights in another way"


@dataclass(frozen=True)
class Share:
    """Which part of each matrix this process holds: `rank` of the `size` processes of its tensor-parallel group."""

    rank: int
    size: int


@dataclass(frozen=True)
class Whole:
    """A tensor that was sent for one of the engine's."""

    name: str
    shape: torch.Size
    """Of this process's part, without the rows by which the engine fills up its vocabulary."""
    sum: int


@dataclass(frozen=True)
class Part:
    """A matrix that was sent for one of the engine's fused ones, such as the queries of queries, keys and values."""

    name: str
    rows: int
    """Of all processes."""
    sums: dict[int, int]
    """Rows that this process holds of it, if it is split in that many parts -> their checksum."""


class WeightCheck:
    """One push of weights into `held`, the engine's tensors by its names. `rename` gives the engine's name of a transformers name
    (None: the engine leaves it out); `packed` says which modules are fused, in which order: {"qkv_proj": ["q_proj", ...]}."""

    def __init__(
        self,
        held: Mapping[str, torch.Tensor],
        rename: Callable[[str], str | None],
        packed: Mapping[str, list[str]],
        share: Share,
    ) -> None:
        self.held = held
        self.rename = rename
        self.packed = packed
        self.share = share
        self.wholes: dict[str, Whole] = {}
        self.parts: dict[str, dict[int, Part]] = {}

    def note(self, weights: Iterable[tuple[str, torch.Tensor]]) -> Iterator[tuple[str, torch.Tensor]]:
        """The same weights in the engine's precision and on its device, the checksum of each noted on the way. DataError for a name
        that the engine has no place for, or that comes twice."""
        seen = set()
        for name, value in weights:
            if name in seen:
                raise DataError(f"weight {name} arrived twice; send each of the model's named_parameters once")
            seen.add(name)
            target, place = self._target(name)
            if target is not None:
                own = self.held[target]
                value = value.detach().to(own.device, own.dtype)
                if place is not None:
                    self._note_part(target, place, name, value)
                elif self._comes_fused(target) and value.shape != own.shape:
                    for third, part in enumerate(value.chunk(3)):
                        self._note_part(target, third, name, part)
                else:
                    part = self._own(value, own)
                    self.wholes[target] = Whole(name, part.shape, checksum(part))
            yield name, value

    def check(self) -> dict[str, int]:
        """A checksum of every tensor that the engine holds. DataError where one is not what was sent, or got nothing."""
        missing = sorted(self.held.keys() - self.wholes.keys() - self.parts.keys())
        if missing:
            raise DataError(
                f"{len(missing)} of {len(self.held)} tensors of the engine's model got no weights, the first {missing[0]}; send "
                f"all of the model's named_parameters; {OTHERWISE}"
            )
        for target, own in self.held.items():
            wrong = self._wrong_parts(target, own) if target in self.parts else self._wrong_whole(target, own)
            if wrong:
                raise DataError(f"weight {wrong}: what the engine holds in {target} is not what was sent; push again; {OTHERWISE}")
        return {target: checksum(own) for target, own in self.held.items()}

    def _target(self, name: str) -> tuple[str | None, int | None]:
        """The engine's tensor of this weight, and which part of it, if it is a fused one."""
        renamed = self.rename(name)
        if renamed is None or renamed in self.held:
            return renamed, None
        *path, module, last = renamed.split(".")
        for fused, members in self.packed.items():
            target = ".".join([*path, fused, last])
            if module in members and target in self.held:
                return target, members.index(module)
        raise DataError(f"weight {name}: the engine's model has no {renamed}, nor a fused tensor of it; {OTHERWISE}")

    def _comes_fused(self, target: str) -> bool:
        """Whether transformers, too, keeps these queries, keys and values in one: a process then holds a part of each third."""
        return any(members == [fused] and fused in target.split(".") for fused, members in self.packed.items())

    def _note_part(self, target: str, place: int, name: str, value: torch.Tensor) -> None:
        """Keep the checksums for splits in 1, ..., size: with fewer key-value heads than processes, several hold the same."""
        sums = {}
        for count in range(1, self.share.size + 1):
            if self.share.size % count == 0 and len(value) % count == 0:
                rows, first = len(value) // count, self.share.rank * count // self.share.size
                sums[rows] = checksum(value[first * rows : (first + 1) * rows])
        self.parts.setdefault(target, {})[place] = Part(name, len(value), sums)

    def _own(self, value: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
        """This process's part: of the rows, or of the columns."""
        if value.ndim == own.ndim:
            for place, (whole, part) in enumerate(zip(value.shape, own.shape, strict=True)):
                if whole != part:
                    start = min(self.share.rank * part, whole)
                    value = value.narrow(place, start, min(part, whole - start))
        return value

    def _wrong_whole(self, target: str, own: torch.Tensor) -> str | None:
        sent = self.wholes[target]
        inside = own[tuple(slice(size) for size in sent.shape)] if own.ndim == len(sent.shape) else own
        return None if checksum(inside) == sent.sum else sent.name

    def _wrong_parts(self, target: str, own: torch.Tensor) -> str | None:
        parts = [part for _, part in sorted(self.parts[target].items())]
        rows = [part.rows // self.share.size for part in parts]
        if sum(rows) != len(own) and len(parts) > 1:  # keys and values are split in fewer parts than queries
            rows[1:] = [(len(own) - rows[0]) // (len(parts) - 1)] * (len(parts) - 1)
        if sum(rows) != len(own):
            return ", ".join(part.name for part in parts)
        start = 0
        for part, count in zip(parts, rows, strict=True):
            if part.sums.get(count) != checksum(own[start : start + count]):
                return part.name
            start += count
        return None


def checksum(values: torch.Tensor) -> int:
    """Sum over i of (2i + 1) times the bits of value i, modulo 2**64, in row order: no single value can change unseen, and values
    that change places are seen, too."""
    flat = values.detach().contiguous().reshape(-1)
    bits = flat.view(INTEGERS[flat.element_size()])
    total = torch.zeros((), dtype=torch.int64, device=flat.device)
    for start in range(0, len(bits), CHUNK):
        part = bits[start : start + CHUNK].long()
        total += (part * (2 * torch.arange(start, start + len(part), device=flat.device) + 1)).sum()
    return int(total)
