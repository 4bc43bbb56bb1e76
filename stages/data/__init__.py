"""Typed records of every hand-over between stages, their files, and the gate (Great Expectations) that a data set must pass."""
