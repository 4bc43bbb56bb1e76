"""The vLLM engine on one GPU, through the project's own door: `python tests/performance/vllm_on_gpu.py`; results/vllm.json.

An Idefics3 with random weights (10 million, heads of 64), in bfloat16 on a GPU: how far the log-probabilities of sampled tokens are
from the trainer's, for text and for pictures, before and after pushes of changed weights; what sleeping gives back of the card's
memory, and whether waking and a push bring the same answers; seconds of a push; tokens a second beside the embedded engine. Each
step that fails is named, and the exit code is 1. Without a GPU it runs on vLLM's CPU build, which cannot sleep."""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import architectures  # noqa: E402
import tiny  # noqa: E402
import torch  # noqa: E402
from measure import environment  # noqa: E402

from stages.models.loading import best_device, load_model, load_processor  # noqa: E402
from stages.models.positions import position_ids  # noqa: E402
from stages.prompts.prompt import Prompt  # noqa: E402
from stages.prompts.render import Rendered, Renderer  # noqa: E402
from stages.rollout.engine import Piece, Request, Sampling  # noqa: E402
from stages.rollout.golden import TOLERANCES, Golden  # noqa: E402
from stages.rollout.opening import open_rollout_engine  # noqa: E402
from stages.rollout.transformers_engine import TransformersEngine  # noqa: E402
from stages.rollout.vllm_engine import VLLMEngine  # noqa: E402
from stages.training.batches import TrainingSample, pack  # noqa: E402
from stages.training.log_probs import TokenLogProbs  # noqa: E402

CONTEXT, NEW = 640, 24
ROWS = (64, 512)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "results/vllm.json")
    parser.add_argument("--rows", type=int, nargs="+", default=ROWS, help="responses side by side")
    options = parser.parse_args()
    device = best_device()
    around = environment() | {"device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu"}
    bench = Bench(device, max(options.rows))
    around |= {"command": "python tests/performance/vllm_on_gpu.py", "vllm": bench.version, "parameters": bench.parameters}
    steps: dict[str, Any] = {"start": {"seconds": bench.start_seconds, **bench.memory()}}
    failed = 0
    for name, step in bench.steps(options.rows).items():
        begun = time.perf_counter()
        try:
            found = step()
        except Exception as error:  # noqa: BLE001 (whatever it is, the other steps are still worth having)
            found, failed = {"failed": f"{type(error).__name__}: {' '.join(str(error).split())[:400]}"}, 1
        steps[name] = {**found, "seconds": round(time.perf_counter() - begun, 2)}
        print(name, json.dumps(steps[name]), flush=True)
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps({"environment": around, "steps": steps}, indent=1) + "\n", encoding="utf-8")
    return failed


