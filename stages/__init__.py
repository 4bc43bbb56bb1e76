"""The recipe of the Kimi k1.5 report: a file here is a stage of dvc.yaml, a folder is a concept of the report."""

import gc

gc.set_threshold(50_000, 20, 50)
"""torch, transformers and DeepSpeed are a million objects that stay; Python's own limits look through them a fourth of a start."""
