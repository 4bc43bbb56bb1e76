"""What test_family_ranks.py has ranks do: a few steps of SFT on tiny models of several families, for every ZeRO stage."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tiny import CPU, Tiny, hardware

from stages.models.loading import load_processor
from stages.run.ranks import share
from stages.training.batches import pack
from stages.training.engine import optimizer_step, start
from stages.training.loop import mean_token_loss
from stages.training.samples import demonstration_samples, picture_filler
from stages.training.weights import save_model

CONTEXT = 640


def fit(folders: Sequence[Path], problems: list[Any], out: Path, zero_stages: Sequence[int]) -> None:
    """Train each checkpoint for three steps on the problems that it reads; the ranks share the samples."""
    for folder in folders:
        for zero_stage in zero_stages:
            steps(Tiny(folder, problems), zero_stage, out / f"{folder.name}-{zero_stage}")


def steps(tiny: Tiny, zero_stage: int, out: Path) -> None:
    wanted, model, renderer = hardware(zero_stage=zero_stage), tiny.model(), tiny.renderer(CONTEXT)
    samples, _ = demonstration_samples(tiny.demonstrations()[::4], renderer, model)
    filler = picture_filler(renderer, model, wanted)
    engine = start(model, wanted, CPU, 1.0)
    mine = share(samples)
    everyone = mean_token_loss(range(len(samples)), samples)
    for _ in range(3):
        optimizer_step(engine, pack(mine, 700, 0, filler), everyone, 1e-3)
    save_model(engine, load_processor(tiny.folder), out)
