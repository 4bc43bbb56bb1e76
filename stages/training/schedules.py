"""Learning rates over the steps of a stage."""

import math


def learning_rate(step: int, total: int, peak: float, final: float, warmup: float, shape: str) -> float:
    """Rate of `step` (0-based) out of `total`: linear from 0 to `peak` over the share `warmup`, then to `final` by `shape`
    (cosine, linear, or constant at the peak)."""
    ramp = round(total * warmup)
    if step < ramp:
        return peak * (step + 1) / ramp
    if shape == "constant":
        return peak
    done = (step - ramp) / max(1, total - ramp - 1)
    falling = 0.5 * (1 + math.cos(math.pi * done)) if shape == "cosine" else 1 - done
    return final + (peak - final) * falling


def warmed(step: int, peak: float, steps: int) -> float:
    """Rate of `step` (0-based) after a reset of the optimizer: linear over `steps`, then `peak`."""
    return peak * min(1.0, (step + 1) / (steps + 1))
