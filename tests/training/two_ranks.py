"""What each of the ranks of test_ranks.py does. Every scenario leaves its numbers in a file of its own, so that one that
hangs takes no other with it."""

import json
import os
import time
from pathlib import Path
from typing import Any

import torch
from tiny import CPU, Tiny, hardware, partial_rollouts, reinforcement

from stages.data.records import Rollout, Segment
from stages.models.finite import NotFiniteError
from stages.models.loading import load_processor
from stages.policy import experience as module
from stages.policy.experience import Experience
from stages.policy.iteration import Group, score
from stages.policy.learner import Learner
from stages.rollout.transformers_engine import TransformersEngine
from stages.run.ranks import during, rank, world_size
from stages.run.spool import Spool
from stages.training.batches import pack
from stages.training.checkpoints import SaveClock, load_state, save_state
from stages.training.engine import Engine, forwards, gather_objects, optimizer_step, start
from stages.training.loop import Plan, mean_token_loss, train
from stages.training.samples import picture_filler
from stages.training.weights import rollout_copy, save_model
from stages.verifiers.verdict import Verdict

LATE = 400.0


def sft(tiny: Tiny, zero_stage: int, folder: Path) -> None:
    """Three steps of the training loop on text and pictures; the last batch is short."""
    wanted = hardware(zero_stage=zero_stage, micro_batch_tokens=256)
    model = tiny.model()
    samples = tiny.samples(model)[1::5]
    engine = start(model, wanted, CPU, 1.0)
    spool = Spool(folder / f"spool-{rank()}.jsonl")
    plan = Plan(epochs=1, batch=3, seed=2, rate=lambda *_: 1e-3)
    filler = picture_filler(tiny.renderer(), model, wanted)
    train(engine, samples, lambda step, _, __: mean_token_loss(step, samples), plan, wanted, spool, folder / "state", filler)
    save_model(engine, load_processor(tiny.folder), folder / "model")
    if rank() == 0:
        rows = [{"loss": row["loss"], "grad_norm": row["grad_norm"], "entropy": row["entropy"]} for row in spool.rows()]
        (folder / "rows.json").write_text(json.dumps(rows))


def unlike(tiny: Tiny, zero_stage: int, folder: Path) -> None:
    """Rank 0 holds one micro-batch of text, rank 1 several with pictures; then a step in which rank 1 has no part."""
    wanted = hardware(zero_stage=zero_stage)
    model = tiny.model()
    samples = tiny.samples(model)
    text = [sample for sample in samples if not sample.prompt.pixels][:2]
    pictures = [sample for sample in samples if sample.prompt.pixels][1:6:2]
    everyone = [*text, *pictures]
    mine = everyone if world_size() == 1 else (text, pictures)[rank()]
    kinds = {bool(sample.prompt.pixels) for sample in mine}
    assert kinds == ({False, True} if world_size() == 1 else {rank() == 1}), "rank 0 sees no picture, rank 1 nothing else"
    engine = start(model, wanted, CPU, 1.0)
    filler = picture_filler(tiny.renderer(), model, wanted)
    loss = mean_token_loss(range(len(everyone)), everyone)
    batches = pack(mine, 128, 0, filler)
    forwards(engine, batches)
    losses = [optimizer_step(engine, batches, loss, 1e-3).loss]
    batches = pack(text if rank() == 0 else pictures[:1], 400, 0, filler)
    half = mean_token_loss(range(len(text)), text)
    nothing = optimizer_step(engine, batches, half if rank() == 0 else lambda _, logp, __: logp.sum() * 0.0, 1e-3)
    save_model(engine, load_processor(tiny.folder), folder / "model")
    if rank() == 0:
        (folder / "losses.json").write_text(json.dumps([*losses, nothing.loss]))


def heads(tiny: Tiny, zero_stage: int, folder: Path) -> None:
    """A step with an output layer of its own weights, and one with capped logits; on one rank or shared out among two."""
    samples = tiny.samples(tiny.model())[1::8]
    mine = samples[rank() :: world_size()]
    told = []
    for cap in (None, 5.0):
        model = tiny.model()
        torch.manual_seed(9)
        model.lm_head.weight = torch.nn.Parameter(torch.randn_like(model.lm_head.weight) / 4)
        model.config.get_text_config().final_logit_softcapping = cap
        engine = start(model, hardware(zero_stage=zero_stage), CPU, 1e9)
        batches = pack(mine, 400, 0, picture_filler(tiny.renderer(), model, hardware(zero_stage=zero_stage)))
        steps = [optimizer_step(engine, batches, mean_token_loss(range(len(samples)), samples), 1e-3) for _ in range(2)]
        told += [[step.loss, step.grad_norm, step.entropy] for step in steps]
    if rank() == 0:
        (folder / "told.json").write_text(json.dumps(told))


