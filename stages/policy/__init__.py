"""Section 2.3 of the report: online policy mirror descent, the length penalty, the samplers, the rewards."""
