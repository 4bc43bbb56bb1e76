"""Learning rates over the steps of a stage."""

import math

STABLE = 0.6
"""Share of a warmup-stable-decay schedule, after the warm-up, that stays at the peak."""


def learning_rate(step: int, total: int, peak: float, final: float, warmup: float, shape: str) -> float:
    """Rate of `step` (0-based) out of `total`: linear from 0 to `peak` over the share `warmup`, then to `final` by `shape`
    (cosine, linear, constant at the peak, or wsd: at the peak for the share STABLE, then linear; MiniCPM, arXiv 2404.06395)."""
    ramp = round(total * warmup)
    if step < ramp:
        return peak * (step + 1) / ramp
    if shape == "constant":
        return peak
    done = (step - ramp) / max(1, total - ramp - 1)
    if shape == "wsd":
        done = max(0.0, (done - STABLE) / (1 - STABLE))
    falling = 0.5 * (1 + math.cos(math.pi * done)) if shape == "cosine" else 1 - done
    return final + (peak - final) * falling


def warmed(step: int, peak: float, steps: int) -> float:
    """Rate of `step` (0-based) after a reset of the optimizer: linear over `steps`, then `peak`."""
    return peak * min(1.0, (step + 1) / (steps + 1))