def learner(tiny: Tiny, zero_stage: int, segment: int | None = None, **changed: Any) -> Learner:
    wanted = hardware(zero_stage=zero_stage)
    rl = reinforcement(**{"samples": 2, "max_tokens": 8, "learning_rate": 1e-3, "warmup_steps": 0, **changed})
    trainer = start(tiny.model(), wanted, CPU, rl.grad_clip, rl.temperature)
    engine = TransformersEngine(rollout_copy(trainer, tiny.folder), tiny.renderer(), 16)
    return Learner(trainer, Experience(engine, engine.renderer, rl, partial_rollouts(segment_tokens=segment), wanted, seed=3))


def made_groups(tiny: Tiny) -> list[Group]:
    """Four problems of text and pictures with two responses each, one right and one wrong, whose tokens are made up."""
    problems = [tiny.curated()[place] for place in (0, 9, 4, 13)]
    groups = []
    for place, problem in enumerate(problems):
        tokens = [list(range(20 + place, 24 + place + n)) for n in (0, 3)]
        segments = [Segment(iteration=0, token_ids=ids, logprobs=[-5.0] * len(ids)) for ids in tokens]
        members = [
            Rollout(problem_id=problem.id, begun=0, member=n, segments=[segment], finish="stop")
            for n, segment in enumerate(segments)
        ]
        verdicts = [Verdict("right", None, ""), Verdict("wrong", None, "")]
        groups.append(score(problem, members, verdicts, 0.0))
    return groups


def policy(tiny: Tiny, zero_stage: int, folder: Path) -> None:
    """The optimizer steps of an RL iteration on given responses, text for rank 0 and pictures for rank 1: two passes over three
    mini-batches, of which one has nothing for a rank."""
    found = learner(tiny, zero_stage, mini_batch=3, passes=2)
    steps, _ = found.improve(0, made_groups(tiny))
    save_model(found.trainer, load_processor(tiny.folder), folder / "model")
    if rank() == 0:
        (folder / "losses.json").write_text(json.dumps([step.loss for step in steps]))


def iteration(tiny: Tiny, zero_stage: int, folder: Path) -> None:
    """A whole RL iteration, in which rank 1 has one problem less; every rank must know the same, and generate with the new
    weights."""
    module.verify_all = lambda items, *_: [Verdict("right" if item.response[:1].isalpha() else "wrong", None, "") for item in items]
    module.without_end = lambda _: None
    found = learner(tiny, zero_stage, mini_batch=4, passes=1, samples=4)
    rates, figures, _ = found.iterate(0, tiny.curated()[8:11])
    whole = whole_weights(found.trainer)
    pushed = {name: value.detach() for name, value in found.experience.engine.model.named_parameters()}
    gap = max(float((whole[name] - pushed[name]).abs().max()) for name in pushed)
    before = dict(tiny.model().named_parameters())
    moved = max(float((before[name] - pushed[name]).abs().max()) for name in pushed)
    everyone = gather_objects([rates, figures, gap, moved])
    if rank() == 0:
        (folder / "ranks.json").write_text(json.dumps(everyone))


def partial(tiny: Tiny, zero_stage: int, folder: Path) -> None:
    """Three iterations with responses that are cut; at first rank 0 holds text and rank 1 pictures. What is drawn does not depend
    on the number of ranks; the learning rate is so small that rounding does not grow into another token."""
    module.verify_all = lambda items, *_: [Verdict("right" if item.response[:1].isalpha() else "wrong", None, "") for item in items]
    module.without_end = lambda _: None
    found = learner(tiny, zero_stage, 3, mini_batch=3, passes=1, prompts=4, learning_rate=1e-6, train_zero_signal=True)
    problems = [tiny.curated()[place] for place in (0, 9, 4, 13)]
    told = []
    for iteration in range(3):
        rates, figures, _ = found.iterate(iteration, problems[: found.experience.room])
        told.append([rates, figures, found.experience.state()])
    everyone = gather_objects(told)
    if rank() == 0:
        (folder / "told.json").write_text(json.dumps(everyone))


