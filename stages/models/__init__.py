"""Loading of vision-language models by transformers' Auto classes, the tiny from-scratch model, positions and log-probabilities."""
