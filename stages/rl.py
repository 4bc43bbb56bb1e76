"""rl (§2.3, §2.4): vision-text joint reinforcement learning by online policy mirror descent; `short` is long2short RL."""

import argparse
from pathlib import Path

from stages.data.files import DataError, read_records
from stages.data.records import CuratedProblem, Problem
from stages.models.loading import device_of, load_model, load_processor
from stages.policy.experience import Experience
from stages.policy.learner import Learner
from stages.policy.samplers import ProblemSampler
from stages.policy.validation import askable, validate
from stages.prompts.render import Renderer
from stages.rollout.engine import Engine
from stages.rollout.transformers_engine import TransformersEngine
from stages.run.params import RL, Hardware, Model, read
from stages.run.program import run
from stages.run.ranks import rank
from stages.run.seeds import stream_seed
from stages.run.spool import Spool, stage_spool
from stages.run.state import state_folder
from stages.training.checkpoints import SaveClock, drop_state, load_state, save_state
from stages.training.engine import rollout_copy, save_model, start


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("phase", choices=["long", "short"])
    arguments.add_argument("--init", type=Path, required=True, help="checkpoint to start from")
    arguments.add_argument("--prompt-set", type=Path, required=True)
    arguments.add_argument("--validation", type=Path, required=True, help="problems of figure 5; never trained on")
    arguments.add_argument("--out", type=Path, required=True)
    arguments.add_argument("--curves", type=Path, required=True)
    options = arguments.parse_args()
    phase = options.phase
    seed, hardware, model = read("seed", int), read("hardware", Hardware), read("model", Model)
    rl, rollouts = read(f"rl.{phase}", RL), read("rollout", Rollouts)

    device = device_of(hardware)
    problems = read_records(options.prompt_set, CuratedProblem)
    if len(problems) < rl.prompts or rl.prompts < hardware.processes:
        raise DataError(
            f"{options.prompt_set}: {len(problems)} problems, rl.{phase}.prompts = {rl.prompts} on {hardware.processes} processes: "
            "needed are as many problems as prompts, and one for every process; loosen curate or lower rl.prompts"
        )
    net, processor = load_model(options.init, device), load_processor(options.init)
    renderer = Renderer(processor, model.instruction, model.context)
    validation, left_out = askable(renderer, read_records(options.validation, Problem))
    if rank() == 0:
        print(f"{len(problems)} problems, {len(validation)} validation problems", *left_out, sep="\n")
    trainer = start(net, hardware, device, rl.grad_clip, rl.temperature)
    engine = TransformersEngine(rollout_copy(trainer, options.init), renderer, hardware.generation_batch)
    sampler = ProblemSampler(problems, stream_seed(seed, phase), rl.curriculum_until, rl.hard_pass_rate, rl.prioritized)
    learner = Learner(trainer, Experience(engine, renderer, rl, rollouts, hardware, stream_seed(seed, "rl", phase)))

    values = [seed, rl.model_dump(), rollouts.model_dump(), model.model_dump(), hardware.model_dump()]
    state = state_folder(f"rl-{phase}", [options.init, options.prompt_set, options.validation], values)
    spool = stage_spool(f"rl@{phase}")
    improve(learner, engine, sampler, validation, spool, state, stream_seed(seed, "validation"))
    save_model(trainer, processor, options.out)
    if rank() == 0:
        spool.write_csv(options.curves, "iteration")
    drop_state(state)


def improve(
    learner: Learner, engine: Engine, sampler: ProblemSampler, validation: list[Problem], spool: Spool, state: Path, seed: int
) -> None:
    """All iterations, from the last whole state on: draw problems, learn from them, note what came of it."""
    rl, experience = learner.rl, learner.experience
    first = resume(learner, sampler, state)
    if rank() == 0:
        spool.truncate(first)
    clock = SaveClock()
    for iteration in range(first, rl.iterations):
        figures: dict[str, float] = {}
        if iteration % rl.validate_every == 0:
            figures = validate(engine, validation, rl, learner.hardware, seed)
        problems = sampler.draw(iteration, room) if (room := experience.room) else []
        success, more, speeds = learner.iterate(iteration, problems)
        sampler.update(success)
        if rank() == 0:
            spool.log(iteration, {**figures, "fresh_groups": float(len(problems)), **more})
            spool.log_speed(iteration, speeds)
            spool.progress(iteration + 1, rl.iterations, "iterations")
        if iteration + 1 < rl.iterations and clock.due():
            save_state(learner.trainer, state, iteration + 1, {"sampler": sampler.state(), "buffer": experience.state()})
    final = validate(engine, validation, rl, learner.hardware, seed)
    if rank() == 0:
        spool.log(rl.iterations, final)
        if left := experience.buffer.unfinished():
            print(f"{len(left)} responses of {len(experience.buffer.groups)} groups are unfinished at the end and not trained on")


def resume(learner: Learner, sampler: ProblemSampler, state: Path) -> int:
    """Go back to the last whole state, weights to buffer, where there is one; the iteration to begin with."""
    resumed = load_state(learner.trainer, state)
    if resumed is None:
        return 0
    first, extra = resumed
    if not {"sampler", "buffer"} <= extra.keys():
        raise DataError(f"{state}: a training state without sampler and buffer, of another version; delete it to start afresh")
    sampler.restore(extra["sampler"])
    learner.experience.restore(extra["buffer"], sampler.problems)
    learner.push_weights()
    return first


if __name__ == "__main__":
    run(main)
