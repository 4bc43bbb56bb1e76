"""The rollout half of an iteration (§2.6): continue what is unfinished, begin fresh prompts, verify and score the groups that are
whole. The buffer is the same on every rank; each rank generates for whole groups of its own, and judges responses as they end."""

from collections.abc import Sequence
from typing import Any

from stages.data.files import DataError
from stages.data.records import CuratedProblem
from stages.policy.iteration import Group, score, without_end
from stages.policy.length_penalty import weight_at
from stages.policy.mirror_descent import ADVANTAGES
from stages.prompts.prompt import Prompt
from stages.prompts.render import Rendered, Renderer
from stages.rollout.engine import Piece, Repetition, Request, RolloutEngine, Sampling
from stages.rollout.partial import AFRESH, Buffer, Limits, Name, OpenGroup, by_rank, grown, length, name_of, token_ids
from stages.run.params import RL, Hardware
from stages.run.ranks import rank, world_size
from stages.run.sections import REPORT, Loss, Rollouts
from stages.run.seeds import stream_seed
from stages.training.engine import gather_objects
from stages.verifiers.background import Verification
from stages.verifiers.claims import Claim, Verdict
from stages.verifiers.verdict import Answer, verify_all


class Experience:
    """What the policy has sampled: open groups in the buffer, whole groups handed over."""

    def __init__(
        self,
        engine: RolloutEngine,
        renderer: Renderer,
        rl: RL,
        rollouts: Rollouts,
        hardware: Hardware,
        seed: int,
        loss: Loss = REPORT,
        judge: Answer | None = None,
    ) -> None:
        self.engine = engine
        self.renderer = renderer
        self.rl = rl
        self.rollouts = rollouts
        self.hardware = hardware
        self.seed = seed
        self.loss = loss
        self.judge = judge
        self.buffer = Buffer()
        self.verdicts: dict[Name, Verdict] = {}
        self.limits = Limits(rl.max_tokens, rollouts.segment_tokens, rollouts.max_staleness)
        repetition = rollouts.repetition
        self.sampling = Sampling(
            rl.temperature, 1.0, rl.max_tokens, seed, Repetition(**repetition.model_dump()) if repetition else None
        )
        self._prompts: dict[str, Rendered] = {}

    @property
    def room(self) -> int:
        """How many fresh problems the next iteration takes."""
        return self.buffer.room(self.rl.prompts * self.rl.samples, self.rl.samples)

    @property
    def open(self) -> set[str]:
        """Ids of the problems that have an open group: they are not drawn again."""
        return {group.problem.id for group in self.buffer.groups}

    def collect(self, iteration: int, problems: Sequence[CuratedProblem]) -> tuple[list[Group], dict[str, float], int]:
        """Groups that are whole after this iteration, of all ranks, oldest first; figures of the buffer; tokens drawn."""
        self.buffer.begin(iteration, problems, self.rl.samples)
        kept = {group.problem.id for group in self.buffer.groups}
        self._prompts = {problem: prompt for problem, prompt in self._prompts.items() if problem in kept}
        forced = sum(self.limits.forced(member, iteration) for member in self.buffer.unfinished())
        mine = by_rank(self.buffer.groups, world_size())[rank()]
        parts = gather_objects(self._generate(iteration, mine))
        pieces = {name: piece for found, _ in parts for name, piece in found.items()}
        self.verdicts |= {name: verdict for _, found in parts for name, verdict in found.items()}
        self.buffer.grow(iteration, pieces)
        groups = [self._scored(iteration, group) for group in self.buffer.hand_over()]
        unfinished = self.buffer.unfinished()
        figures = {
            "cut": sum(piece.finish == "cut" for piece in pieces.values()) / max(1, len(pieces)),
            "staleness/forced": float(forced),
            "buffer/groups": float(len(self.buffer.groups)),
            "buffer/responses": float(len(unfinished)),
            "buffer/tokens": float(sum(map(length, unfinished))),
        }
        return groups, figures, sum(len(piece.token_ids) for piece in pieces.values())

    def _generate(self, iteration: int, groups: Sequence[OpenGroup]) -> tuple[dict[Name, Piece], dict[Name, Verdict]]:
        """A piece for every unfinished response of this rank's groups, and the verdicts on those that it ends: they are judged
        while others are generated. What a response draws depends on its own stream only, not on ranks and neighbours."""
        prompts = self.rendered([group.problem for group in groups])
        members = [
            (group.problem, prompt, member) for group, prompt in zip(groups, prompts, strict=True) for member in group.unfinished
        ]
        requests = []
        for problem, prompt, member in members:
            begun, name, number = name_of(member)
            stream = stream_seed(self.seed, "rollout", name, begun, number, iteration)
            budget, left = self.limits.of(member, iteration)
            requests.append(Request(Prompt.of(problem), prompt, token_ids(member), budget, left, stream))
        known: dict[Name, Verdict] = {}
        with Verification[Name](self.hardware.workers, judge=self.judge, verify=_verify) as verification:

            def ended(index: int, piece: Piece) -> None:
                problem, _, member = members[index]
                response = grown(member, iteration, piece)
                if response.finish is None:
                    return
                if verdict := without_end(response):
                    known[name_of(response)] = verdict
                    return
                text = self.engine.decode(token_ids(response))
                verification.submit(name_of(response), Claim(problem.verifier, problem.answer, text, problem.question))

            pieces = self.engine.extend(requests, self.sampling, ended)  # also without requests: other ranks may wait
            verdicts = known | verification.results()
        return {name_of(member): piece for (_, _, member), piece in zip(members, pieces, strict=True)}, verdicts

    def _scored(self, iteration: int, group: OpenGroup) -> Group:
        baseline = ADVANTAGES[next((name for name in self.loss.variants if name in ADVANTAGES), "mean")]
        return score(
            group.problem,
            group.members,
            [self.verdicts.pop(name_of(member)) for member in group.members],
            weight_at(iteration, self.rl.length_weight, self.rl.length_from),
            self.rollouts.repeat_penalty,
            lambda reward_K: baseline(reward_K, self.rl.tau),
        )

    def rendered(self, problems: Sequence[CuratedProblem]) -> list[Rendered]:
        """Their prompts, pictures included, as the trainer and the engine read them."""
        missing = list({problem.id: problem for problem in problems if problem.id not in self._prompts}.values())
        made = self.renderer.render([Prompt.of(problem) for problem in missing], remade=True)
        self._prompts |= {problem.id: prompt for problem, prompt in zip(missing, made, strict=True)}
        return [self._prompts[problem.id] for problem in problems]

    def state(self) -> dict[str, Any]:
        """The buffer, and the verdicts on its finished members, as JSON values."""
        verdicts = [[*name, verdict.outcome, verdict.extracted, verdict.reason] for name, verdict in sorted(self.verdicts.items())]
        return {"members": self.buffer.state(), "verdicts": verdicts}

    def restore(self, state: Any, problems: Sequence[CuratedProblem]) -> None:
        """Go back to a saved state; pictures are read again from their files. DataError when it is broken or foreign."""
        if not isinstance(state, dict) or state.keys() != {"members", "verdicts"}:
            raise DataError(f"the saved buffer of unfinished responses cannot be read; {AFRESH}")
        self.buffer.restore(state["members"], {problem.id: problem for problem in problems}, self.rl.samples)
        self.verdicts = {(begun, problem, number): Verdict(*rest) for begun, problem, number, *rest in state["verdicts"]}


def _verify(claims: Sequence[Claim], workers: int, seconds: float, judge: Answer | None) -> Sequence[Verdict]:
    return verify_all(claims, workers, seconds, judge)