class Bench:
    """A checkpoint, the trainer's model of it, vLLM around a copy."""

    def __init__(self, device: torch.device, rows: int) -> None:
        self.device = device
        folder = Path(tempfile.mkdtemp(prefix="k15-vllm-"))
        made = tiny.make(folder / "tiny")
        texts = [f"{problem.question}\n{problem.solution_long}" for problem in made.problems]
        architectures.RANGE = 0.04
        architectures.TEXT |= {
            "intermediate_size": 1024,
            "num_hidden_layers": 4,
            "num_attention_heads": 8,
            "initializer_range": 0.04,
        }
        architectures.VISION |= {"hidden_size": 128, "intermediate_size": 256, "num_attention_heads": 2}
        architectures.save("idefics3", texts, folder / "model", hidden_size=512, num_key_value_heads=4)
        self.model = load_model(folder / "model", device)
        self.parameters = sum(value.numel() for value in self.model.parameters())
        self.renderer = Renderer(load_processor(folder / "model"), tiny.INSTRUCTION, CONTEXT)
        words = [problem for problem in made.problems if not problem.image]
        self.words = [Prompt(words[place % len(words)].question + " " * (place // len(words)), None) for place in range(8)]
        self.shown = [Prompt(problem.question, problem.image) for problem in made.problems if problem.image][:2]
        share = {"tensor_parallel": 1, "memory_share": 0.1 if device.type == "cuda" else 0.2}
        hardware = tiny.hardware(device=device.type, engine="vllm", generation_batch=rows, vllm=share)
        begun = time.perf_counter()
        cache = None if device.type == "cuda" else 1 << 28
        engine = open_rollout_engine(folder / "model", self.model, self.renderer, hardware, None, cache)
        assert isinstance(engine, VLLMEngine)
        self.engine, self.start_seconds = engine, round(time.perf_counter() - begun, 1)
        self.embedded = TransformersEngine(self.model, self.renderer, rows)
        self.version = sys.modules["vllm"].__version__

    def steps(self, rows: Sequence[int]) -> dict[str, Callable[[], dict[str, Any]]]:
        """In this order."""
        return {
            "gaps": self.gaps, "push": self.push, "vision tower alone": self.push_vision, "golden prompts": self.golden,
            "sleep": self.sleep, "iterations": self.iterations, "speed": lambda: self.speed(rows),
        }  # fmt: skip

    def gaps(self) -> dict[str, Any]:
        """Largest difference in nats of a sampled token's log-probability from the trainer's."""
        return {"text": self.gap(self.words, self.ask(self.words)), "pictures": self.gap(self.shown, self.ask(self.shown))}

    def push(self) -> dict[str, Any]:
        """All weights are changed and pushed: the engine follows, in place."""
        before = self.ask(self.words)
        places = {name: value.data_ptr() for name, value in self.engine.started.parameters().items()}
        self.shift(self.model, 0.02)
        begun = time.perf_counter()
        self.engine.take_weights(self.model.named_parameters())
        taken = round(time.perf_counter() - begun, 3)
        assert places == {name: value.data_ptr() for name, value in self.engine.started.parameters().items()}, "weights moved"
        after = self.ask(self.words)
        assert all(a.logprobs != b.logprobs for a, b in zip(before, after, strict=True)), "the answers have not changed"
        return {"push_seconds": taken, "gap": self.gap(self.words, after), "gap_of_old_weights": self.gap(self.words, before)}

    def push_vision(self) -> dict[str, Any]:
        """Only the vision tower's weights are changed: the same pictures look different."""
        before = self.ask(self.shown)
        self.shift(self.model.model.vision_model, 0.1)
        self.engine.take_weights(self.model.named_parameters())
        after = self.ask(self.shown)
        assert all(a.logprobs != b.logprobs for a, b in zip(before, after, strict=True)), "pictures look the same"
        return {"gap": self.gap(self.shown, after), "gap_of_old_weights": self.gap(self.shown, before)}

    def golden(self) -> dict[str, Any]:
        """The check that RL makes after each push, with a right and with a wrong trainer."""
        tolerance = TOLERANCES[self.device.type]
        for factor in (1.0, 2.0):
            answers = lambda prompt, ids, factor=factor: [factor * value for value in self.trainer(prompt, ids, 0.8)]  # noqa: E731
            self.engine.golden = Golden((self.words[0], self.shown[0]), 0.8, answers, tolerance)
            try:
                self.engine.take_weights(self.model.named_parameters())
                assert factor == 1.0, "a trainer that says something else was believed"
            except ValueError:
                if factor == 1.0:
                    raise
            finally:
                self.engine.golden, self.engine.broken = None, ""
        return {"tolerance": tolerance}

    def sleep(self) -> dict[str, Any]:
        """Memory of the card that is free awake, asleep, awake again; the answers stay the same."""
        before, awake = self.ask(self.words), self.memory()
        self.engine.sleep()
        asleep = self.memory()
        self.engine.wake()
        after = self.ask(self.words)
        same = sum(a.token_ids == b.token_ids for a, b in zip(before, after, strict=True))
        return {"awake": awake, "asleep": asleep, "again": self.memory(), "same_answers": same, "of": len(after)}

    def iterations(self) -> dict[str, Any]:
        """As RL goes round: asleep while the trainer works, awake, a push, responses; five times. Memory must not grow."""
        free = []
        for _ in range(5):
            self.engine.sleep()
            self.shift(self.model, 0.005)
            self.engine.wake()
            self.engine.take_weights(self.model.named_parameters())
            answers = self.ask(self.words)
            free.append(self.memory().get("free_gib"))
        return {"free_gib": free, "gap": self.gap(self.words, answers)}

    def speed(self, rows: Sequence[int]) -> dict[str, Any]:
        """Tokens a second of both engines, so many responses of up to 256 tokens side by side; the second of two passes."""
        found = {}
        for count in rows:
            asked = self.requests([self.words[place % len(self.words)] for place in range(count)], 256)
            for name, engine in (("vllm", self.engine), ("embedded", self.embedded)):
                for _ in range(2):
                    begun = time.perf_counter()
                    pieces = engine.extend(asked, self.hot(256))
                    taken = time.perf_counter() - begun
                found[f"{name}, {count} rows"] = round(sum(len(piece.token_ids) for piece in pieces) / taken)
        return found

    def requests(self, prompts: Sequence[Prompt], most: int = NEW) -> list[Request]:
        seen = self.renderer.render(prompts)
        return [Request(p, r, (), most, most, 100 * place) for place, (p, r) in enumerate(zip(prompts, seen, strict=True))]

    def hot(self, most: int = NEW) -> Sampling:
        return Sampling(temperature=1.0, top_p=1.0, max_tokens=most, seed=5)

    def ask(self, prompts: Sequence[Prompt]) -> list[Piece]:
        return self.engine.extend(self.requests(prompts), self.hot())

    def trainer(self, prompt: Rendered, response: tuple[int, ...], temperature: float = 1.0) -> list[float]:
        sample = TrainingSample(prompt, response, position_ids(self.model, prompt, len(response)))
        batch = pack([sample], CONTEXT, 0)[0].to(self.device)
        with torch.no_grad():
            found: list[float] = TokenLogProbs(self.model, temperature)(batch)[0].tolist()
        return found

    def gap(self, prompts: Sequence[Prompt], pieces: Sequence[Piece]) -> float:
        pairs = zip(self.requests(prompts), pieces, strict=True)
        apart = (
            abs(a - b)
            for asked, piece in pairs
            for a, b in zip(piece.logprobs, self.trainer(asked.rendered, piece.token_ids), strict=True)
        )
        return round(max(apart), 4)

    def shift(self, part: Any, amount: float) -> None:
        with torch.no_grad():
            for value in part.parameters():
                value += amount * torch.randn_like(value)

    def memory(self) -> dict[str, float]:
        if self.device.type != "cuda":
            return {}
        torch.cuda.synchronize()
        return {"free_gib": round(torch.cuda.mem_get_info()[0] / 2**30, 3)}


if __name__ == "__main__":
    sys.exit(main())
