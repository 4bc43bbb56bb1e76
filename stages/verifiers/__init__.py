"""One door, verify(problem, response) -> Verdict: right, wrong, or an error with its reason."""