def clock(_: Tiny, __: int, folder: Path) -> None:
    """Ranks whose clocks differ decide together: the first of them decides."""
    found = SaveClock(1000.0)
    answers = []
    for late in ((True, False), (False, True)):
        found.next = time.monotonic() + (-1000.0 if late[rank()] else 1000.0)
        answers.append(found.due())
    (folder / f"answers-{rank()}.json").write_text(json.dumps(answers))


def late(checkpoint: Path, problems: list[Any]) -> None:
    """Rank 1 never comes to the third step; rank 0 waits for it no longer than it was told to."""
    tiny = Tiny(checkpoint, problems)
    model = tiny.model()
    samples = tiny.samples(model)[:2]
    engine = start(model, hardware(zero_stage=2), CPU, 1.0)
    for step in range(3):
        if step == 2 and rank() == 1:
            time.sleep(LATE)
        with during(f"rl iteration {step}"):
            optimizer_step(engine, pack(samples, 1024, 0), mean_token_loss([0, 1], samples), 1e-3)


def bad_loss(checkpoint: Path, problems: list[Any], zero_stage: int) -> None:
    """A good step, one whose loss is not a number on rank 1, a good one, two bad ones; each rank leaves
    its weights and what it was told at last."""
    tiny = Tiny(checkpoint, problems)
    engine = start(tiny.model(), hardware(zero_stage=zero_stage), CPU, 1.0, bad_steps=1)
    samples = tiny.samples(tiny.model())[:2]
    usual = mean_token_loss([0, 1], samples)
    factor = float("nan") if rank() == 1 else 1.0
    told = []
    filler = picture_filler(tiny.renderer(), tiny.model(), hardware(zero_stage=zero_stage))
    try:
        batches = pack(samples, 1024, 0, filler)
        for bad in (False, True, False, True, True):
            loss = (lambda *given: usual(*given) * factor) if bad else usual
            told.append(bool(optimizer_step(engine, batches, loss, 1e-3).bad))
    except NotFiniteError as error:
        assert told == [False, True, False, True]
        torch.save(whole_weights(engine), f"weights-{rank()}.pt")
        Path(f"noticed-{rank()}").write_text(str(error))


def gone(checkpoint: Path, problems: list[Any], folder: Path) -> None:
    """Rank 1 dies where rank 0 waits for it: before the second save."""
    tiny = Tiny(checkpoint, problems)
    engine = start(tiny.model(), hardware(zero_stage=2), CPU, 1.0)
    save_state(engine, folder / "state", 1, {"n": 1})
    if rank() == 1:
        os._exit(9)
    save_state(engine, folder / "state", 2, {"n": 2})


def damaged(checkpoint: Path, problems: list[Any], folder: Path) -> None:
    """A bit flips in the file of rank 1; each rank leaves what it goes on from."""
    tiny = Tiny(checkpoint, problems)
    engine = start(tiny.model(), hardware(zero_stage=2), CPU, 1.0)
    for number in (1, 2):
        save_state(engine, folder / "state", number, {"n": number})
    if rank() == 1:
        path = folder / "state/step-00000002/random-1.pt"
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    gather_objects(None)
    found = load_state(engine, folder / "state")
    (folder / f"found-{rank()}").write_text(str(found))


def whole_weights(engine: Engine) -> dict[str, torch.Tensor]:
    import deepspeed

    found = {}
    for name, parameter in engine.model.named_parameters():
        with deepspeed.zero.GatheredParameters([parameter]):
            found[name] = parameter.detach().clone()
    return found


SCENARIOS = {
    "clock": clock,
    "sft": sft,
    "heads": heads,
    "unlike": unlike,
    "policy": policy,
    "iteration": iteration,
    "partial": partial,
}
PLAN = [(name, stage) for name in ("sft", "heads", "unlike") for stage in range(4)]
PLAN += [("clock", 0)]
PLAN += [(name, stage) for name in ("policy", "iteration", "partial") for stage in (0, 2, 3)]


def play(checkpoint: Path, problems: list[Any], folder: Path) -> None:
    """All scenarios, one after the other."""
    tiny = Tiny(checkpoint, problems)
    for name, stage in PLAN:
        place = folder / f"{name}-{stage}"
        place.mkdir(parents=True, exist_ok=True)
        SCENARIOS[name](tiny, stage, place)
        (place / f"done-{rank()}").touch()
