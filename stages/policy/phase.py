"""One phase of reinforcement learning (§2.3, §2.4): the work of the stage rl."""

import argparse
from pathlib import Path
from typing import Any

from stages.data.files import DataError, read_records
from stages.data.records import CuratedProblem, Problem
from stages.models.families import reads_pictures
from stages.models.loading import device_of, dtype_of, load_model, load_processor
from stages.models.text_only import TEXT_ONLY
from stages.policy.candidates import Candidates, balanced
from stages.policy.experience import Experience
from stages.policy.iterations import improve
from stages.policy.learner import Learner
from stages.policy.samplers import ProblemSampler
from stages.policy.validation import Validations, askable
from stages.prompts.render import Renderer
from stages.rollout.asking import judge_of
from stages.rollout.opening import open_rollout_engine
from stages.run.params import RL, Hardware, Model, read
from stages.run.phases import clear
from stages.run.ranks import rank
from stages.run.sections import Health, Judging, Loss, Rollouts, deciding
from stages.run.seeds import stream_seed
from stages.run.spool import stage_spool
from stages.run.state import state_folder
from stages.training.checkpoints import drop_state
from stages.training.engine import start
from stages.training.responses import golden_prompts
from stages.training.weights import rollout_copy, save_model
from stages.verifiers.judge import require_judge


def improved(options: argparse.Namespace, rl: RL) -> None:
    """Train the phase of the command line and write its checkpoint."""
    phase = options.phase
    if rank() == 0:
        clear(options.out)
    seed, hardware, model = read("seed", int), read("hardware", Hardware), read("model", Model)
    rollouts, loss, limits = read("rollout", Rollouts), read("loss", Loss), read("health", Health)
    judging = read("judge", Judging)

    device, judge = device_of(hardware), judge_of(judging, hardware.generation_batch)
    problems, held_out = read_records(options.prompt_set, CuratedProblem), read_records(options.validation, Problem)
    check_count(len(problems), options.prompt_set, rl.prompts, hardware.processes)
    require_judge((problem.verifier for problem in (*problems, *held_out)), judge)
    init = balanced(options.init) if phase == "short" else options.init
    net, processor = load_model(init, device, dtype=dtype_of(hardware, device)), load_processor(init)
    check_share(phase, rl, processor)
    renderer = Renderer.of(processor, model)
    validation, left_out = askable(renderer, held_out)
    if rank() == 0:
        print(f"{len(problems)} problems, {len(validation)} validation problems", *left_out, sep="\n")
    trainer = start(net, hardware, device, rl.grad_clip, rl.temperature, bad_steps=limits.bad_steps)
    own = trainer.model if hardware.engine == "vllm" else rollout_copy(trainer, init)  # vLLM loads the weights itself
    golden = golden_prompts(trainer, hardware, renderer, problems, rl.temperature)
    engine = open_rollout_engine(init, own, renderer, hardware, golden)
    sampler = sampler_of(problems, rl, stream_seed(seed, phase))
    experience = Experience(engine, renderer, rl, rollouts, hardware, stream_seed(seed, "rl", phase), loss, judge)

    values = [seed, *(part.model_dump() for part in (rl, rollouts, loss, judging, model)), deciding(hardware)]
    state = state_folder(f"rl-{phase}", [options.init, options.prompt_set, options.validation], values)
    spool = stage_spool(f"rl@{phase}")
    candidates = Candidates(trainer, processor, state, rl.candidates, len(validation))
    validations = Validations(engine, validation, experience, stream_seed(seed, "validation"), candidates)
    improve(Learner(trainer, experience), sampler, validations, spool, state, limits)
    save_model(trainer, processor, options.out)
    candidates.hand_over(options.out)
    if rank() == 0:
        spool.write_csv(options.curves, "iteration")
    drop_state(state)


def sampler_of(problems: list[CuratedProblem], rl: RL, seed: int) -> ProblemSampler:
    """What draws the problems. DataError when they are too few for some draw."""
    sampler = ProblemSampler(problems, seed, rl.curriculum_until, rl.hard_pass_rate, rl.prioritized, rl.image_share)
    sampler.require(rl.prompts)
    return sampler


def check_share(phase: str, rl: RL, processor: Any) -> None:
    """DataError for a share of picture problems with a model that reads none."""
    if rl.image_share is not None and not reads_pictures(processor):
        raise DataError(f"rl.{phase}.image_share = {rl.image_share} with a {TEXT_ONLY}; set it to null")


def check_count(found: int, where: Path, prompts: int, processes: int) -> None:
    """DataError when an iteration's prompts cannot be drawn, or not shared among the processes."""
    if found < prompts or prompts < processes:
        raise DataError(
            f"{where}: {found} problems, prompts = {prompts} of this phase of rl on {processes} processes: needed are as many "
            "problems as prompts, and one for every process; loosen curate or lower the prompts"
        )
