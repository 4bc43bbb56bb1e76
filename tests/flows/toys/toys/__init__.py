"""Programs that stand in for stages in the tests of flows."""
