"""One door, verify(verifier, gold, response) -> Verdict: right, wrong, or an error with its reason."""
