"""One iteration of policy mirror descent: roll out, verify, reward, then several optimizer steps against the moving reference."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from stages.data.records import CuratedProblem
from stages.models.finite import left_out, naming
from stages.models.positions import position_ids
from stages.policy.experience import Experience
from stages.policy.iteration import Group, describe, mean_success
from stages.policy.lessons import Lesson, ages, lessons_of
from stages.policy.mirror_descent import kept, mirror_descent_loss, token_level_loss
from stages.policy.mismatch import measure, mismatch
from stages.rollout.partial import token_ids
from stages.run.ranks import rank, share
from stages.run.seeds import stream_seed
from stages.training.ahead import Lazily, one_ahead
from stages.training.batches import PackedBatch, TrainingSample, pack
from stages.training.engine import Engine, StepResult, forwards, gather_objects, optimizer_step, reset_optimizer
from stages.training.log_probs import join_for_batch, split_by_sample, sum_by_sample
from stages.training.samples import picture_filler
from stages.training.schedules import warmed
from stages.training.weights import trained_weights


class Learner:
    """The policy that is trained, and the experience that it learns from."""

    def __init__(self, trainer: Engine, experience: Experience) -> None:
        self.trainer = trainer
        self.experience = experience
        self.rl, self.hardware, self.loss = experience.rl, experience.hardware, experience.loss
        self.rest = "rest" in self.loss.variants
        self.tau = 0.0 if self.rest else self.rl.tau
        self.pad_id = experience.renderer.processor.tokenizer.pad_token_id or 0
        self.filler = picture_filler(experience.renderer, trainer.model, self.hardware)

    def iterate(
        self, iteration: int, problems: Sequence[CuratedProblem]
    ) -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
        """One iteration that begins `problems`: (success rate of each problem handed over, figures, speeds), the same on every
        rank. When no group is whole there is no step."""
        engine = self.experience.engine
        began = time.monotonic()
        groups, figures, drawn = self.experience.collect(iteration, problems)
        rolled = time.monotonic()
        engine.sleep()
        steps, more = self.improve(iteration, groups)
        engine.wake()
        if steps:
            self.push_weights()
        trained = time.monotonic()
        figures = describe(groups, self.experience.buffer.groups) | figures | more
        figures |= figures_of(steps)
        speeds = {
            "rollout_seconds": rolled - began,
            "training_seconds": trained - rolled,
            "rollout_tokens_per_second": drawn / (rolled - began),
            "training_tokens_per_second": sum(step.tokens for step in steps) / (trained - rolled),
        }
        return mean_success(groups), figures, speeds

    def improve(self, iteration: int, groups: Sequence[Group]) -> tuple[list[StepResult], dict[str, float]]:
        """All optimizer steps of the iteration on the groups of all ranks, each rank on its share of them; how old their tokens
        are, and how far the engine's log-probabilities are from the trainer's. Which responses make up a mini-batch does not depend
        on the number of ranks."""
        chosen = [group for group in groups if self.rl.train_zero_signal or bool((group.advantage_K != 0).any())]
        lessons = lessons_of(chosen, iteration, self.experience.rollouts.mask_stale, lambda group: self._kept(group, iteration))
        if not lessons:
            return [], {}
        own = set(share(range(len(chosen))))
        mine = [index for index, lesson in enumerate(lessons) if lesson.group in own]
        held = [lessons[index] for index in mine] or lessons[:1]  # a rank without groups meets the others' collectives
        samples = self._samples(held)
        reference, gaps = self.reference(samples, held, counted=bool(mine))
        advantage = torch.tensor([lesson.advantage for lesson in held])
        minis = math.ceil(len(lessons) / self.rl.mini_batch)
        count = (len(lessons) if self.rest else sum(len(group.members) for group in chosen)) / minis
        place_of = {index: place for place, index in enumerate(mine)}
        first = self._begin(iteration)
        steps: list[StepResult] = []
        drawn = self._mini_batches(iteration, len(lessons), minis)
        mine_of = ((ids, [place_of[index] for index in ids if index in place_of]) for ids in drawn)
        for (ids, members), batches in one_ahead((both, self._packed(samples, both[1])) for both in mine_of):
            named = [lessons[index].problem.id for index in ids]
            with naming(named):
                steps.append(self._step(batches, members, advantage, reference, count, first, len(steps)))
            if steps[-1].bad and rank() == 0:
                print(left_out(f"iteration {iteration}, step {len(steps) - 1}", steps[-1].bad, named), flush=True)
        return steps, gaps | ages(lessons)

    def _mini_batches(self, iteration: int, lessons: int, minis: int) -> Iterator[list[int]]:
        """The lessons of every optimizer step of the iteration, all of them once in each pass."""
        for sweep in range(self.rl.passes):
            generator = torch.Generator().manual_seed(stream_seed(self.experience.seed, "mini", iteration, sweep))
            order = torch.randperm(lessons, generator=generator).tolist()
            yield from (order[mini::minis] for mini in range(minis))

    def _packed(self, samples: Sequence[TrainingSample], members: Sequence[int]) -> Lazily[PackedBatch]:
        """Micro-batches of this rank's part of a mini-batch; of any sample where it has none."""
        chosen = [samples[index] for index in members] or samples[:1]
        return pack(chosen, self.hardware.micro_batch_tokens, self.pad_id, self.filler)

    def _begin(self, iteration: int) -> int:
        """Reset the optimizer for the new problem (§2.3.2); the number of the first step in the schedule of the learning rate. The
        variant that keeps the optimizer warms up in the first iteration only."""
        if "keep_optimizer" not in self.loss.variants:
            reset_optimizer(self.trainer)
            return 0
        return self.rl.warmup_steps if iteration else 0

    def _kept(self, group: Group, iteration: int) -> list[bool]:
        if self.rest:
            return [advantage > 0 for advantage in group.advantage_K.tolist()]
        stream = stream_seed(self.experience.seed, "negatives", iteration, group.problem.id)
        return [bool(stays) for stays in kept(group.advantage_K, self.loss.drop_negatives, stream)]

    def _samples(self, lessons: Sequence[Lesson]) -> list[TrainingSample]:
        prompts = self.experience.rendered([lesson.problem for lesson in lessons])
        samples = []
        for lesson, prompt in zip(lessons, prompts, strict=True):
            ids = token_ids(lesson.member)
            samples.append(
                TrainingSample(prompt, ids, position_ids(self.trainer.model, prompt, len(ids)), lesson.mask, lesson.problem.id)
            )
        return samples

    def reference(
        self, samples: Sequence[TrainingSample], lessons: Sequence[Lesson], counted: bool = True
    ) -> tuple["Reference", dict[str, float]]:
        """log pi_i of every response, computed once by the trainer: the policy at the start of this iteration, also for tokens
        that older ones drew (§2.3.2: the data may be off-policy). And the mismatch with the engine's own over the tokens of this
        iteration, which the same weights drew; {} when there are none. `counted` is False for lessons that another rank counts."""
        batches = pack(samples, self.hardware.micro_batch_tokens, self.pad_id, self.filler)
        whole = torch.zeros(len(samples))
        tokens: dict[int, torch.Tensor] = {}
        gaps = [torch.zeros(0)]
        for batch, logp in forwards(self.trainer, batches):
            logp = logp.cpu()
            batch = batch.to(logp.device)
            whole += sum_by_sample(logp, batch, len(samples))
            parts = split_by_sample(logp, batch)
            tokens |= parts
            behaviour = torch.tensor([value for index in parts for value in lessons[index].behaviour])
            fresh = torch.tensor([age == 0 and counted for index in parts for age in lessons[index].loss_ages], dtype=torch.bool)
            gaps.append((behaviour - logp)[fresh])
        return Reference(whole, [tokens[index] for index in range(len(samples))]), mismatch(
            gather_objects(measure(torch.cat(gaps)))
        )

    def push_weights(self) -> None:
        """Give the engine the trainer's weights (all ranks must call)."""
        self.experience.engine.take_weights(trained_weights(self.trainer))

    def _step(
        self,
        batches: Sequence[PackedBatch],
        members: list[int],
        advantage: torch.Tensor,
        reference: "Reference",
        count: float,
        first: int,
        step: int,
    ) -> StepResult:
        """Step number `step` of an iteration whose first is number `first` of the learning rate's schedule."""
        device = self.trainer.device
        a, r = advantage[members].to(device), reference.whole_N[members].to(device)
        tokens = [reference.tokens[index].to(device) for index in members]
        normalised, token_level = ("length_normalised" in self.loss.variants, "token_level" in self.loss.variants)
        lengths = torch.tensor([float(len(part)) for part in tokens], device=device) if normalised else None

        def loss_of(batch: PackedBatch, logp: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
            if not members:
                return logp.sum() * 0.0
            if token_level:
                before = join_for_batch(tokens, batch)
                return token_level_loss(logp, before, batch.sample_of_target, a, self.tau, lengths) / count
            present = batch.sample_of_target.unique()
            whole = sum_by_sample(logp, batch, len(members))
            length_N = None if lengths is None else lengths[present]
            return mirror_descent_loss(whole[present], r[present], a[present], self.tau, length_N) / count

        rate = warmed(first + step, self.rl.learning_rate, self.rl.warmup_steps)
        return optimizer_step(self.trainer, batches, loss_of, rate, entropies=step == 0)


def figures_of(steps: Sequence[StepResult]) -> dict[str, float]:
    """Loss of the last step, largest gradient norm and entropy of the first step of an iteration, over
    the steps that were taken; how many were left out, if any. {} without a step: when all rewards of
    every group are equal, the policy stays as it is."""
    taken = [step for step in steps if not step.bad]
    figures = {"steps_left_out": float(len(steps) - len(taken))} if len(taken) < len(steps) else {}
    if taken:
        figures |= {"loss": taken[-1].loss, "grad_norm": max(step.grad_norm for step in taken)}
    return figures | ({"entropy": steps[0].entropy} if steps and not steps[0].bad else {})


@dataclass(frozen=True)
class Reference:
    """log pi_i of the responses, natural logs."""

    whole_N: torch.Tensor
    """(N,) of each whole response."""
    tokens: list[torch.Tensor]
    """Of each response's tokens that carry loss, in order."""
