"""The benchmarks of reasoning (§3.1): mathematics in words."""

from dataclasses import replace
from functools import partial

from stages.benchmarks import competition_math, competition_math_rules
from stages.benchmarks.benchmark import Benchmark, field_id
from stages.benchmarks.decoding import GREEDY, SAMPLED, averaged

EXTRACTION = (
    "the last \\boxed{} after the thinking part; where none follows it, the last of the whole response, counted in the details"
)
AFTER_THINKING = "the last \\boxed{} after the thinking part, and no answer where none follows it"

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
    content="af2b8bd2aa911b6333ad0df32f3ca05c7ae8ed10f1731f4372c8ae26990bf7ac",
    files=competition_math.AIME_FILES,
    prompt_source=competition_math.PROMPT_SOURCE,
    shots=0,
    extraction=EXTRACTION,
    rule="equality of integers, leading zeros ignored; mean over problems of the mean of k",
    short_cot=averaged(GREEDY, 16, temperature=0.7),
    long_cot=averaged(SAMPLED, 64),
    load=competition_math.load_aime2024,
    prompt=competition_math.boxed_prompt,
    score=competition_math.score_aime2024,
    keeps_thinking=True,
    row_id=field_id("question_id", "id", "ID", "idx"),
)

_MATH500 = Benchmark(
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
    content="35dc41080a3680858b27fa7e0533d2d547825316fc5dafe5d316f4ccc5a06132",
    files=competition_math.MATH500_FILES,
    prompt_source=competition_math.PROMPT_SOURCE,
    shots=0,
    extraction=EXTRACTION,
    rule="equality of two answers that are read to their last sign, else wrong; brackets, variables' case and option letters as "
    "PRM800K's or Qwen's grader reads them; mean over problems",
    short_cot=GREEDY,
    long_cot=averaged(SAMPLED, 4),
    load=competition_math.load_math500,
    prompt=competition_math.boxed_prompt,
    score=competition_math.score_math500,
    keeps_thinking=True,
    row_id=field_id("unique_id", "id", "idx"),
)

_NAMED = {
    "prm800k": replace(
        _MATH500,
        rule="PRM800K's grader, re-implemented: equal normal forms, else sympy on parts; mean over problems",
        differs="ours also reads units beside variables, percentages, unreduced fractions, intervals as inequalities and lists in "
        "any order; it was 1.2 points above this grader on the same responses when both were compared at commit 48a514b",
        score=partial(competition_math_rules.judge_by, "prm800k"),
    ),
    "math-verify": replace(
        _MATH500,
        rule="the library math-verify, as installed; mean over problems",
        differs="ours compares all digits (the library six significant ones) and the base of a number (it reads 52_8 as 52)",
        score=partial(competition_math_rules.judge_by, "math-verify"),
    ),
    "qwen": replace(
        _MATH500,
        extraction='the last \\boxed{} of the whole response, else what follows "the answer is", else the last number',
        rule="the grader of Qwen2.5-Math's evaluation harness, re-implemented; mean over problems",
        differs="ours wants a box, compares all digits (this grader accepts a relative error of 1e-4, a hundredth or hundredfold) "
        "and reads lists in any order, mixed numbers, and pi, e and i as constants; 39 of 1,332 published verdicts on answers of "
        "Qwen2.5-Math-7B-Instruct differ, of which ours accepts 30 (tests/benchmarks/test_conformance.py)",
        score=competition_math_rules.judge_as_qwen,
    ),
}
"""Named rules for MATH-500: the graders of other harnesses."""

REASONING: dict[str, Benchmark] = {
    "aime2024": replace(
        _AIME,
        rules={
            "whole-response": replace(
                _AIME,
                extraction="the last \\boxed{} of the whole response, thinking part included, as AReaL and Qwen's harness read it",
                score=competition_math.score_aime2024_whole,
            ),
            "after-thinking": replace(
                _AIME, extraction=AFTER_THINKING, score=competition_math.score_aime2024_part, keeps_thinking=False
            ),
        },
    ),
    "math500": replace(
        _MATH500,
        rules={
            "after-thinking": replace(
                _MATH500, extraction=AFTER_THINKING, score=competition_math.score_math500_part, keeps_thinking=False
            ),
            **_NAMED,
        },
    ),
}
