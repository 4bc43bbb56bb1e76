"""The training loop over DeepSpeed: packed batches, the engine, exact resume."""
