"""The benchmarks with pictures (§3.1)."""

from stages.benchmarks import math_vision
from stages.benchmarks.benchmark import Benchmark
from stages.benchmarks.decoding import GREEDY, SAMPLED

VISION: dict[str, Benchmark] = {
    "mathvision": Benchmark(
        name="mathvision",
        title="MathVision-Full",
        metric="Pass@1",
        modality="image",
        tables=(2, 3),
        size=3040,
        split="test, all 3,040 items",
        hub_id="MathLLMs/MathVision",
        revision=None,
        origin="mathllm/MATH-V, data and images, commit a1f5cc3add200c0cd080fad463e500f44ef1fb41",
        files=math_vision.FILES,
        prompt_source=math_vision.PROMPT_SOURCE,
        shots=0,
        extraction="the authors' rules (github.com/mathllm/MATH-V, evaluation/): a closing letter, a stated number, the last box",
        rule="equal to the gold letter, value or option text, numbers rounded to two decimals (theirs too); mean over items",
        short_cot=GREEDY,
        long_cot=SAMPLED,
        load=math_vision.load,
        load_answers=math_vision.load_answers,
        prompt=math_vision.prompt,
        score=math_vision.score,
    ),
}
