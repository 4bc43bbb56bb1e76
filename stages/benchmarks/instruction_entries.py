"""The benchmark of instruction following (§3.1)."""

from stages.benchmarks import instructions
from stages.benchmarks.benchmark import Benchmark, field_id
from stages.benchmarks.decoding import GREEDY, SAMPLED

INSTRUCTIONS: dict[str, Benchmark] = {
    "ifeval": Benchmark(
        name="ifeval",
        title="IF-Eval",
        metric="Prompt Strict",
        modality="text",
        tables=(3,),
        size=541,
        split="all 541 prompts",
        hub_id="google/IFEval",
        revision="966cd89545d6b6acfd7638bc708b98261ca58e84",
        origin="google-research/google-research, instruction_following_eval/data/input_data.jsonl",
        content="90d5fce99e2e5e0dc7a40f62462847ea88c593b57d9556146d9347f0edffa9a8",
        files=instructions.FILES,
        prompt_source=instructions.PROMPT_SOURCE,
        shots=0,
        extraction="none: the whole response after the thinking part",
        rule="every instruction followed by the authors' strict rules, without their randomness; mean over prompts",
        short_cot=GREEDY,
        long_cot=SAMPLED,
        load=instructions.load,
        prompt=instructions.prompt,
        score=instructions.score,
        average=instructions.average,
        row_id=field_id("key"),
    ),
}
