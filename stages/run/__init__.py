"""What a stage program needs around its work: typed parameters, ranks, seeds, the metric spool, resumable state."""
