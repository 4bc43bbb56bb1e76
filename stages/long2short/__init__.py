"""Section 2.4 of the report: model merging, shortest rejection sampling, preference pairs and DPO."""
