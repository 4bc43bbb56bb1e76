"""What test_family_ranks.py has ranks do: a few steps of SFT on a tiny model of every family, for every ZeRO stage, and an
iteration of RL under ZeRO-3."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import architectures
from tiny import CPU, Tiny, hardware, partial_rollouts, reinforcement

from stages.models.loading import load_processor
from stages.policy.experience import Experience
from stages.policy.learner import Learner
from stages.rollout.transformers_engine import TransformersEngine
from stages.run.ranks import rank, share
from stages.training.batches import pack
from stages.training.engine import optimizer_step, start
from stages.training.loop import mean_token_loss
from stages.training.samples import demonstration_samples, picture_filler
from stages.training.weights import rollout_copy, save_model

CONTEXT = 640


def fit(folders: Sequence[Path], problems: list[Any], out: Path, zero_stages: Sequence[int]) -> None:
    """Train each checkpoint for three steps on the problems that it reads; the ranks share the samples."""
    for folder in folders:
        for zero_stage in zero_stages:
            steps(Tiny(folder, problems), zero_stage, out / f"{folder.name}-{zero_stage}")
        iteration(Tiny(folder, problems), max(zero_stages), out / f"{folder.name}-rl")


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


def iteration(tiny: Tiny, zero_stage: int, out: Path) -> None:
    """One iteration of RL, the rollouts and the training shared by the ranks; its figures and the model."""
    wanted = hardware(zero_stage=zero_stage)
    rl = reinforcement(
        prompts=2, samples=2, max_tokens=4, mini_batch=4, learning_rate=1e-3, warmup_steps=0, passes=1, train_zero_signal=True
    )
    trainer = start(tiny.model(), wanted, CPU, rl.grad_clip, rl.temperature)
    engine = TransformersEngine(rollout_copy(trainer, tiny.folder), tiny.renderer(CONTEXT), 16)
    learner = Learner(trainer, Experience(engine, engine.renderer, rl, partial_rollouts(), wanted, seed=2))
    learner.push_weights()
    text_only = tiny.folder.name in architectures.LANGUAGE_MODELS
    curated = [problem for problem in tiny.curated() if not (text_only and problem.image)]
    _, figures, _ = learner.iterate(0, [curated[0], curated[-1]])
    save_model(trainer, load_processor(tiny.folder), out)
    if rank() == 0:
        out.with_suffix(".json").write_text(json.dumps(figures), encoding="utf-8")
