"""Section 3.1 of the report: the real benchmarks, their files, prompts and scoring rules; how models are asked; statistics."""
