"""Supervised fine-tuning of one phase (§2.2, §2.4, §2.5.2): the work of the stage sft."""

import argparse

from stages.data.files import DataError, read_records, write_json
from stages.data.records import Demonstration
from stages.models.loading import device_of, dtype_of, load_model, load_processor
from stages.prompts.render import Renderer
from stages.run.params import SFT, Hardware, Model, read
from stages.run.phases import clear
from stages.run.ranks import rank
from stages.run.sections import Health, deciding
from stages.run.spool import stage_spool
from stages.run.state import state_folder
from stages.training.checkpoints import drop_state
from stages.training.engine import start
from stages.training.loop import Plan, mean_token_loss, train
from stages.training.samples import demonstration_samples, picture_filler
from stages.training.schedules import learning_rate
from stages.training.weights import save_model

REMEDIES = {
    "short": "no training problem of collect.sources has a short solution: give rows a solution (solution_short, solution), or set "
    "sft.short: null, which an instruct model needs no more than that",
    "long": "warm_up has nothing to do while sft.long is null: run it again",
}
"""What to do without demonstrations, by phase."""


def tuned(options: argparse.Namespace, sft: SFT) -> None:
    """Train the phase of the command line and write its checkpoint."""
    phase = options.phase
    seed, hardware, model = read("seed", int), read("hardware", Hardware), read("model", Model)
    if rank() == 0:
        clear(options.out)

    device = device_of(hardware)
    net = load_model(options.init, device, dtype=dtype_of(hardware, device))
    processor = load_processor(options.init)
    renderer = Renderer.of(processor, model)
    rows = read_records(options.demonstrations, Demonstration)
    if not rows:
        raise DataError(f"{options.demonstrations}: no demonstration; {REMEDIES.get(phase, 'run the stage that makes it')}")
    samples, left_out = demonstration_samples(rows, renderer, net)
    if rank() == 0:
        write_json(options.left_out, {"demonstrations": len(samples) + len(left_out), "left_out": left_out})
        print(f"{len(samples)} demonstrations, {len(left_out)} left out (listed in {options.left_out})")
    if not samples:
        raise DataError(f"{options.demonstrations}: no demonstration fits model.context = {model.context}; nothing to train on")

    def rate(step: int, total: int) -> float:
        return learning_rate(step, total, sft.learning_rate, sft.final_learning_rate, sft.warmup, sft.schedule)

    engine = start(net, hardware, device, grad_clip=1.0, bad_steps=read("health", Health).bad_steps)
    spool = stage_spool(f"sft@{phase}")
    values = [seed, sft.model_dump(), model.model_dump(), deciding(hardware)]
    state = state_folder(f"sft-{phase}", [options.init, options.demonstrations], values)
    filler = picture_filler(renderer, net, hardware)
    plan = Plan(sft.epochs, sft.batch, seed, rate)
    train(engine, samples, lambda step, _, __: mean_token_loss(step, samples), plan, hardware, spool, state, filler)
    save_model(engine, processor, options.out)
    if rank() == 0:
        spool.write_csv(options.curves)
    drop_state(state)
