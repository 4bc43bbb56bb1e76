"""All iterations of a phase of RL, from the last whole state on: draw problems, learn from them, note what came of it, stop when
the health panel says so."""

from functools import partial
from pathlib import Path

from stages.data.files import DataError
from stages.policy.health import Watch, peak_memory
from stages.policy.learner import Learner
from stages.policy.samplers import ProblemSampler, sampled_difficulty
from stages.policy.validation import Validations
from stages.run.ranks import during, rank
from stages.run.sections import Health
from stages.run.spool import Spool
from stages.training.checkpoints import SaveClock, load_state, save_state
from stages.training.engine import agreed


def improve(learner: Learner, sampler: ProblemSampler, validations: Validations, spool: Spool, state: Path, limits: Health) -> None:
    """All iterations, from the last whole state on: draw problems, learn from them, note what came of it."""
    rl, experience, first = learner.rl, learner.experience, resume(learner, sampler, state, spool)
    clock, watch = SaveClock(experience.hardware.save_seconds), Watch(limits, spool.rows())
    for iteration in range(first, rl.iterations):
        figures = validations.at(iteration) if iteration % rl.validate_every == 0 else {}
        problems = sampler.draw(iteration, experience.room, experience.open)
        with during(f"rl iteration {iteration}"):
            success, more, speeds = learner.iterate(iteration, problems)
        sampler.update(success)
        ill: list[str] = []
        if rank() == 0:
            figures |= {"fresh_groups": float(len(problems)), **sampled_difficulty(problems), **more}
            speeds |= peak_memory()
            note(spool, iteration, rl.iterations, figures, speeds)
            ill = watch.look(iteration, figures, speeds)
        stop = agreed(bool(ill))
        if stop or (iteration + 1 < rl.iterations and clock.due()):
            clock.save(partial(save, learner, sampler, state, iteration + 1, spool))
        if stop:
            raise DataError(f"RL stopped after iteration {iteration}, its state is kept: {'; '.join(ill) or 'rank 0 says why'}")
    final = validations.at(rl.iterations)
    if rank() == 0:
        spool.log(rl.iterations, final)
        print(f"{len(experience.buffer.unfinished())} responses are unfinished at the end and not trained on")


def note(spool: Spool, iteration: int, iterations: int, figures: dict[str, float], speeds: dict[str, float]) -> None:
    """Figures, measured speeds and progress go to the spool."""
    spool.log(iteration, figures)
    spool.log_speed(iteration, speeds)
    spool.progress(iteration + 1, iterations, "iterations")


def save(learner: Learner, sampler: ProblemSampler, state: Path, iterations: int, spool: Spool) -> None:
    """All that the run needs to go on after `iterations` iterations, its curve included."""
    extra = {"sampler": sampler.state(), "buffer": learner.experience.state(), "rows": spool.rows()}
    save_state(learner.trainer, state, iterations, extra)


def resume(learner: Learner, sampler: ProblemSampler, state: Path, spool: Spool) -> int:
    """Go back to the last whole state, weights to buffer and curve, where there is one; the
    iteration to begin with. The engine has the trainer's weights then."""
    first, extra = load_state(learner.trainer, state) or (0, {"rows": []})
    if rank() == 0:
        spool.restore(extra["rows"])
    if first:
        sampler.restore(extra["sampler"])
        learner.experience.restore(extra["buffer"], sampler.problems)
    learner.push_weights()
    return first
