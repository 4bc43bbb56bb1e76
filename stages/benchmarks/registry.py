"""The benchmarks of tables 2 and 3, by name, in the order of the report's groups: text, reasoning, vision."""

from stages.benchmarks.benchmark import Benchmark
from stages.benchmarks.coding_entries import CODING
from stages.benchmarks.instruction_entries import INSTRUCTIONS
from stages.benchmarks.reasoning_entries import REASONING
from stages.benchmarks.text_entries import TEXT
from stages.benchmarks.vision_entries import VISION

BENCHMARKS: dict[str, Benchmark] = {**TEXT, **INSTRUCTIONS, **CODING, **REASONING, **VISION}
