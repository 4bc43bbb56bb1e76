"""The benchmarks of knowledge, reading and instruction following in words (§3.1)."""

from stages.benchmarks.benchmark import Benchmark

TEXT: dict[str, Benchmark] = {}
