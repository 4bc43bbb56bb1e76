"""A tiny checkpoint with its problems, and the parameters around it, that many tests share."""

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from made import made

from stages.data.records import CuratedProblem, Demonstration, Problem
from stages.models.loading import load_model, load_processor
from stages.models.scratch import TinyShape, build_model, build_processor, save, train_tokenizer
from stages.problems.procedural import FAMILIES, generate
from stages.prompts.render import Renderer
from stages.run.params import RL, SFT, Hardware
from stages.run.sections import Rollouts
from stages.training.batches import TrainingSample
from stages.training.samples import demonstration_samples

ROOT = Path(__file__).resolve().parents[1]
CONTEXT = 320
CPU = torch.device("cpu")
INSTRUCTION = "Answer in \\boxed{}."


def params(**changed: Any) -> dict[str, Any]:
    """params.yaml of the project with some dotted keys (written a__b) changed."""
    tree = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    tree["hardware"] |= {"device": "cpu", "micro_batch_tokens": 1024, "generation_batch": 64, "workers": 1}
    tree["model"] |= {"source": "scratch", "revision": None, "context": CONTEXT, "instruction": INSTRUCTION}
    for key, value in changed.items():
        *path, last = key.split("__")
        place = tree
        for name in path:
            place = place[name]
        assert last in place, key
        place[last] = value
    return copy.deepcopy(tree)


def hardware(**changed: Any) -> Hardware:
    return Hardware(**{**params()["hardware"], **changed})


def reinforcement(**changed: Any) -> RL:
    return RL(**{**params()["rl"]["long"], **changed})


def partial_rollouts(**changed: Any) -> Rollouts:
    """Whole responses without a search for repeats, unless told otherwise."""
    return Rollouts(**{**params()["rollout"], "segment_tokens": None, "repetition": None, **changed})


def fine_tuning(**changed: Any) -> SFT:
    return SFT(**{**params()["sft"]["short"], **changed})


def write_params(folder: Path, **changed: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "params.yaml").write_text(yaml.safe_dump(params(**changed)), encoding="utf-8")


def problem(number: int, **changed: Any) -> CuratedProblem:
    """A text problem whose answer is `number`."""
    fields: dict[str, Any] = {"question": f"What is {number} + 0?", "answer": str(number), "solution_short": None, **changed}
    rate = fields.pop("pass_rate", 0.5)
    return CuratedProblem(**made(number, **fields).model_dump(), pass_rate=rate)


@dataclass(frozen=True)
class Tiny:
    """A checkpoint of 2 layers of width 32 and three problems of each family."""

    folder: Path
    problems: list[Problem]

    def model(self) -> Any:
        return load_model(self.folder, CPU)

    def renderer(self, context: int = CONTEXT) -> Renderer:
        return Renderer(load_processor(self.folder), INSTRUCTION, context)

    def curated(self) -> list[CuratedProblem]:
        return [CuratedProblem(**problem.model_dump(), pass_rate=0.5) for problem in self.problems]

    def demonstrations(self) -> list[Demonstration]:
        return [
            Demonstration(
                id=f"{problem.id}-{form}",
                problem_id=problem.id,
                family=problem.family,
                question=problem.question,
                image=problem.image,
                verifier=problem.verifier,
                response=text,
                response_ids=None,
                form=form,
                behaviours={},
            )
            for problem in self.problems
            for form, text in (("short", problem.solution_short or ""), ("long", problem.solution_long or ""))
        ]

    def samples(self, model: Any) -> list[TrainingSample]:
        """Text and pictures, short and long responses; 36 samples."""
        found, left_out = demonstration_samples(self.demonstrations(), self.renderer(), model)
        assert left_out == []
        return found


def make(folder: Path) -> Tiny:
    """Write the checkpoint and the pictures into `folder`."""
    problems = [found for family in FAMILIES for found in generate(family, "train", 3, 7, folder / "images")]
    texts = [f"{p.question}\n{p.solution_long}\n{p.solution_short}" for p in problems]
    tokenizer = train_tokenizer([*texts, INSTRUCTION] * 2, 400)
    model = build_model(tokenizer, TinyShape(32, 2, 2, CONTEXT, 0.09), 1)
    save(folder / "model", model, build_processor(tokenizer, 256 * CONTEXT))
    return Tiny(folder / "model", problems)


def weights(model: Any) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def largest_gap(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> float:
    """Largest absolute difference of any weight but the biases of keys: attention does not depend on them, their gradient is
    rounding noise, and Adam makes a full step of any noise."""
    assert left.keys() == right.keys()
    names = [name for name in left if not name.endswith(("k_proj.bias", "qkv.bias"))]
    return max(float((left[name] - right[name]).abs().max()) for name in names)
