"""The benchmarks of reasoning (§3.1): mathematics in words."""

from dataclasses import replace

from stages.benchmarks import competition_math
from stages.benchmarks.benchmark import Benchmark, field_id
from stages.benchmarks.decoding import GREEDY, SAMPLED, averaged

_AIME = Benchmark(
    name="aime2024",
    title="AIME 2024",
    metric="Pass@1",
    modality="text",
    tables=(2, 3),
    size=30,
    split="the 30 problems of AIME I and II",
    hub_id="math-ai/aime24",
    revision="83a7f387baaa524a8bda0022eac0541582297103",
    origin="QwenLM/Qwen2.5-Math, evaluation/data/aime24, commit a45202bd16f1ec06f433442dc1152d0074773465",
    files=competition_math.AIME_FILES,
    prompt_source=competition_math.PROMPT_SOURCE,
    shots=0,
    extraction="the last \\boxed{} after the thinking part",
    rule="equality of integers, leading zeros ignored; mean over problems of the mean of k",
    short_cot=averaged(GREEDY, 16, temperature=0.7),
    long_cot=averaged(SAMPLED, 64),
    load=competition_math.load_aime2024,
    prompt=competition_math.boxed_prompt,
    score=competition_math.score_aime2024,
    row_id=field_id("question_id"),
)

REASONING: dict[str, Benchmark] = {
    "aime2024": replace(
        _AIME,
        rules={
            "whole-response": replace(
                _AIME,
                extraction="the last \\boxed{} of the whole response, thinking part included, as AReaL and Qwen's harness read it",
                score=competition_math.score_aime2024_whole,
                keeps_thinking=True,
            )
        },
    ),
    "math500": Benchmark(
        name="math500",
        title="MATH-500",
        metric="EM",
        modality="text",
        tables=(2, 3),
        size=500,
        split="the 500 test problems of PRM800K",
        hub_id="HuggingFaceH4/MATH-500",
        revision="6e4ed1a2a79af7d8630a6b768ec859cb5af4d3be",
        origin="inclusionAI/AReaL, evaluation/data/math_500/test.jsonl, blob 2376b9a194b46c0790e197c91b7249e5f88ac09b",
        files=competition_math.MATH500_FILES,
        prompt_source=competition_math.PROMPT_SOURCE,
        shots=0,
        extraction="the last \\boxed{} after the thinking part",
        rule="equality by math-verify 0.9.0 with its known traps closed; mean over problems",
        short_cot=GREEDY,
        long_cot=averaged(SAMPLED, 4),
        load=competition_math.load_math500,
        prompt=competition_math.boxed_prompt,
        score=competition_math.score_math500,
        row_id=field_id("unique_id"),
    ),
}
