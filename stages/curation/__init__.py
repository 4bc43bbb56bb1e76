"""Section 2.1 of the report: coverage, difficulty, evaluability, guessing and decontamination of RL prompts."""
